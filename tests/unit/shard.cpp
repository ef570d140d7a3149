#include "galaxycache/runtime/shard.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

using memory = galaxycache::shard;

value data_of(std::size_t size) {
  return value::copy(std::string(size, 'x'));
}

/// What an entry of this key and so many bytes weighs in the main cache.
std::size_t weight(std::string_view key, std::size_t size,
                   wall_time expiry = never_expires) {
  return entry::cost_of(key, data_of(size), {expiry, nullptr});
}

/// The same in the hot cache.
std::size_t hot_weight(std::string_view key, std::size_t size,
                       wall_time expiry = never_expires) {
  const key_stats rate{mono_time{}};
  return entry::cost_of(key, data_of(size), {expiry, &rate});
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

/// All that counts towards the capacity.
std::size_t total_in(const memory& m) {
  return bytes_in(m) + m.stats().overhead_bytes;
}

/// What it takes to find so many entries.
std::size_t table_of(int entries) {
  const manual_clock time;
  memory m{settings_of(1 << 20)};
  for (int i = 0; i < entries; ++i)
    m.put_main(std::to_string(i), value{}, never_expires, time);
  return m.stats().overhead_bytes;
}

} // namespace

BOOST_AUTO_TEST_SUITE(shard)

BOOST_AUTO_TEST_CASE(a_value_put_is_found_in_the_main_cache) {
  const manual_clock time;
  memory m{settings_of(10'000)};
  BOOST_TEST(!m.find("key", time));
  BOOST_TEST(m.put_main("key", value::copy("data"), never_expires, time));
  const auto found = m.find("key", time);
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST(found->data.bytes() == "data");
  BOOST_TEST((found->expiry == never_expires));
  BOOST_TEST((found->where == cache_kind::main));
  BOOST_TEST(!m.find("other", time));
}

BOOST_AUTO_TEST_CASE(a_small_value_is_copied_and_a_large_one_shared) {
  const manual_clock time;
  memory m{settings_of(100'000)};
  const auto small = data_of(entry::copied_bytes_max);
  const auto large = data_of(entry::copied_bytes_max + 1);
  m.put_main("small", small, never_expires, time);
  m.put_main("large", large, never_expires, time);
  BOOST_TEST(!m.find("small", time)->data.shares_bytes_with(small));
  BOOST_TEST((m.find("small", time)->data == small));
  BOOST_TEST(m.find("large", time)->data.shares_bytes_with(large));
  // Whoever asks twice gets the same bytes.
  BOOST_TEST(
    m.find("small", time)->data.shares_bytes_with(m.find("small", time)->data));
}

BOOST_AUTO_TEST_CASE(a_value_found_outlives_its_entry_and_the_shard) {
  const manual_clock time;
  std::vector<value> kept;
  {
    memory m{settings_of(100'000)};
    for (auto size : {1u, 1'000u, 10'000u}) {
      m.put_main("key", data_of(size), never_expires, time);
      kept.push_back(m.find("key", time)->data);
    }
    m.clear();
  }
  BOOST_TEST((kept[0] == data_of(1)));
  BOOST_TEST((kept[1] == data_of(1'000)));
  BOOST_TEST((kept[2] == data_of(10'000)));
}

BOOST_AUTO_TEST_CASE(who_visits_an_entry_sees_all_of_it) {
  const manual_clock time;
  memory m{settings_of(10'000)};
  const auto expiry = time.wall_now() + 1h;
  m.put_main("main", value::copy("data"), expiry, time);
  m.offer_hot("hot", value::copy("other"), never_expires, 1, time);
  int seen = 0;
  BOOST_TEST(
    m.visit(read_guard{}, m.hash_of("main"), "main", time, [&](const entry& x) {
      ++seen;
      BOOST_TEST(x.key() == "main");
      BOOST_TEST(x.data() == "data");
      BOOST_TEST((x.expiry() == expiry));
      BOOST_TEST(!x.is_hot());
    }));
  BOOST_TEST(
    m.visit(read_guard{}, m.hash_of("hot"), "hot", time, [&](const entry& x) {
      ++seen;
      BOOST_TEST(x.data() == "other");
      BOOST_TEST(x.is_hot());
    }));
  BOOST_TEST(!m.visit(read_guard{}, m.hash_of("no"), "no", time,
                      [&](const entry&) { ++seen; }));
  BOOST_TEST(seen == 2);
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
  m.put_main("main", value::copy("data"), expiry, time);
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
    m.put_main("m" + std::to_string(i), data_of(9), noon + (10 + i) * 1s, time);
    m.offer_hot("h" + std::to_string(i), data_of(9), noon + (5 + i) * 1s, 1,
                time);
  }
  m.put_main("for ever", data_of(9), never_expires, time);
  BOOST_TEST((m.next_expiry() == noon + 5s));
  time.advance(5s - 1ns);
  BOOST_TEST(m.sweep(time, 100) == 0u);
  time.advance(1s + 1ns);
  BOOST_TEST(m.sweep(time, 100) == 2u);
  BOOST_TEST((m.next_expiry() == noon + 7s));
  time.advance(1h);
  BOOST_TEST(m.sweep(time, 0) == 0u);
  BOOST_TEST(m.sweep(time, 2) == 2u);
  // Those that expired first went first.
  BOOST_TEST((m.next_expiry() == noon + 11s));
  BOOST_TEST(m.sweep(time, 100) == 2u);
  BOOST_TEST(!m.next_expiry());
  BOOST_TEST(m.stats().main.entries == 1u);
  BOOST_TEST(m.stats().hot.entries == 0u);
  // Making room is something else.
  BOOST_TEST(m.stats().main.evictions == 0u);
  BOOST_TEST(m.stats().hot.evictions == 0u);
}

BOOST_AUTO_TEST_CASE(a_replaced_entry_leaves_neither_bytes_nor_expiry_behind) {
  manual_clock time;
  memory m{settings_of(100'000)};
  const auto noon = time.wall_now();
  m.put_main("key", data_of(5'000), noon + 1h, time);
  m.put_main("key", data_of(1), noon + 2h, time);
  BOOST_TEST(m.stats().main.entries == 1u);
  BOOST_TEST(m.stats().main.bytes == weight("key", 1, noon + 2h));
  BOOST_TEST((m.next_expiry() == noon + 2h));
  m.put_main("key", data_of(1), never_expires, time);
  BOOST_TEST(!m.next_expiry());
  time.advance(100h);
  BOOST_TEST(m.sweep(time, 10) == 0u);
  BOOST_TEST(m.find("key", time).has_value());
  m.offer_hot("key", data_of(1), time.wall_now() + 1h, 1, time);
  BOOST_TEST((m.next_expiry() == time.wall_now() + 1h));
  BOOST_TEST(bytes_in(m) == hot_weight("key", 1, time.wall_now() + 1h));
}

BOOST_AUTO_TEST_CASE(a_clock_set_back_brings_back_who_was_not_swept_yet) {
  manual_clock time;
  memory m{settings_of(100'000)};
  const auto noon = time.wall_now();
  for (int i = 0; i < 4; ++i)
    m.put_main(std::to_string(i), data_of(9), noon + i * 1h + 1h, time);
  time.jump_wall(2h);
  BOOST_TEST(m.sweep(time, 1) == 1u);
  BOOST_TEST(!m.find("1", time));
  time.jump_wall(-10h);
  BOOST_TEST(m.sweep(time, 100) == 0u);
  BOOST_TEST(!m.find("0", time));
  BOOST_TEST(m.find("1", time).has_value());
  // What is put now expires first, although it came last.
  m.put_main("new", data_of(9), time.wall_now() + 1h, time);
  BOOST_TEST((m.next_expiry() == noon - 7h));
  time.jump_wall(10h);
  BOOST_TEST(m.sweep(time, 100) == 2u);
  BOOST_TEST(m.stats().main.entries == 2u);
  BOOST_TEST(m.accounts_exactly());
}

BOOST_AUTO_TEST_CASE(a_million_entries_that_expire_at_once_are_swept_in_steps) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr std::size_t entries = 50'000;
#else
  constexpr std::size_t entries = 1'000'000;
#endif
  constexpr std::size_t step = 4'096;
  manual_clock time;
  memory m{settings_of(256 << 20)};
  const auto expiry = time.wall_now() + 1h;
  for (std::size_t i = 0; i < entries; ++i)
    m.put_main(std::to_string(i), value{}, expiry, time);
  BOOST_TEST(m.stats().main.entries == entries);
  time.advance(1h - 1ns);
  BOOST_TEST(m.sweep(time, step) == 0u);
  time.advance(1ns);
  for (auto left = entries; left > 0;) {
    const auto removed = m.sweep(time, step);
    BOOST_TEST_REQUIRE(removed == std::min(step, left));
    left -= removed;
    BOOST_TEST_REQUIRE(m.stats().main.entries == left);
    // Nobody reads, so nothing is kept for readers.
    BOOST_TEST_REQUIRE(m.stats().retired_bytes < 1'000'000u);
  }
  BOOST_TEST(m.sweep(time, step) == 0u);
  BOOST_TEST(total_in(m) == 0u);
  BOOST_TEST(m.stats().main.evictions == 0u);
}

BOOST_AUTO_TEST_CASE(who_has_expired_makes_room_before_who_lives) {
  manual_clock time;
  memory m{settings_of(20 * weight("00", 1'000) + table_of(20))};
  const auto noon = time.wall_now();
  for (int i = 10; i < 20; ++i)
    m.put_main(std::to_string(i), data_of(1'000), never_expires, time);
  for (int i = 20; i < 28; ++i)
    m.put_main(std::to_string(i), data_of(1'000), noon + 1h, time);
  time.advance(1h);
  BOOST_TEST(m.stats().main.evictions == 0u);
  for (int i = 30; i < 38; ++i)
    BOOST_TEST(
      m.put_main(std::to_string(i), data_of(1'000), never_expires, time));
  BOOST_TEST(m.stats().main.evictions == 0u);
  for (int i = 10; i < 20; ++i)
    BOOST_TEST(m.find(std::to_string(i), time).has_value());
}

BOOST_AUTO_TEST_CASE(no_capacity_means_no_caching) {
  const manual_clock time;
  memory m{settings_of(0)};
  BOOST_TEST(!m.put_main("", value{}, never_expires, time));
  BOOST_TEST(!m.put_main("key", data_of(10), never_expires, time));
  BOOST_TEST(!m.offer_hot("key", data_of(10), never_expires, 1, time));
  BOOST_TEST(!m.find("key", time));
  BOOST_TEST(bytes_in(m) == 0u);
}

BOOST_AUTO_TEST_CASE(an_entry_as_large_as_the_shard_fits) {
  const manual_clock time;
  const auto capacity = weight("key", 1'000) + table_of(1);
  memory m{settings_of(capacity)};
  BOOST_TEST(m.put_main("key", data_of(1'000), never_expires, time));
  BOOST_TEST(total_in(m) == capacity);
  // One larger than the shard is none of its business.
  BOOST_TEST(!m.put_main("more", data_of(2'000), never_expires, time));
  BOOST_TEST(m.find("key", time).has_value());
}

BOOST_AUTO_TEST_CASE(an_entry_that_leaves_no_room_for_the_table_does_not_fit) {
  const manual_clock time;
  for (auto less : {1u, 100u})
    for (auto size : {0u, 100u, 10'000u}) {
      memory m{settings_of(weight("key", size) + table_of(1) - less)};
      BOOST_TEST(!m.put_main("key", data_of(size), never_expires, time));
      BOOST_TEST(!m.find("key", time));
      BOOST_TEST(!m.offer_hot("key", data_of(size), never_expires, 1, time));
      BOOST_TEST(bytes_in(m) == 0u);
      // But for a few bytes that remember them.
      BOOST_TEST(total_in(m) <= 100u);
    }
}

BOOST_AUTO_TEST_CASE(the_smallest_shards_go_on_caching) {
  const manual_clock time;
  for (std::size_t size : {1u, 50u, 300u, 900u}) {
    // Room for one entry and its table, and no byte more.
    memory m{settings_of(weight("0000", size) + table_of(1))};
    for (int i = 0; i < 1'000; ++i) {
      const auto key = std::to_string(1'000 + i);
      BOOST_REQUIRE(m.put_main(key, data_of(size), never_expires, time));
      BOOST_REQUIRE(m.find(key, time).has_value());
      BOOST_REQUIRE(total_in(m) == weight(key, size) + table_of(1));
    }
    BOOST_TEST(m.stats().main.evictions == 999u);
  }
}

BOOST_AUTO_TEST_CASE(a_value_that_cannot_stay_drives_nobody_out) {
  const manual_clock time;
  constexpr std::size_t capacity = 1 << 20;
  memory m{settings_of(capacity)};
  for (int i = 0; i < 5'000; ++i)
    m.put_main(std::to_string(i), data_of(10), never_expires, time);
  const auto before = m.stats().main.entries;
  BOOST_TEST(before == 5'000u);
  // It is no larger than the shard, but the table is there, too.
  const auto size = capacity - m.stats().overhead_bytes;
  BOOST_REQUIRE(weight("large", size) <= capacity);
  BOOST_TEST(!m.put_main("large", data_of(size), never_expires, time));
  BOOST_TEST(m.stats().main.entries == before);
  BOOST_TEST(m.stats().main.evictions == 0u);
}

BOOST_AUTO_TEST_CASE(a_byte_and_64_mib_go_together) {
  const manual_clock time;
  memory m{settings_of(100 << 20)};
  const auto huge = data_of(64 << 20);
  for (int i = 0; i < 100; ++i)
    BOOST_TEST(m.put_main(std::to_string(i), data_of(1), never_expires, time));
  BOOST_TEST(m.put_main("huge", huge, never_expires, time));
  BOOST_TEST(m.find("huge", time)->data.shares_bytes_with(huge));
  BOOST_TEST(m.stats().main.bytes
             == 90 * weight("00", 1) + 10 * weight("0", 1)
                  + weight("huge", 64 << 20));
  // There is no room for two of them.
  BOOST_TEST(m.put_main("other", huge, never_expires, time));
  BOOST_TEST(!m.find("huge", time));
  BOOST_TEST(m.find("other", time).has_value());
  BOOST_TEST(m.put_main("other", data_of(1), never_expires, time));
  BOOST_TEST(m.accounts_exactly());
  BOOST_TEST(bytes_in(m) < 10'000u);
}

BOOST_AUTO_TEST_CASE(a_value_too_large_removes_the_old_one_of_its_key) {
  const manual_clock time;
  memory m{settings_of(1'000)};
  const auto large = data_of(1'000);
  m.put_main("main", data_of(1), never_expires, time);
  BOOST_TEST(!m.put_main("main", large, never_expires, time));
  BOOST_TEST(!m.find("main", time));
  m.offer_hot("hot", data_of(1), never_expires, 1, time);
  BOOST_TEST(!m.offer_hot("hot", large, never_expires, 1, time));
  BOOST_TEST(!m.find("hot", time));
  m.offer_hot("hot", data_of(1), never_expires, 1, time);
  BOOST_TEST(!m.put_main("hot", large, never_expires, time));
  BOOST_TEST(!m.find("hot", time));
  BOOST_TEST(bytes_in(m) == 0u);
}

BOOST_AUTO_TEST_CASE(a_key_lives_in_one_cache_only) {
  const manual_clock time;
  memory m{settings_of(10'000)};
  m.put_main("key", value::copy("1"), never_expires, time);
  m.offer_hot("key", value::copy("2"), never_expires, 1, time);
  BOOST_TEST(m.find("key", time)->data.bytes() == "2");
  BOOST_TEST(m.stats().main.entries == 0u);
  BOOST_TEST(m.stats().main.bytes == 0u);
  m.put_main("key", value::copy("3"), never_expires, time);
  BOOST_TEST(m.find("key", time)->data.bytes() == "3");
  BOOST_TEST(m.stats().hot.entries == 0u);
  BOOST_TEST(m.stats().hot.bytes == 0u);
}

BOOST_AUTO_TEST_CASE(who_was_read_twice_stays_and_who_was_not_makes_room) {
  const manual_clock time;
  memory m{settings_of(10 * weight("00", 1'000) + table_of(11) + 100)};
  for (int i = 10; i < 20; ++i)
    m.put_main(std::to_string(i), data_of(1'000), never_expires, time);
  BOOST_TEST(m.stats().main.evictions == 0u);
  for (int i = 0; i < 2; ++i) {
    m.find("10", time);
    m.find("12", time);
  }
  m.find("11", time);
  for (int i = 20; i < 28; ++i)
    m.put_main(std::to_string(i), data_of(1'000), never_expires, time);
  BOOST_TEST(m.stats().main.evictions == 8u);
  for (const auto* key : {"10", "12"})
    BOOST_TEST(m.find(key, time).has_value());
  for (int i : {11, 13, 14, 15})
    BOOST_TEST(!m.find(std::to_string(i), time));
}

BOOST_AUTO_TEST_CASE(the_hot_cache_gives_way_down_to_its_share) {
  for (std::size_t ratio : {1u, 2u, 8u})
    BOOST_TEST_CONTEXT("ratio " << ratio) {
      const manual_clock time;
      const auto each = hot_weight("m1000", 10);
      const auto capacity = 200 * each;
      auto s = settings_of(capacity);
      s.hot_ratio = ratio;
      memory m{s};
      // Alone, it may fill the shard.
      for (int i = 0; i < 300; ++i)
        BOOST_TEST(m.offer_hot("h" + std::to_string(1'000 + i), data_of(10),
                               never_expires, 1, time));
      BOOST_TEST(total_in(m) + 2 * each > capacity);
      BOOST_TEST(m.stats().hot.evictions == 300 - m.stats().hot.entries);
      for (int i = 0; i < 600; ++i)
        BOOST_TEST(m.put_main("m" + std::to_string(1'000 + i), data_of(10),
                              never_expires, time));
      const auto held = m.stats();
      BOOST_TEST(total_in(m) <= capacity);
      BOOST_TEST(total_in(m) + 2 * each > capacity);
      // An eviction from the main cache makes the share smaller.
      BOOST_TEST(held.hot.bytes <= held.main.bytes / ratio + each);
      // Not below it: the main cache gave way, too.
      BOOST_TEST(held.hot.bytes + 2 * each > held.main.bytes / ratio);
      BOOST_TEST(held.main.evictions > 0u);
      // And there it stays while both grow.
      for (int i = 0; i < 600; ++i) {
        m.offer_hot("h" + std::to_string(1'000 + i), data_of(10), never_expires,
                    1, time);
        m.put_main("m" + std::to_string(1'000 + i), data_of(10), never_expires,
                   time);
      }
      const auto then = m.stats();
      BOOST_TEST(total_in(m) <= capacity);
      BOOST_TEST(total_in(m) + 2 * each > capacity);
      BOOST_TEST(then.hot.bytes <= then.main.bytes / ratio + each);
      BOOST_TEST(then.hot.bytes + 2 * each > then.main.bytes / ratio);
    }
}

BOOST_AUTO_TEST_CASE(a_promise_of_storage_is_kept) {
  const manual_clock time;
  const auto capacity = weight("main", 700) + hot_weight("hot", 40)
                        + table_of(2) + 64; // to remember who left
  memory m{settings_of(capacity)};
  // An entry beyond the hot cache's share evicts itself when memory is full.
  BOOST_TEST(m.put_main("main", data_of(700), never_expires, time));
  BOOST_TEST(!m.offer_hot("hot", data_of(200), never_expires, 1, time));
  BOOST_TEST(!m.find("hot", time));
  BOOST_TEST(m.find("main", time).has_value());
  BOOST_TEST(m.offer_hot("hot", data_of(40), never_expires, 1, time));
  BOOST_TEST(m.find("hot", time).has_value());
  // So does one of the main cache that the hot one's share leaves no room.
  for (auto size : {600u, 700u, 740u, 800u}) {
    const auto stored = m.put_main("huge", data_of(size), never_expires, time);
    BOOST_TEST(m.find("huge", time).has_value() == stored);
    BOOST_TEST(total_in(m) <= capacity);
  }
}

BOOST_AUTO_TEST_CASE(who_comes_back_soon_is_kept) {
  const manual_clock time;
  memory m{settings_of(100'000)};
  const auto flood = [&](int from, int to) {
    for (int i = from; i < to; ++i)
      m.put_main(std::to_string(i), data_of(100), never_expires, time);
  };
  m.put_main("key", data_of(100), never_expires, time);
  flood(10'000, 10'800);
  BOOST_TEST(!m.find("key", time));
  m.put_main("key", data_of(100), never_expires, time);
  flood(20'000, 25'000);
  BOOST_TEST(m.find("key", time).has_value());
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
  BOOST_TEST(p->last.hot.bytes == 2 * hot_weight("a", 10));
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
  memory m{settings_of(2 * hot_weight("a", 1'000) + table_of(2) + 100, p)};
  m.offer_hot("a", data_of(1'000), never_expires, 50, time);
  BOOST_TEST(m.find("a", time).has_value());
  m.offer_hot("b", data_of(1'000), never_expires, 1, time);
  m.offer_hot("c", data_of(1'000), never_expires, 1, time);
  BOOST_TEST(!m.find("a", time));
  BOOST_TEST(m.stats().hot.evictions == 1u);
  p->answer = false;
  m.offer_hot("a", data_of(1'000), never_expires, 1, time);
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
    m.put_main("main", data_of(1), never_expires, time);
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
  m.put_main("main", data_of(1), never_expires, time);
  BOOST_TEST(m.offer_hot("key", data_of(1), never_expires, 1, time));
  BOOST_TEST(!m.offer_hot("key", data_of(1), never_expires, 1, time));
}

BOOST_AUTO_TEST_CASE(clearing_forgets_all_but_the_evictions) {
  const manual_clock time;
  memory m{settings_of(2 * weight("a", 1'000) + table_of(2) + 100)};
  for (const auto* key : {"a", "b", "c"})
    m.put_main(key, data_of(1'000), time.wall_now() + 1h, time);
  m.offer_hot("d", data_of(10), never_expires, 1, time);
  m.clear();
  const auto held = m.stats();
  BOOST_TEST(total_in(m) == 0u);
  BOOST_TEST(held.retired_bytes == 0u);
  BOOST_TEST(held.main.entries == 0u);
  BOOST_TEST(held.hot.entries == 0u);
  BOOST_TEST(held.candidates == 0u);
  BOOST_TEST(held.main.evictions >= 1u);
  BOOST_TEST(!m.next_expiry());
  BOOST_TEST(!m.find("c", time));
  BOOST_TEST(m.put_main("a", data_of(10), never_expires, time));
}

BOOST_AUTO_TEST_CASE(sweeping_never_goes_over_the_capacity) {
  manual_clock time;
  memory m{settings_of(100'000)};
  // One in the main queue, which is remembered when it goes.
  const auto expiry = time.wall_now() + 1h;
  m.put_main("key", data_of(10), expiry, time);
  m.find("key", time);
  m.find("key", time);
  for (int i = 0; i < 12; ++i)
    m.put_main(std::to_string(i), data_of(9'000), expiry - 1min, time);
  BOOST_TEST(m.stats().main.evictions > 0u);
  BOOST_TEST(m.find("key", time).has_value());
  time.advance(59min);
  m.sweep(time, 100);
  BOOST_TEST(m.stats().main.entries == 1u);
  // As many as there is room for, so that there is more to remember.
  for (int i = 10'000; m.stats().main.evictions < 20; ++i) {
    const auto free = 100'000 - total_in(m);
    if (free < 2 * weight("00000", 10))
      break;
    m.put_main(std::to_string(i), data_of(10), never_expires, time);
  }
  time.advance(1min);
  BOOST_TEST(m.sweep(time, 100) == 1u);
  BOOST_TEST(total_in(m) <= 100'000u);
}

BOOST_AUTO_TEST_CASE(no_sequence_of_changes_breaks_the_budget) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      random_source random{seed};
      manual_clock time;
      // Less than an entry, a few, or some hundred.
      const std::uint64_t scales[] = {500, 6'000, 60'000};
      const auto capacity = random.below(scales[seed % 3]);
      auto s = settings_of(capacity, make_promoter([&](auto, auto&, auto&) {
                             return random.below(3) != 0;
                           }));
      s.hot_ratio = 1 + random.below(10);
      s.candidates_max = random.below(20);
      s.hash_seed = seed;
      memory m{s};
      struct newest {
        std::string data;
        wall_time expiry;
      };
      std::map<std::string, newest> last; // what each key was last given
      std::uint64_t evictions = 0;
      const auto keys = 10 + capacity / 60;
      for (int i = 0; i < 1'500; ++i) {
        const auto key = std::to_string(random.below(keys));
        const std::string data(random.below(
                                 random.below(10) == 0 ? capacity + 100 : 90),
                               static_cast<char>('a' + i % 26));
        const auto expiry = random.below(2) == 0
                              ? never_expires
                              : time.wall_now()
                                  + std::chrono::milliseconds{random.below(99)};
        switch (random.below(6)) {
          case 0:
          case 1: {
            const auto stored = m.put_main(key, value::copy(data), expiry,
                                           time);
            last[key] = {data, expiry};
            const auto found = m.find(key, time);
            // One expired already may have left at once, and that is as well.
            BOOST_TEST_REQUIRE(
              found.has_value()
              == (stored && !expired(expiry, time.wall_now())));
            if (found)
              BOOST_TEST_REQUIRE((found->where == cache_kind::main));
            break;
          }
          case 2:
          case 3: {
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
          case 4:
            if (random.below(50) == 0)
              time.jump_wall(std::chrono::milliseconds{random.below(100)}
                             - 50ms);
            else
              time.advance(std::chrono::milliseconds{random.below(3)});
            m.sweep(time, random.below(5));
            break;
          default:
            if (random.below(200) == 0)
              m.clear();
        }
        const auto held = m.stats();
        BOOST_TEST_REQUIRE(
          held.main.bytes + held.hot.bytes + held.overhead_bytes <= capacity);
        BOOST_TEST_REQUIRE(held.candidates <= s.candidates_max);
        BOOST_TEST_REQUIRE(m.accounts_exactly());
        const auto evicted = held.main.evictions + held.hot.evictions;
        // Nobody who lives leaves before somebody who does not.
        if (evicted != std::exchange(evictions, evicted))
          BOOST_TEST_REQUIRE(m.sweep(time, 1'000) == 0u);
        if (random.below(10) != 0)
          continue;
        // Whoever is found is as it was last put, and is accounted exactly.
        m.sweep(time, 1'000);
        std::size_t main = 0;
        std::size_t hot = 0;
        std::size_t entries = 0;
        std::optional<wall_time> earliest;
        for (const auto& [name, expected] : last) {
          const auto found = m.find(name, time);
          if (!found)
            continue;
          ++entries;
          BOOST_TEST_REQUIRE(found->data.bytes() == expected.data);
          BOOST_TEST_REQUIRE((found->expiry == expected.expiry));
          const auto size = expected.data.size();
          if (found->where == cache_kind::main)
            main += weight(name, size, expected.expiry);
          else
            hot += hot_weight(name, size, expected.expiry);
          if (expected.expiry != never_expires)
            earliest = std::min(earliest.value_or(expected.expiry),
                                expected.expiry);
        }
        BOOST_TEST_REQUIRE(m.stats().main.bytes == main);
        BOOST_TEST_REQUIRE(m.stats().hot.bytes == hot);
        BOOST_TEST_REQUIRE(m.stats().main.entries + m.stats().hot.entries
                           == entries);
        BOOST_TEST_REQUIRE((m.next_expiry() == earliest));
      }
    }
}

BOOST_AUTO_TEST_CASE(large_values_that_left_are_given_back_at_once) {
  const manual_clock time;
  memory m{settings_of(16 << 20)};
  for (int i = 0; i < 100; ++i) {
    m.put_main("key", data_of(400'000), never_expires, time);
    // Half of a sixteenth of the capacity.
    BOOST_TEST_REQUIRE(m.stats().retired_bytes <= (16u << 20) / 32);
  }
}

BOOST_AUTO_TEST_CASE(memory_that_left_is_bounded_while_somebody_reads) {
  constexpr std::size_t capacity = 1 << 20;
  const manual_clock time;
  memory m{settings_of(capacity)};
  int refused = 0;
  {
    const read_guard reading;
    for (int i = 0; i < 20'000; ++i)
      refused += m.put_main(std::to_string(i % 100), data_of(1'000),
                            never_expires, time)
                   ? 0
                   : 1;
    BOOST_TEST(refused > 0);
    // A part of the capacity, or 256 KiB if that is more; and what one put or
    // sweep can free at most.
    BOOST_TEST(m.stats().retired_bytes <= 256 * 1'024 + capacity);
    BOOST_TEST(total_in(m) <= capacity);
    BOOST_TEST(m.accounts_exactly());
  }
  BOOST_TEST(m.put_main("key", data_of(1), never_expires, time));
  BOOST_TEST(m.find("key", time).has_value());
  m.clear();
  BOOST_TEST(m.stats().retired_bytes == 0u);
}

BOOST_AUTO_TEST_CASE(no_memory_is_bound_to_the_sizes_of_before) {
  constexpr std::size_t capacity = 24 << 20;
  const manual_clock time;
  memory m{settings_of(capacity)};
  const auto data_for = [](int i, std::size_t size) {
    return value::copy(std::string(size, static_cast<char>('a' + i % 26)));
  };
  int number = 0;
  std::vector<std::size_t> sizes;
  for (auto size : {100u, 900u, 40u, 500u, 1'000u, 100u}) {
    // Three times what there is room for.
    for (std::size_t bytes = 0; bytes < 3 * capacity; ++number) {
      const auto key = std::to_string(number);
      m.put_main(key, data_for(number, size), never_expires, time);
      sizes.push_back(size);
      bytes += weight(key, size);
      if (number % 1'000 == 0)
        BOOST_TEST_REQUIRE(total_in(m) <= capacity);
    }
    const auto held = m.stats();
    BOOST_TEST(m.accounts_exactly());
    BOOST_TEST(held.main.bytes + held.overhead_bytes >= capacity / 100 * 99);
    BOOST_TEST(held.main.bytes >= capacity / 4 * 3);
    BOOST_TEST(held.unused_bytes <= capacity / 8 + (4 << 20));
    std::uint64_t there = 0;
    for (int i = 0; i < number; ++i)
      if (const auto found = m.find(std::to_string(i), time)) {
        BOOST_TEST_REQUIRE(
          (found->data == data_for(i, sizes[static_cast<std::size_t>(i)])));
        ++there;
      }
    BOOST_TEST(there == held.main.entries);
  }
}

BOOST_AUTO_TEST_CASE(memory_of_who_expired_is_given_back) {
  manual_clock time;
  memory m{settings_of(100 << 20)};
  const auto noon = time.wall_now() + 1h;
  for (int i = 0; i < 200'000; ++i)
    m.put_main(std::to_string(i), data_of(100),
               i % 10 == 0 ? never_expires : noon, time);
  time.advance(2h);
  while (m.sweep(time, 1'000) > 0)
    ;
  // What is left moves with the changes that follow.
  for (int i = 0; i < 20'000; ++i)
    m.put_main("another", data_of(10), never_expires, time);
  const auto held = m.stats();
  BOOST_TEST(held.main.entries == 20'001u);
  BOOST_TEST(held.unused_bytes <= 4u << 20);
  for (int i = 0; i < 200'000; i += 10)
    BOOST_TEST_REQUIRE(m.find(std::to_string(i), time).has_value());
}

BOOST_AUTO_TEST_CASE(an_entry_is_the_same_after_it_moved) {
  manual_clock time;
  auto settings = settings_of(64 << 20);
  settings.candidates_max = 4;
  memory m{settings};
  const auto noon = time.wall_now() + 1h;
  const auto large = data_of(5'000);
  const auto key_of = [](int i) { return "key " + std::to_string(i); };
  const auto where = [&](int i) {
    const void* result = nullptr;
    m.visit(read_guard{}, m.hash_of(key_of(i)), key_of(i), time,
            [&](const entry& x) { result = &x; });
    return result;
  };
  constexpr int first = 1'000;
  const auto put = [&](int i) {
    const auto& data = i % 5 == 0 && i < first ? large : data_of(60);
    const auto expiry = i % 2 == 0 ? noon : never_expires;
    if (i % 3 == 0)
      m.offer_hot(key_of(i), data, expiry, 1, time);
    else
      m.put_main(key_of(i), data, expiry, time);
  };
  for (int i = 0; i < first; ++i)
    put(i);
  std::vector<const void*> before;
  for (int i = 0; i < first; ++i)
    before.push_back(where(i));
  // By now the memory they were in is given up for huge pages.
  for (int i = first; i < 150'000; ++i)
    put(i);
  int moved = 0;
  key_stats rate{mono_time{}};
  for (int i = 0; i < first; ++i) {
    moved += where(i) != before[static_cast<std::size_t>(i)];
    const auto found = m.visit(
      read_guard{}, m.hash_of(key_of(i)), key_of(i), time, [&](const entry& x) {
        BOOST_TEST_REQUIRE(x.key() == key_of(i));
        BOOST_TEST_REQUIRE(x.data().size() == (i % 5 == 0 ? 5'000u : 60u));
        BOOST_TEST_REQUIRE((x.expiry() == (i % 2 == 0 ? noon : never_expires)));
        BOOST_TEST_REQUIRE(x.is_hot() == (i % 3 == 0));
        // The get it came with, and three looks.
        if (x.is_hot())
          BOOST_TEST_REQUIRE(x.rate(time.now()).hits() == 4u);
      });
    BOOST_TEST_REQUIRE(found);
  }
  BOOST_TEST(moved == first);
  BOOST_TEST(m.accounts_exactly());
  // They expire as before.
  time.advance(2h);
  while (m.sweep(time, 10'000) > 0)
    ;
  for (int i = 0; i < first; ++i)
    BOOST_TEST_REQUIRE(m.find(key_of(i), time).has_value() == (i % 2 != 0));
  BOOST_TEST(!m.next_expiry());
}

BOOST_AUTO_TEST_CASE(
  memory_moved_out_of_is_given_back_though_nothing_else_leaves) {
  const manual_clock time;
  memory m{settings_of(64 << 20)};
  const auto mapped = [&m] {
    const auto held = m.stats();
    return held.main.bytes + held.retired_bytes + held.unused_bytes;
  };
  auto given_back = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto before = mapped();
    m.put_main(std::to_string(i), data_of(60), never_expires, time);
    given_back += mapped() + (1 << 20) < before;
  }
  BOOST_TEST(m.stats().main.entries == 100'000u);
  // The first, for the huge pages of others.
  BOOST_TEST(given_back == 1);
}

BOOST_AUTO_TEST_CASE(who_moved_leaves_in_its_turn) {
  const manual_clock time;
  memory m{settings_of(16 << 20)};
  const auto put = [&](int i) {
    m.put_main(std::to_string(1'000'000 + i), data_of(60), never_expires, time);
  };
  const auto is_there = [&](int i) {
    return m.find(std::to_string(1'000'000 + i), time).has_value();
  };
  int n = 0;
  while (m.stats().main.evictions < 3'000)
    put(n++);
  // The first were moved when there was much room yet.
  for (int i = 0; i < n; ++i)
    BOOST_TEST_REQUIRE(is_there(i) == (i >= 3'000));
}

BOOST_AUTO_TEST_CASE(moving_ends_though_much_is_kept) {
  const manual_clock time;
  memory m{settings_of(24 << 20)};
  std::vector<value> kept;
  for (int i = 0; i < 300'000; ++i) {
    const auto key = std::to_string(i);
    m.put_main(key, data_of(i % 2 == 0 ? 200 : 40), never_expires, time);
    if (i % 100 == 0)
      kept.push_back(m.find(key, time)->data);
  }
  const auto where = [&] {
    std::vector<const void*> result;
    for (int i = 0; i < 300'000; ++i)
      m.visit(read_guard{}, m.hash_of(std::to_string(i)), std::to_string(i),
              time, [&](const entry& x) { result.push_back(&x); });
    return result;
  };
  const auto change = [&](int changes) {
    for (int i = 0; i < changes; ++i)
      m.put_main("again", data_of(100), never_expires, time);
  };
  change(100'000);
  const auto before = where();
  change(20'000);
  BOOST_TEST(before.size() > 50'000u);
  BOOST_TEST((where() == before));
}

BOOST_AUTO_TEST_CASE(a_cache_of_which_much_is_kept_goes_on_caching) {
  constexpr std::size_t capacity = 4 << 20;
  const manual_clock time;
  memory m{settings_of(capacity)};
  std::vector<value> kept;
  for (int i = 0; i < 400'000; ++i) {
    const auto key = std::to_string(i);
    m.put_main(key, data_of(i < 200'000 ? 60 : 1'000), never_expires, time);
    if (i % 2 == 0)
      kept.push_back(m.find(key, time)->data);
    if (i % 1'000 == 0)
      BOOST_TEST_REQUIRE(total_in(m) <= capacity);
  }
  BOOST_TEST(bytes_in(m) >= capacity / 3 * 2);
  m.clear();
  for (const auto& x : kept)
    BOOST_TEST_REQUIRE(x.bytes().find_first_not_of('x') == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
