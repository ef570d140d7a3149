#include "galaxycache/runtime/shard.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

using memory = galaxycache::shard;

/// What an entry of this key and so many bytes weighs.
std::size_t weight(std::string_view key, std::size_t size) {
  static const auto scale = make_lru_store();
  return scale->weight(key, value::copy(std::string(size, 'x')));
}

value data_of(std::size_t size) {
  return value::copy(std::string(size, 'x'));
}

std::shared_ptr<promoter> always() {
  return make_promoter([](std::string_view, const value&,
                          const promotion_stats&) { return true; });
}

std::shared_ptr<promoter> never() {
  return make_promoter([](std::string_view, const value&,
                          const promotion_stats&) { return false; });
}

memory::settings settings_of(std::size_t capacity,
                             std::shared_ptr<promoter> promote = always()) {
  memory::settings result;
  result.capacity_bytes = capacity;
  result.candidates_max = 100;
  result.promote = std::move(promote);
  return result;
}

/// Does as it is told and remembers what it was shown last.
struct watching_promoter : promoter {
  bool should_promote(std::string_view, const value&,
                      const promotion_stats& stats) override {
    last = stats;
    return answer;
  }

  bool answer = false;
  promotion_stats last;
};

std::size_t bytes_in(const memory& m) {
  const auto held = m.stats();
  return held.main.bytes + held.hot.bytes;
}

} // namespace

BOOST_AUTO_TEST_SUITE(shard)

BOOST_AUTO_TEST_CASE(a_value_put_is_found_in_the_main_cache) {
  const manual_clock time;
  memory m{settings_of(10'000)};
  const auto data = value::copy("data");
  BOOST_TEST(!m.find("key", time));
  BOOST_TEST(m.put_main("key", data, never_expires));
  const auto found = m.find("key", time);
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST(found->data.shares_bytes_with(data));
  BOOST_TEST((found->expiry == never_expires));
  BOOST_TEST((found->where == cache_kind::main));
  BOOST_TEST(!m.find("other", time));
}

BOOST_AUTO_TEST_CASE(a_value_promoted_is_found_in_the_hot_cache) {
  const manual_clock time;
  memory m{settings_of(10'000)};
  const auto expiry = time.wall_now() + 1h;
  BOOST_TEST(m.offer_hot("key", value::copy("data"), expiry, 1, time));
  const auto found = m.find("key", time);
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST(found->data.bytes() == "data");
  BOOST_TEST((found->expiry == expiry));
  BOOST_TEST((found->where == cache_kind::hot));
}

BOOST_AUTO_TEST_CASE(a_value_not_promoted_is_kept_nowhere) {
  const manual_clock time;
  memory m{settings_of(10'000, never())};
  BOOST_TEST(!m.offer_hot("key", value::copy("data"), never_expires, 1, time));
  BOOST_TEST(!m.find("key", time));
  BOOST_TEST(bytes_in(m) == 0u);
  BOOST_TEST(m.stats().candidates == 1u);
}

BOOST_AUTO_TEST_CASE(a_value_is_gone_at_its_expiry_and_not_before) {
  manual_clock time;
  memory m{settings_of(10'000)};
  const auto expiry = time.wall_now() + 1h;
  m.put_main("main", value::copy("data"), expiry);
  m.offer_hot("hot", value::copy("data"), expiry, 1, time);
  time.advance(1h - 1ns);
  BOOST_TEST(m.find("main", time).has_value());
  BOOST_TEST(m.find("hot", time).has_value());
  time.advance(1ns);
  BOOST_TEST(!m.find("main", time));
  BOOST_TEST(!m.find("hot", time));
  // The wall clock is set back.
  time.jump_wall(-1ns);
  BOOST_TEST(m.find("main", time).has_value());
}

BOOST_AUTO_TEST_CASE(expired_entries_are_swept_from_both_caches) {
  manual_clock time;
  memory m{settings_of(100'000)};
  const auto noon = time.wall_now();
  BOOST_TEST(!m.next_expiry());
  for (int i = 0; i < 3; ++i) {
    m.put_main("m" + std::to_string(i), data_of(9), noon + (10 + i) * 1s);
    m.offer_hot("h" + std::to_string(i), data_of(9), noon + (5 + i) * 1s, 1,
                time);
  }
  m.put_main("for ever", data_of(9), never_expires);
  BOOST_TEST((m.next_expiry() == noon + 5s));
  BOOST_TEST(m.sweep(noon + 5s - 1ns, 100) == 0u);
  BOOST_TEST(m.sweep(noon + 6s, 100) == 2u);
  BOOST_TEST((m.next_expiry() == noon + 7s));
  BOOST_TEST(m.sweep(noon + 1h, 2) == 2u);
  BOOST_TEST(m.sweep(noon + 1h, 100) == 2u);
  BOOST_TEST(!m.next_expiry());
  BOOST_TEST(m.stats().main.entries == 1u);
  BOOST_TEST(m.stats().hot.entries == 0u);
  // Making room is something else.
  BOOST_TEST(m.stats().main.evictions == 0u);
  BOOST_TEST(m.stats().hot.evictions == 0u);
}

BOOST_AUTO_TEST_CASE(no_capacity_means_no_caching) {
  const manual_clock time;
  memory m{settings_of(0)};
  BOOST_TEST(!m.put_main("", value{}, never_expires));
  BOOST_TEST(!m.put_main("key", data_of(10), never_expires));
  BOOST_TEST(!m.offer_hot("key", data_of(10), never_expires, 1, time));
  BOOST_TEST(!m.find("key", time));
  BOOST_TEST(bytes_in(m) == 0u);
}

BOOST_AUTO_TEST_CASE(an_entry_as_large_as_the_shard_fits) {
  const manual_clock time;
  memory m{settings_of(weight("key", 1'000))};
  BOOST_TEST(m.put_main("key", data_of(1'000), never_expires));
  BOOST_TEST(bytes_in(m) == weight("key", 1'000));
  BOOST_TEST(!m.put_main("more", data_of(1'000), never_expires));
  BOOST_TEST(m.find("key", time).has_value());
}

BOOST_AUTO_TEST_CASE(a_value_too_large_removes_the_old_one_of_its_key) {
  const manual_clock time;
  memory m{settings_of(1'000)};
  const auto large = data_of(1'000);
  m.put_main("main", data_of(1), never_expires);
  BOOST_TEST(!m.put_main("main", large, never_expires));
  BOOST_TEST(!m.find("main", time));
  m.offer_hot("hot", data_of(1), never_expires, 1, time);
  BOOST_TEST(!m.offer_hot("hot", large, never_expires, 1, time));
  BOOST_TEST(!m.find("hot", time));
  m.offer_hot("hot", data_of(1), never_expires, 1, time);
  BOOST_TEST(!m.put_main("hot", large, never_expires));
  BOOST_TEST(!m.find("hot", time));
  BOOST_TEST(bytes_in(m) == 0u);
}

BOOST_AUTO_TEST_CASE(a_key_lives_in_one_cache_only) {
  const manual_clock time;
  memory m{settings_of(10'000)};
  m.put_main("key", value::copy("1"), never_expires);
  m.offer_hot("key", value::copy("2"), never_expires, 1, time);
  BOOST_TEST(m.find("key", time)->data.bytes() == "2");
  BOOST_TEST(m.stats().main.entries == 0u);
  BOOST_TEST(m.stats().main.bytes == 0u);
  m.put_main("key", value::copy("3"), never_expires);
  BOOST_TEST(m.find("key", time)->data.bytes() == "3");
  BOOST_TEST(m.stats().hot.entries == 0u);
  BOOST_TEST(m.stats().hot.bytes == 0u);
}

BOOST_AUTO_TEST_CASE(the_entry_used_longest_ago_makes_room) {
  const manual_clock time;
  memory m{settings_of(3 * weight("a", 10))};
  for (const auto* key : {"a", "b", "c"})
    m.put_main(key, data_of(10), never_expires);
  m.find("a", time);
  m.put_main("d", data_of(10), never_expires);
  BOOST_TEST(!m.find("b", time));
  for (const auto* key : {"a", "c", "d"})
    BOOST_TEST(m.find(key, time).has_value());
  BOOST_TEST(m.stats().main.evictions == 1u);
}

BOOST_AUTO_TEST_CASE(the_hot_cache_gives_way_down_to_its_share) {
  for (std::size_t ratio : {1u, 2u, 8u})
    BOOST_TEST_CONTEXT("ratio " << ratio) {
      const manual_clock time;
      const auto each = weight("m1000", 10);
      auto s = settings_of(100 * each);
      s.hot_ratio = ratio;
      memory m{s};
      // Alone, it may fill the shard.
      for (int i = 0; i < 150; ++i)
        BOOST_TEST(m.offer_hot("h" + std::to_string(1'000 + i), data_of(10),
                               never_expires, 1, time));
      BOOST_TEST(m.stats().hot.entries == 100u);
      BOOST_TEST(m.stats().hot.evictions == 50u);
      for (int i = 0; i < 300; ++i)
        BOOST_TEST(m.put_main("m" + std::to_string(1'000 + i), data_of(10),
                              never_expires));
      const auto held = m.stats();
      BOOST_TEST(held.main.entries + held.hot.entries == 100u);
      BOOST_TEST(held.hot.bytes <= held.main.bytes / ratio);
      // Not below it: the main cache gave way, too.
      BOOST_TEST(held.hot.bytes + 2 * each > held.main.bytes / ratio);
      BOOST_TEST(held.main.evictions > 0u);
      // And there it stays while both grow.
      for (int i = 0; i < 300; ++i) {
        m.offer_hot("h" + std::to_string(1'000 + i), data_of(10), never_expires,
                    1, time);
        m.put_main("m" + std::to_string(1'000 + i), data_of(10), never_expires);
      }
      const auto then = m.stats();
      BOOST_TEST(then.main.entries + then.hot.entries == 100u);
      BOOST_TEST(then.hot.bytes <= then.main.bytes / ratio + each);
      BOOST_TEST(then.hot.bytes + 2 * each > then.main.bytes / ratio);
    }
}

BOOST_AUTO_TEST_CASE(a_promise_of_storage_is_kept) {
  const manual_clock time;
  const auto share = weight("hot", 100);
  memory m{settings_of(10 * share)};
  // An entry beyond the hot cache's share evicts itself when memory is full.
  BOOST_TEST(
    m.put_main("main", data_of(9 * share - weight("main", 0)), never_expires));
  BOOST_TEST(
    !m.offer_hot("hot", data_of(100 + 2 * share), never_expires, 1, time));
  BOOST_TEST(!m.find("hot", time));
  BOOST_TEST(m.find("main", time).has_value());
  BOOST_TEST(m.offer_hot("hot", data_of(100), never_expires, 1, time));
  BOOST_TEST(m.find("hot", time).has_value());
  // So does one of the main cache that the hot one's share leaves no room.
  const auto size = 10 * share - weight("huge", 0) - 1;
  const auto stored = m.put_main("huge", data_of(size), never_expires);
  BOOST_TEST(m.find("huge", time).has_value() == stored);
  BOOST_TEST(bytes_in(m) <= 10 * share);
}

BOOST_AUTO_TEST_CASE(the_first_gets_of_a_key_look_as_in_galaxycache) {
  const manual_clock time;
  auto p = std::make_shared<watching_promoter>();
  memory m{settings_of(10'000, p)};
  m.offer_hot("key", data_of(1), never_expires, 1, time);
  BOOST_TEST(p->last.hits == 0u);
  BOOST_TEST(p->last.key_qps == 0.0);
  BOOST_TEST(p->last.hot.empty);
  m.offer_hot("key", data_of(1), never_expires, 1, time);
  BOOST_TEST(p->last.hits == 1u);
  BOOST_TEST(p->last.key_qps == 10.0);
}

BOOST_AUTO_TEST_CASE(all_gets_of_a_load_are_counted) {
  manual_clock time;
  auto p = std::make_shared<watching_promoter>();
  memory m{settings_of(10'000, p)};
  m.offer_hot("key", data_of(1), never_expires, 20, time);
  time.advance(2s);
  m.offer_hot("key", data_of(1), never_expires, 1, time);
  BOOST_TEST(p->last.hits == 20u);
  BOOST_TEST(p->last.key_qps == 10.0);
}

BOOST_AUTO_TEST_CASE(statistics_of_idle_keys_begin_anew) {
  manual_clock time;
  auto p = std::make_shared<watching_promoter>();
  auto s = settings_of(10'000, p);
  s.reset_idle_stats = 3s;
  memory m{s};
  m.offer_hot("key", data_of(1), never_expires, 20, time);
  time.advance(3s + 1ns);
  m.offer_hot("key", data_of(1), never_expires, 1, time);
  m.offer_hot("key", data_of(1), never_expires, 1, time);
  BOOST_TEST(p->last.hits == 1u);
}

BOOST_AUTO_TEST_CASE(the_hot_cache_is_sampled_at_most_once_a_second) {
  manual_clock time;
  auto p = std::make_shared<watching_promoter>();
  p->answer = true;
  memory m{settings_of(80'000, p)};
  m.offer_hot("a", data_of(10), never_expires, 5, time);
  time.advance(1s - 1ns);
  m.offer_hot("b", data_of(10), never_expires, 1, time);
  BOOST_TEST(p->last.hot.empty);
  BOOST_TEST(p->last.hot.bytes == 0u);
  time.advance(1ns);
  m.offer_hot("c", data_of(10), never_expires, 1, time);
  BOOST_TEST(!p->last.hot.empty);
  BOOST_TEST(p->last.hot.victim_qps == 5.0);
  BOOST_TEST(p->last.hot.bytes == 2 * weight("a", 10));
  BOOST_TEST(p->last.hot.capacity_bytes == 10'000u);
}

BOOST_AUTO_TEST_CASE(hits_in_the_hot_cache_keep_a_key_hot) {
  manual_clock time;
  auto p = std::make_shared<watching_promoter>();
  p->answer = true;
  memory m{settings_of(80'000, p)};
  m.offer_hot("a", data_of(10), never_expires, 1, time);
  for (int i = 0; i < 9; ++i)
    m.find("a", time);
  time.advance(2s);
  m.offer_hot("b", data_of(10), never_expires, 1, time);
  BOOST_TEST(p->last.hot.victim_qps == 5.0);
}

BOOST_AUTO_TEST_CASE(an_evicted_hot_entrys_statistics_go_back) {
  const manual_clock time;
  auto p = std::make_shared<watching_promoter>();
  p->answer = true;
  memory m{settings_of(2 * weight("a", 10), p)};
  m.offer_hot("a", data_of(10), never_expires, 1, time);
  for (int i = 0; i < 50; ++i)
    m.find("a", time);
  m.offer_hot("b", data_of(10), never_expires, 1, time);
  m.offer_hot("c", data_of(10), never_expires, 1, time);
  BOOST_TEST(!m.find("a", time));
  BOOST_TEST(m.stats().hot.evictions == 1u);
  p->answer = false;
  m.offer_hot("a", data_of(10), never_expires, 1, time);
  BOOST_TEST(p->last.hits == 51u);
}

BOOST_AUTO_TEST_CASE(a_hot_key_that_expired_is_not_a_stranger) {
  manual_clock time;
  auto p = std::make_shared<watching_promoter>();
  p->answer = true;
  memory m{settings_of(10'000, p)};
  m.offer_hot("key", data_of(1), time.wall_now() + 1s, 1, time);
  for (int i = 0; i < 50; ++i)
    m.find("key", time);
  time.advance(1s);
  BOOST_TEST(!m.find("key", time));
  m.offer_hot("key", data_of(1), time.wall_now() + 1s, 1, time);
  BOOST_TEST(p->last.hits == 51u);
  BOOST_TEST(p->last.key_qps == 51.0);
}

BOOST_AUTO_TEST_CASE(candidates_are_bounded) {
  const manual_clock time;
  auto s = settings_of(10'000, never());
  s.candidates_max = 3;
  memory m{s};
  for (int i = 0; i < 10; ++i)
    m.offer_hot(std::to_string(i), data_of(1), never_expires, 1, time);
  BOOST_TEST(m.stats().candidates == 3u);
}

BOOST_AUTO_TEST_CASE(without_candidates_every_key_is_a_stranger) {
  const manual_clock time;
  auto p = std::make_shared<watching_promoter>();
  p->answer = true;
  auto s = settings_of(10'000, p);
  s.candidates_max = 0;
  memory m{s};
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(m.offer_hot("key", data_of(1), never_expires, 1, time));
    BOOST_TEST(p->last.hits == 0u);
    BOOST_TEST(p->last.key_qps == 0.0);
  }
  BOOST_TEST(m.stats().candidates == 0u);
}

BOOST_AUTO_TEST_CASE(a_promoter_that_throws_does_not_promote) {
  const manual_clock time;
  for (bool standard : {true, false}) {
    memory m{
      settings_of(10'000, make_promoter([=](std::string_view, const value&,
                                            const promotion_stats&) -> bool {
                    if (standard)
                      throw std::runtime_error{"no"};
                    throw 42; // NOLINT
                  }))};
    m.put_main("main", data_of(1), never_expires);
    BOOST_TEST(!m.offer_hot("key", data_of(1), never_expires, 1, time));
    BOOST_TEST(!m.find("key", time));
    // Nothing else is lost.
    BOOST_TEST(m.find("main", time).has_value());
    BOOST_TEST(m.stats().candidates == 1u);
  }
}

BOOST_AUTO_TEST_CASE(a_promoter_may_read_the_cache) {
  const manual_clock time;
  memory* self = nullptr;
  memory m{
    settings_of(10'000, make_promoter([&](std::string_view key, const value&,
                                          const promotion_stats&) {
                  return !self->find(key, time) && self->find("main", time)
                         && self->stats().main.entries == 1;
                }))};
  self = &m;
  m.put_main("main", data_of(1), never_expires);
  BOOST_TEST(m.offer_hot("key", data_of(1), never_expires, 1, time));
  BOOST_TEST(!m.offer_hot("key", data_of(1), never_expires, 1, time));
}

BOOST_AUTO_TEST_CASE(clearing_forgets_all_but_the_evictions) {
  const manual_clock time;
  memory m{settings_of(2 * weight("a", 10))};
  for (const auto* key : {"a", "b", "c"})
    m.put_main(key, data_of(10), time.wall_now() + 1h);
  m.offer_hot("d", data_of(10), never_expires, 1, time);
  m.clear();
  const auto held = m.stats();
  BOOST_TEST(bytes_in(m) == 0u);
  BOOST_TEST(held.main.entries == 0u);
  BOOST_TEST(held.hot.entries == 0u);
  BOOST_TEST(held.candidates == 0u);
  BOOST_TEST(held.main.evictions >= 1u);
  BOOST_TEST(!m.next_expiry());
  BOOST_TEST(!m.find("c", time));
  BOOST_TEST(m.put_main("a", data_of(10), never_expires));
}

BOOST_AUTO_TEST_CASE(no_sequence_of_changes_breaks_the_budget) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      random_source random{seed};
      manual_clock time;
      const auto capacity = 500 + random.below(5'000);
      auto s = settings_of(capacity, make_promoter([&](auto, auto&, auto&) {
                             return random.below(3) != 0;
                           }));
      s.hot_ratio = 1 + random.below(10);
      s.candidates_max = random.below(20);
      memory m{s};
      struct newest {
        std::string data;
        wall_time expiry;
      };
      std::map<std::string, newest> last; // what each key was last given
      for (int i = 0; i < 2'000; ++i) {
        const auto key = std::to_string(random.below(30));
        const std::string data(random.below(random.below(10) == 0 ? 6'000 : 90),
                               static_cast<char>('a' + i % 26));
        const auto expiry = random.below(2) == 0
                              ? never_expires
                              : time.wall_now()
                                  + std::chrono::milliseconds{random.below(9)};
        switch (random.below(5)) {
          case 0:
          case 1: {
            const auto stored = m.put_main(key, value::copy(data), expiry);
            last[key] = {data, expiry};
            const auto found = m.find(key, time);
            BOOST_TEST_REQUIRE(
              found.has_value()
              == (stored && !expired(expiry, time.wall_now())));
            if (found)
              BOOST_TEST_REQUIRE((found->where == cache_kind::main));
            break;
          }
          case 2: {
            const auto stored = m.offer_hot(key, value::copy(data), expiry, 1,
                                            time);
            if (stored)
              last[key] = {data, expiry};
            const auto found = m.find(key, time);
            if (stored)
              BOOST_TEST_REQUIRE(found.has_value()
                                 == !expired(expiry, time.wall_now()));
            if (stored && found)
              BOOST_TEST_REQUIRE((found->where == cache_kind::hot));
            break;
          }
          case 3:
            time.advance(std::chrono::milliseconds{random.below(3)});
            m.sweep(time.wall_now(), random.below(5));
            break;
          default:
            if (random.below(100) == 0)
              m.clear();
        }
        const auto held = m.stats();
        BOOST_TEST_REQUIRE(held.main.bytes + held.hot.bytes <= capacity);
        BOOST_TEST_REQUIRE(held.candidates <= s.candidates_max);
        if (random.below(10) != 0)
          continue;
        // Whoever is found is as it was last put, and is accounted exactly.
        m.sweep(time.wall_now(), 1'000);
        std::size_t main = 0;
        std::size_t hot = 0;
        std::optional<wall_time> earliest;
        for (const auto& [name, expected] : last) {
          const auto found = m.find(name, time);
          if (!found)
            continue;
          BOOST_TEST_REQUIRE(found->data.bytes() == expected.data);
          BOOST_TEST_REQUIRE((found->expiry == expected.expiry));
          (found->where == cache_kind::main ? main : hot)
            += weight(name, expected.data.size());
          if (expected.expiry != never_expires)
            earliest = std::min(earliest.value_or(expected.expiry),
                                expected.expiry);
        }
        BOOST_TEST_REQUIRE(m.stats().main.bytes == main);
        BOOST_TEST_REQUIRE(m.stats().hot.bytes == hot);
        BOOST_TEST_REQUIRE((m.next_expiry() == earliest));
      }
    }
}

BOOST_AUTO_TEST_CASE(readers_see_whole_values_while_one_writes) {
  const manual_clock time;
  memory m{settings_of(20 * weight("00", 100))};
  const auto key_of = [](std::uint64_t i) {
    return std::to_string(10 + i % 40);
  };
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (std::uint64_t i = 1; i <= 3; ++i)
    readers.emplace_back([&, i] {
      random_source random{i};
      while (!done) {
        const auto key = key_of(random.next());
        if (const auto found = m.find(key, time))
          if (found->data.size() != 100
              || !found->data.bytes().starts_with(key))
            ++wrong;
        const auto held = m.stats();
        if (held.main.bytes + held.hot.bytes > 20 * weight("00", 100))
          ++wrong;
        m.next_expiry();
      }
    });
  random_source random{9};
  for (int i = 0; i < 20'000; ++i) {
    const auto key = key_of(random.next());
    auto text = key;
    text.resize(100, 'x');
    const auto data = value::take(std::move(text));
    const auto expiry = random.below(2) == 0 ? never_expires
                                             : time.wall_now() + i % 9 * 1s;
    if (random.below(2) == 0)
      m.put_main(key, data, expiry);
    else
      m.offer_hot(key, data, expiry, 1, time);
    if (i % 100 == 0)
      m.sweep(time.wall_now(), 10);
    if (i % 5'000 == 4'999)
      m.clear();
  }
  done = true;
  for (auto& t : readers)
    t.join();
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_SUITE_END()
