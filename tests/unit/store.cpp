#include "galaxycache/runtime/store.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <list>
#include <memory>
#include <string>
#include <string_view>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

using store_pointer = std::unique_ptr<galaxycache::store>;

constexpr mono_time start{1'000h};
constexpr wall_time noon{1'000'000h};

store::entry entry_of(std::string_view data, wall_time expiry = never_expires) {
  return {value::copy(data), expiry, key_stats{start}};
}

// A store as one would first write it: slow, and plainly right.
class model {
public:
  struct entry {
    std::string key;
    std::string data;
    wall_time expiry;
  };

  std::list<entry>::iterator find(std::string_view key) {
    return std::find_if(entries.begin(), entries.end(),
                        [&](const entry& x) { return x.key == key; });
  }

  bool erase(std::string_view key) {
    auto at = find(key);
    if (at == entries.end())
      return false;
    entries.erase(at);
    return true;
  }

  std::size_t bytes(const galaxycache::store& by) const {
    std::size_t result = 0;
    for (const auto& x : entries)
      result += by.weight(x.key, value::copy(x.data));
    return result;
  }

  std::optional<wall_time> next_expiry() const {
    std::optional<wall_time> result;
    for (const auto& x : entries)
      if (x.expiry != never_expires)
        result = std::min(result.value_or(x.expiry), x.expiry);
    return result;
  }

  std::list<entry> entries; // most recently used first
};

} // namespace

BOOST_AUTO_TEST_SUITE(store)

BOOST_AUTO_TEST_CASE(an_empty_store_holds_nothing) {
  auto s = make_lru_store();
  BOOST_TEST(s->bytes() == 0u);
  BOOST_TEST(s->entries() == 0u);
  BOOST_TEST(s->find("key") == nullptr);
  BOOST_TEST(s->victim() == nullptr);
  BOOST_TEST(!s->evict());
  BOOST_TEST(!s->erase("key"));
  BOOST_TEST(!s->next_expiry());
  BOOST_TEST(s->sweep(noon, 10) == 0u);
}

BOOST_AUTO_TEST_CASE(an_entry_comes_back_as_it_was_put) {
  auto s = make_lru_store();
  const auto data = value::copy("data");
  key_stats stats{start};
  stats.touch(start, 1min, 7);
  s->put("key", {data, noon, stats});
  auto* found = s->find("key");
  BOOST_TEST_REQUIRE(found != nullptr);
  BOOST_TEST(found->data.shares_bytes_with(data));
  BOOST_TEST((found->expiry == noon));
  BOOST_TEST(found->stats.hits() == 7u);
  BOOST_TEST(s->find("ke") == nullptr);
  BOOST_TEST(s->find("key ") == nullptr);
}

BOOST_AUTO_TEST_CASE(any_bytes_are_a_key) {
  auto s = make_lru_store();
  const std::string zeros(3, '\0');
  s->put("", entry_of("empty"));
  s->put(zeros, entry_of("zeros"));
  s->put(std::string(64 * 1024, 'k'), entry_of("long"));
  BOOST_TEST(s->find("")->data.bytes() == "empty");
  BOOST_TEST(s->find(zeros)->data.bytes() == "zeros");
  BOOST_TEST(s->find(std::string(64 * 1024, 'k'))->data.bytes() == "long");
  BOOST_TEST(s->find(std::string(2, '\0')) == nullptr);
}

BOOST_AUTO_TEST_CASE(the_store_keeps_its_own_copy_of_the_key) {
  auto s = make_lru_store();
  std::string key = "a key of more than a few characters";
  s->put(key, entry_of("data"));
  key.assign(key.size(), 'x');
  BOOST_TEST(s->find("a key of more than a few characters") != nullptr);
  BOOST_TEST(s->find(key) == nullptr);
}

BOOST_AUTO_TEST_CASE(an_entry_weighs_its_key_its_value_and_an_overhead) {
  auto s = make_lru_store();
  const auto overhead = s->weight("", value{});
  BOOST_TEST(overhead > 0u);
  BOOST_TEST(s->weight("key", value{}) == overhead + 3);
  BOOST_TEST(s->weight("key", value::copy("data")) == overhead + 7);
  s->put("key", entry_of("data"));
  BOOST_TEST(s->bytes() == overhead + 7);
  s->put("", entry_of(""));
  BOOST_TEST(s->bytes() == 2 * overhead + 7);
}

BOOST_AUTO_TEST_CASE(a_replaced_entry_leaves_no_bytes_behind) {
  auto s = make_lru_store();
  s->put("key", entry_of(std::string(1'000, 'x')));
  s->put("key", entry_of("short"));
  BOOST_TEST(s->bytes() == s->weight("key", value::copy("short")));
  BOOST_TEST(s->entries() == 1u);
  BOOST_TEST(s->find("key")->data.bytes() == "short");
  BOOST_TEST(s->erase("key"));
  BOOST_TEST(s->bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(a_replaced_entry_leaves_no_expiry_behind) {
  auto s = make_lru_store();
  s->put("key", entry_of("old", noon));
  s->put("key", entry_of("new", noon + 1h));
  BOOST_TEST((s->next_expiry() == noon + 1h));
  BOOST_TEST(s->sweep(noon + 1min, 10) == 0u);
  s->put("key", entry_of("newest"));
  BOOST_TEST(!s->next_expiry());
  BOOST_TEST(s->sweep(wall_time::max(), 10) == 0u);
  BOOST_TEST(s->find("key")->data.bytes() == "newest");
  s->put("key", entry_of("limited again", noon));
  BOOST_TEST((s->next_expiry() == noon));
}

BOOST_AUTO_TEST_CASE(a_replaced_value_is_released) {
  auto s = make_lru_store();
  const auto data = value::copy("data");
  s->put("key", {data, never_expires, key_stats{start}});
  const auto* kept = s->find("key");
  BOOST_TEST(kept->data.shares_bytes_with(data));
  s->put("key", entry_of("data"));
  BOOST_TEST(!s->find("key")->data.shares_bytes_with(data));
}

BOOST_AUTO_TEST_CASE(the_least_recently_used_entry_leaves_first) {
  auto s = make_lru_store();
  for (const auto* key : {"a", "b", "c", "d"})
    s->put(key, entry_of(key));
  s->find("a");
  s->put("b", entry_of("b"));
  std::string order;
  while (s->victim() != nullptr) {
    const std::string expected{s->victim()->data.bytes()};
    const auto out = s->evict();
    BOOST_TEST_REQUIRE(out.has_value());
    BOOST_TEST(out->key == expected);
    order += out->key;
  }
  BOOST_TEST(order == "cdab");
  BOOST_TEST(s->bytes() == 0u);
  BOOST_TEST(s->entries() == 0u);
}

BOOST_AUTO_TEST_CASE(looking_for_the_victim_does_not_save_it) {
  auto s = make_lru_store();
  s->put("a", entry_of("a"));
  s->put("b", entry_of("b"));
  s->victim();
  s->find("nobody");
  BOOST_TEST(s->evict()->key == "a");
}

BOOST_AUTO_TEST_CASE(who_is_evicted_takes_its_statistics_along) {
  auto s = make_lru_store();
  s->put("a", entry_of("a"));
  s->find("a")->stats.touch(start, 1min, 3);
  BOOST_TEST(s->evict()->stats.hits() == 3u);
}

BOOST_AUTO_TEST_CASE(an_expired_entry_is_there_until_it_is_swept) {
  auto s = make_lru_store();
  s->put("key", entry_of("data", noon));
  BOOST_TEST(s->sweep(noon - 1ns, 10) == 0u);
  BOOST_TEST(s->find("key") != nullptr);
  BOOST_TEST(s->sweep(noon, 10) == 1u);
  BOOST_TEST(s->find("key") == nullptr);
  BOOST_TEST(s->bytes() == 0u);
  BOOST_TEST(!s->next_expiry());
}

BOOST_AUTO_TEST_CASE(a_sweep_has_a_limit) {
  auto s = make_lru_store();
  for (int i = 0; i < 10; ++i)
    s->put(std::to_string(i), entry_of("data", noon + i * 1s));
  s->put("for ever", entry_of("data"));
  BOOST_TEST(s->sweep(noon + 1h, 0) == 0u);
  BOOST_TEST(s->sweep(noon + 1h, 4) == 4u);
  // Those that expired first went first.
  BOOST_TEST((s->next_expiry() == noon + 4s));
  BOOST_TEST(s->sweep(noon + 1h, 100) == 6u);
  BOOST_TEST(s->entries() == 1u);
}

BOOST_AUTO_TEST_CASE(the_store_does_what_a_plain_list_does) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      random_source random{seed};
      auto s = make_lru_store();
      model m;
      auto now = noon;
      for (int i = 0; i < 3'000; ++i) {
        const auto key = std::string(random.below(2) * 30, 'k')
                         + std::to_string(random.below(30));
        switch (random.below(8)) {
          case 0:
          case 1:
          case 2: {
            const std::string data(random.below(200), 'd');
            const auto expiry
              = random.below(3) == 0
                  ? never_expires
                  : now + std::chrono::milliseconds{random.below(50)}
                      + std::chrono::nanoseconds{i}; // no two the same
            s->put(key, entry_of(data, expiry));
            m.erase(key);
            m.entries.push_front({key, data, expiry});
            break;
          }
          case 3:
            BOOST_TEST_REQUIRE(s->erase(key) == m.erase(key));
            break;
          case 4: {
            const auto out = s->evict();
            BOOST_TEST_REQUIRE(out.has_value() == !m.entries.empty());
            if (out) {
              BOOST_TEST_REQUIRE(out->key == m.entries.back().key);
              m.entries.pop_back();
            }
            break;
          }
          case 5: {
            now += std::chrono::milliseconds{random.below(10)};
            const auto limit = random.below(4);
            std::size_t removed = 0;
            for (; removed < limit; ++removed) {
              const auto next = m.next_expiry();
              if (!next || *next > now)
                break;
              m.entries.remove_if(
                [&](const auto& x) { return x.expiry == *next; });
            }
            BOOST_TEST_REQUIRE(s->sweep(now, limit) == removed);
            break;
          }
          default: {
            const auto* found = s->find(key);
            auto at = m.find(key);
            BOOST_TEST_REQUIRE((found != nullptr) == (at != m.entries.end()));
            if (found != nullptr) {
              BOOST_TEST_REQUIRE(found->data.bytes() == at->data);
              BOOST_TEST_REQUIRE((found->expiry == at->expiry));
              m.entries.splice(m.entries.begin(), m.entries, at);
            }
          }
        }
        BOOST_TEST_REQUIRE(s->entries() == m.entries.size());
        BOOST_TEST_REQUIRE(s->bytes() == m.bytes(*s));
        BOOST_TEST_REQUIRE((s->next_expiry() == m.next_expiry()));
        BOOST_TEST_REQUIRE((s->victim() == nullptr) == m.entries.empty());
        if (s->victim() != nullptr)
          BOOST_TEST_REQUIRE(s->victim()->data.bytes()
                             == m.entries.back().data);
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()
