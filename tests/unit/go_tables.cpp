// The tables that galaxycache tests lifetimes with, row by row: what of them
// the tests of our stores and caps do not say already.

#include "galaxycache/runtime/random.hpp"
#include "galaxycache/runtime/shard.hpp"
#include "galaxycache/runtime/ttl.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

constexpr wall_time base_time{1'717'171'717s};

constexpr auto year = 24h * 365;

/// Entries that leave in order of use: the parts of a shard, but with LRU.
class lru_cache {
public:
  ~lru_cache() {
    order_->clear([](entry& x) { entry::drop(&x); });
  }

  void put(const std::string& key, std::string_view data, wall_time expiry) {
    auto* x = entry::make(key, value::copy(data), {expiry, nullptr});
    auto* old = index_.put(index_.hash_of(key), *x);
    if (old)
      order_->replace(*old, *x);
    else
      order_->add(*x, index_.hash_of(key));
    if (old)
      drop(*old);
    if (x->expires())
      expiring_.add(*x);
  }

  bool find(const std::string& key) {
    auto* x = index_.find(index_.hash_of(key), key);
    if (x)
      order_->used(*x);
    return x != nullptr;
  }

  bool erase(const std::string& key) {
    auto hash = index_.hash_of(key);
    auto* x = index_.erase(hash, key);
    if (!x)
      return false;
    order_->remove(*x, hash);
    drop(*x);
    return true;
  }

  std::string evict() {
    auto& x = *order_->next();
    std::string key{x.key()};
    auto hash = index_.hash_of(key);
    order_->evict(x, hash);
    index_.erase(hash, key);
    drop(x);
    return key;
  }

  std::size_t sweep(wall_time now) {
    std::size_t removed = 0;
    while (expiring_.next() && expired(*expiring_.when(), now)) {
      erase(std::string{expiring_.next()->key()});
      ++removed;
    }
    return removed;
  }

  std::optional<wall_time> next_expiry() const {
    return expiring_.when();
  }

  std::size_t entries() const {
    return order_->entries();
  }

private:
  void drop(entry& x) {
    if (x.expires())
      expiring_.remove(x);
    entry::drop(&x);
  }

  limbo unlinked_;
  galaxycache::index index_{unlinked_, 1};
  expiry_queue expiring_;
  std::unique_ptr<eviction> order_
    = make_lru([](const entry& x) { return x.cost(); });
};

shard::settings settings_of(std::size_t capacity) {
  shard::settings result;
  result.capacity_bytes = capacity;
  result.candidates_max = 1'024;
  result.promote = make_always_promoter();
  return result;
}

std::string key_of(int i) {
  return (i < 10 ? "myKey0" : "myKey") + std::to_string(i);
}

// A backend behind a shard's main cache that counts how often it is asked.
class echo {
public:
  echo(std::chrono::nanoseconds ttl, ttl_cap cap, std::size_t capacity)
    : ttl_(ttl),
      cap_(cap),
      shard_(settings_of(capacity)) {
    // nop
  }

  shard::hit get(const std::string& key) {
    if (auto found = shard_.find(key, time))
      return *found;
    ++fills;
    const auto now = time.wall_now();
    const auto expiry = cap_.apply(ttl_ > 0ns ? now + ttl_ : never_expires, now,
                                   random_);
    const auto data = value::copy("ECHO:" + key);
    BOOST_TEST_REQUIRE(shard_.put_main(key, data, expiry, time));
    return {data, expiry, cache_kind::main};
  }

  shard::contents stats() const {
    return shard_.stats();
  }

  manual_clock time;
  int fills = 0;

private:
  std::chrono::nanoseconds ttl_;
  ttl_cap cap_;
  random_source random_{1};
  shard shard_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(go_tables)

// TestTypedGetWithExpiry, for both caches.
BOOST_AUTO_TEST_CASE(a_value_is_found_until_it_expires) {
  struct row {
    const char* name;
    const char* key;
    bool expires_in_an_hour;
    std::chrono::nanoseconds later;
    bool hit;
  };
  const row rows[] = {
    {"string_hit_zero_val_no_advance", "myKey", false, 0ns, true},
    {"string_miss_zero_val_no_advance", "nonsense", false, 0ns, false},
    {"string_hit_zero_val_big_jump", "myKey", false, year, true},
    {"string_miss_zero_val_big_jump", "nonsense", false, year, false},
    {"string_hit_expiring_big_jump", "myKey", true, year, false},
    {"string_hit_expiring_exact_jump", "myKey", true, 1h, false},
    {"string_hit_expiring_jump_just_under", "myKey", true, 1h - 1ns, true},
  };
  for (const auto& x : rows)
    for (auto where : {cache_kind::main, cache_kind::hot})
      BOOST_TEST_CONTEXT(x.name
                         << (where == cache_kind::main ? ", main" : ", hot")) {
        manual_clock time;
        const auto expiry = x.expires_in_an_hour ? time.wall_now() + 1h
                                                 : never_expires;
        shard s{settings_of(1 << 20)};
        const auto data = value::copy("1234");
        if (where == cache_kind::main)
          BOOST_TEST(s.put_main("myKey", data, expiry, time));
        else
          BOOST_TEST(s.offer_hot("myKey", data, expiry, 1, time));
        time.advance(x.later);
        const auto found = s.find(x.key, time);
        BOOST_TEST_REQUIRE(found.has_value() == x.hit);
        if (found) {
          BOOST_TEST(found->data.bytes() == "1234");
          BOOST_TEST((found->expiry == expiry));
          BOOST_TEST((found->where == where));
        }
      }
}

// TestTypedEvictExpire. There, adding an entry removes the expired ones first;
// here, sweeping does.
BOOST_AUTO_TEST_CASE(expiry_makes_room_before_eviction_does) {
  lru_cache s;
  auto now = base_time;
  std::vector<std::string> out;
  const auto add = [&](int i, wall_time expiry) {
    const auto swept = s.sweep(now);
    s.put(key_of(i), "1234", expiry);
    while (s.entries() > 20)
      out.push_back(s.evict());
    return swept;
  };
  for (int i = 0; i < 22; ++i)
    // The first one has expired when the second comes.
    BOOST_TEST(add(i, base_time + i * 1min) == (i == 1 ? 1u : 0u));
  BOOST_TEST(out == std::vector{key_of(1)}, boost::test_tools::per_element());
  BOOST_TEST(s.entries() == 20u);
  BOOST_TEST(s.find(key_of(10)));
  BOOST_TEST(s.find(key_of(9)));
  now += 4min;
  BOOST_TEST(add(22, never_expires) == 3u);
  BOOST_TEST(s.entries() == 18u);
  for (int i = 23; i < 32; ++i)
    BOOST_TEST(add(i, never_expires) == 0u);
  add(33, never_expires);
  // In order of use, which 9 and 10 were later than the others.
  std::vector<std::string> expected;
  for (auto i : {1, 5, 6, 7, 8, 11, 12, 13, 14})
    expected.push_back(key_of(i));
  BOOST_TEST(out == expected, boost::test_tools::per_element());
  BOOST_TEST(s.entries() == 20u);
}

// The tables of its heap of expiries.
BOOST_AUTO_TEST_CASE(entries_expire_in_their_order_whatever_leaves_early) {
  struct step {
    std::chrono::nanoseconds later;
    std::vector<int> expired;
    int put = 0; // 0: nothing
    std::chrono::nanoseconds expiry{0};
    int erase = 0; // 0: nothing
  };
  struct row {
    const char* name;
    std::vector<step> steps;
  };
  const row rows[] = {
    {"simple_insert_3_no_advance",
     {{0min, {}, 1, 1h}, {0min, {}, 2, 1h}, {0min, {}, 3, 1h}}},
    {"insert_3_advance_expire_1",
     {{0min, {}, 1, 1h},
      {0min, {}, 2, 1h},
      {0min, {}, 3, 10min},
      {20min, {3}}}},
    {"mix_add_expire_2",
     {{0min, {}, 1, 1h},
      {3min, {}, 2, 5min},
      {3min, {2}, 3, 10min},
      {20min, {3}}}},
    {"mix_add_5_remove_expire_2",
     {{0min, {}, 1, 1h},
      {3min, {}, 2, 5min},
      {3min, {2}, 3, 10min},
      {20min, {3}, 4, 10h, 1},
      {3min, {}, 5, 45min, 4}}},
    // Whose handle was thrown away there cannot be removed, so nobody does.
    {"mix_add_5_remove_expire_2_discard_handle",
     {{0min, {}, 1, 1h},
      {3min, {}, 2, 5min},
      {3min, {2}, 3, 10min},
      {20min, {3}, 4, 10h},
      {3min, {}, 5, 45min, 4},
      {20h, {1, 5}, 0, 0h, 5}}},
  };
  for (const auto& x : rows)
    BOOST_TEST_CONTEXT(x.name) {
      lru_cache s;
      std::map<int, wall_time> held;
      auto now = base_time;
      for (const auto& step : x.steps) {
        now += step.later;
        BOOST_TEST(s.sweep(now) == step.expired.size());
        for (auto i : step.expired) {
          BOOST_TEST(!s.find(key_of(i)));
          BOOST_TEST(held.erase(i) == 1u);
        }
        if (step.put != 0) {
          held[step.put] = base_time + step.expiry;
          s.put(key_of(step.put), "", base_time + step.expiry);
        }
        BOOST_TEST(!s.erase("nobody"));
        if (step.erase != 0)
          // What expired or was removed before is not removed again.
          BOOST_TEST(s.erase(key_of(step.erase))
                     == (held.erase(step.erase) == 1));
        std::optional<wall_time> next;
        for (const auto& [i, expiry] : held) {
          BOOST_TEST(s.find(key_of(i)));
          next = std::min(next.value_or(expiry), expiry);
        }
        BOOST_TEST(s.entries() == held.size());
        BOOST_TEST((s.next_expiry() == next));
      }
    }
}

// TestCachingWithExpiry and TestCachingWithAutoExpiryNoJitter: the backend says
// a minute, or a cap does.
BOOST_AUTO_TEST_CASE(a_minutes_lifetime_covers_every_other_get_after_31_s) {
  struct row {
    const char* name;
    std::chrono::nanoseconds ttl;
    ttl_cap cap;
    int fills;
  };
  const row rows[] = {
    {"no expiry", 0ns, {}, 1},
    {"the backend's expiry", 1min, {}, 5},
    {"a cap", 0ns, {1min, 0ns}, 5},
    {"a cap below the backend's expiry", 1h, {1min, 0ns}, 5},
    {"the backend's expiry below a cap", 1min, {1h, 0ns}, 5},
  };
  for (const auto& x : rows)
    BOOST_TEST_CONTEXT(x.name) {
      echo e{x.ttl, x.cap, 1 << 20};
      std::set<wall_time> possible;
      if (x.fills == 1)
        possible.insert(never_expires);
      for (int i = 0; i < 10; ++i) {
        possible.insert(e.time.wall_now() + 1min);
        const auto found = e.get("TestCaching-key");
        BOOST_TEST(found.data.bytes() == "ECHO:TestCaching-key");
        BOOST_TEST(possible.count(found.expiry) == 1u);
        BOOST_TEST(!expired(found.expiry, e.time.wall_now()));
        e.time.advance(31s);
      }
      BOOST_TEST(e.fills == x.fills);
    }
}

// TestCacheEviction. There, the flood evicts a key that was asked for ten
// times; here, one that was asked for once.
BOOST_AUTO_TEST_CASE(a_flood_of_other_keys_evicts_a_key) {
  constexpr std::size_t capacity = 100'000;
  echo e{0ns, {}, capacity};
  const std::string key = "TestCacheEviction-key";
  const std::string popular = "TestCacheEviction-popular-key";
  e.get(key);
  for (int i = 0; i < 10; ++i)
    e.get(popular);
  BOOST_TEST(e.fills == 2);
  std::size_t flooded = 0;
  while (flooded < capacity + 1'024) {
    const auto other = "dummy-key-" + std::to_string(flooded);
    flooded += other.size() + e.get(other).data.size();
  }
  BOOST_TEST(e.stats().main.evictions > 0u);
  e.fills = 0;
  for (int i = 0; i < 10; ++i)
    e.get(key);
  BOOST_TEST(e.fills == 1);
  for (int i = 0; i < 10; ++i)
    e.get(popular);
  BOOST_TEST(e.fills == 1);
}

// The lifetimes in TestGalaxycacheGetWithPeek: values peeked at, and those of
// the backend after a peek that missed, failed or was too late for it.
BOOST_AUTO_TEST_CASE(values_peeked_at_live_as_long_as_in_galaxycache) {
  struct row {
    const char* name;
    ttl_cap cap; // the one for peeks, or for gets where there is none
    wall_time expiry;
    wall_time expected;
  };
  const row rows[] = {
    {"peeks_hit_each_peer", {}, never_expires, never_expires},
    {"peeks_hit_each_peer_with_expiry", {}, base_time + 84h, base_time + 84h},
    {"peeks_hit_each_peer_with_expiry_capped",
     {30h, 0ns},
     base_time + 84h,
     base_time + 30h},
    {"peeks_miss_each_peer", {}, base_time + 3h, base_time + 3h},
    {"peeks_error_each_peer_with_expiry",
     {},
     base_time + 20min,
     base_time + 20min},
    {"no_peeks_past_warm_expiring", {}, base_time + 1h, base_time + 1h},
  };
  for (const auto& x : rows)
    BOOST_TEST_CONTEXT(x.name) {
      manual_clock time;
      time.jump_wall(base_time - time.wall_now());
      random_source random{1};
      shard s{settings_of(1 << 20)};
      s.put_main("key", value::copy("data"),
                 x.cap.apply(x.expiry, base_time, random), time);
      // The second get finds it in the main cache, with the same expiry.
      const auto found = s.find("key", time);
      BOOST_TEST_REQUIRE(found.has_value());
      BOOST_TEST((found->where == cache_kind::main));
      BOOST_TEST((found->expiry == x.expected));
      if (x.expected == never_expires)
        continue;
      time.advance(x.expected - base_time - 1ns);
      BOOST_TEST(s.find("key", time).has_value());
      time.advance(1ns);
      BOOST_TEST(!s.find("key", time));
    }
}

BOOST_AUTO_TEST_SUITE_END()
