#include "galaxycache/runtime/index.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace galaxycache;

namespace {

constexpr std::uint64_t table_seed = 42;

/// A table and the entries in it.
class rig {
public:
  ~rig() {
    for (auto& [key, x] : entries)
      entry::drop(x);
  }

  void put(const std::string& key) {
    auto* x = entry::make(key, value{}, {});
    auto* old = table.put(table.hash_of(key), *x);
    auto& known = entries[key];
    BOOST_TEST_REQUIRE(old == known);
    known = x;
    if (old)
      entry::drop(old);
  }

  void erase(const std::string& key) {
    auto at = entries.find(key);
    auto* out = table.erase(table.hash_of(key), key);
    BOOST_TEST_REQUIRE(out == (at != entries.end() ? at->second : nullptr));
    if (!out)
      return;
    entry::drop(out);
    entries.erase(at);
  }

  const entry* find(const std::string& key) const {
    return table.find(table.hash_of(key), key);
  }

  /// Whether just those are found that are there.
  void check() const {
    BOOST_TEST_REQUIRE(table.size() == entries.size());
    for (const auto& [key, x] : entries)
      BOOST_TEST_REQUIRE(find(key) == x);
  }

  limbo unlinked;
  galaxycache::index table{unlinked, table_seed};
  std::map<std::string, entry*> entries;
};

/// Keys whose hashes have the same of these bits, by trying all.
std::vector<std::string> alike(std::size_t count, std::uint64_t bits) {
  std::vector<std::string> result;
  std::uint64_t wanted = 0;
  for (std::uint64_t i = 0; result.size() < count; ++i) {
    const std::string_view key{reinterpret_cast<const char*>(&i), sizeof(i)};
    const auto hash = hash64(key, table_seed) & bits;
    if (i == 0)
      wanted = hash;
    if (hash == wanted)
      result.emplace_back(key);
  }
  return result;
}

constexpr std::uint64_t bucket_bits = 511;
constexpr std::uint64_t first_segment_bits = std::uint64_t{15} << 20;
constexpr std::uint64_t tag_bits = std::uint64_t{255} << 48;

} // namespace

// The C library has a function of this name: hence the namespace.
namespace of_runtime {

BOOST_AUTO_TEST_SUITE(index)

BOOST_AUTO_TEST_CASE(an_empty_table_has_nothing_and_costs_nothing) {
  rig r;
  BOOST_TEST(r.find("key") == nullptr);
  r.erase("key");
  r.table.clear();
  BOOST_TEST(r.table.size() == 0u);
  BOOST_TEST(r.table.bytes() == 0u);
  BOOST_TEST(r.unlinked.size() == 0u);
}

BOOST_AUTO_TEST_CASE(any_bytes_are_a_key) {
  rig r;
  const std::string zeros(3, '\0');
  for (const auto& key : {std::string{}, zeros, std::string(64 * 1024, 'k')})
    r.put(key);
  r.check();
  BOOST_TEST(r.find(std::string(2, '\0')) == nullptr);
  BOOST_TEST(r.find(std::string(64 * 1024 - 1, 'k')) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_key_is_there_once_and_the_newest_counts) {
  rig r;
  for (int i = 0; i < 10; ++i)
    r.put("key");
  BOOST_TEST(r.table.size() == 1u);
  r.check();
  r.erase("key");
  BOOST_TEST(r.find("key") == nullptr);
  BOOST_TEST(r.table.size() == 0u);
}

// Through tables of all sizes: one bucket, one segment, some hundred.
BOOST_AUTO_TEST_CASE(a_table_that_grows_loses_nobody) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int keys = 30'000;
#else
  constexpr int keys = 200'000;
#endif
  rig r;
  std::size_t bytes = 0;
  for (int i = 0; i < keys; ++i) {
    r.put(std::to_string(i));
    if (i < 4'000 || std::exchange(bytes, r.table.bytes()) != r.table.bytes())
      BOOST_TEST_REQUIRE(r.find(std::to_string(i / 2)) != nullptr);
    if (i < 200 || i % 10'000 == 0)
      r.check();
    if (i % 64 == 0)
      r.unlinked.collect();
  }
  r.check();
  BOOST_TEST(r.find(std::to_string(keys)) == nullptr);
  // Some bytes more than the pointer an entry needs, but not many.
  BOOST_TEST(r.table.bytes() > keys * sizeof(void*));
  BOOST_TEST(r.table.bytes() < 25u * keys);
  for (int i = 0; i < keys; i += 2)
    r.erase(std::to_string(i));
  r.check();
}

BOOST_AUTO_TEST_CASE(what_is_unlinked_is_accounted_as_it_was) {
  rig r;
  std::size_t unlinked = 0;
  std::size_t before = 0;
  const read_guard reading;
  for (int i = 0; i < 10'000; ++i) {
    r.put(std::to_string(i));
    BOOST_TEST_REQUIRE(r.unlinked.bytes() >= unlinked);
    // Whatever was given up has been in the table.
    BOOST_TEST_REQUIRE(r.unlinked.bytes() - unlinked <= before);
    unlinked = r.unlinked.bytes();
    before = r.table.bytes();
  }
  r.table.clear();
  BOOST_TEST(r.table.bytes() == 0u);
  BOOST_TEST(r.table.size() == 0u);
  BOOST_TEST(r.unlinked.bytes() == unlinked + before);
  BOOST_TEST(r.find("1") == nullptr);
  for (auto& [key, x] : std::exchange(r.entries, {}))
    entry::drop(x);
  // And it may be used again.
  r.put("1");
  r.check();
}

BOOST_AUTO_TEST_CASE(a_table_does_what_a_map_does) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      random_source random{seed};
      rig r;
      const auto keys = seed % 2 == 0 ? 50 : 5'000;
      for (int i = 0; i < 10'000; ++i) {
        const auto key = std::to_string(random.below(keys));
        switch (random.below(4)) {
          case 0:
            r.erase(key);
            break;
          case 1: {
            auto at = r.entries.find(key);
            BOOST_TEST_REQUIRE(
              r.find(key) == (at != r.entries.end() ? at->second : nullptr));
            break;
          }
          default:
            r.put(key);
        }
        if (i % 1'000 == 0) {
          r.check();
          r.unlinked.collect();
        }
      }
      r.check();
    }
}

BOOST_AUTO_TEST_CASE(keys_of_one_bucket_stray_and_are_found_and_erased) {
  // As many as may stray from one bucket, and those that look alike by their
  // tags, too.
  for (auto bits : {bucket_bits, bucket_bits | std::uint64_t{7} << 48})
    for (std::uint64_t seed = 1; seed <= 3; ++seed)
      BOOST_TEST_CONTEXT("seed " << seed) {
        random_source random{seed};
        rig r;
        // The table is of its full size, but nearly empty.
        for (int i = 0; i < 2'000; ++i)
          r.put(std::to_string(i));
        for (int i = 0; i < 2'000; ++i)
          if (i % 40 != 0)
            r.erase(std::to_string(i));
        const auto keys = alike(100, bits);
        const auto others = alike(100, bits - 1); // the neighbours, too
        for (int i = 0; i < 10'000; ++i) {
          const auto& key = (random.below(2) == 0 ? keys
                                                  : others)[random.below(100)];
          // Sometimes nearly all are there, sometimes few.
          if (random.below(10) < (i / 1'000 % 2 == 0 ? 7u : 3u))
            r.put(key);
          else
            r.erase(key);
          if (i % 200 == 0)
            r.check();
        }
        r.check();
        for (const auto& key : keys)
          r.erase(key);
        r.check();
      }
}

BOOST_AUTO_TEST_CASE(more_keys_of_one_bucket_than_it_may_have_split_the_table) {
  rig r;
  const auto keys = alike(400, bucket_bits);
  for (const auto& key : keys)
    r.put(key);
  r.check();
  for (std::size_t i = 0; i < keys.size(); i += 2)
    r.erase(keys[i]);
  r.check();
  for (const auto& key : keys)
    r.put(key);
  r.check();
}

BOOST_AUTO_TEST_CASE(keys_of_one_segment_split_it_and_no_other) {
  rig r;
  const auto keys = alike(6'000, first_segment_bits);
  for (const auto& key : keys)
    r.put(key);
  r.check();
  // Each split leaves an empty segment behind, and five are enough.
  BOOST_TEST(r.table.bytes() < 10u * 34'000);
  for (int i = 0; i < 20'000; ++i)
    r.put(std::to_string(i));
  r.check();
  for (const auto& key : keys)
    r.erase(key);
  r.check();
}

BOOST_AUTO_TEST_CASE(keys_whose_tags_are_the_same_are_told_apart) {
  rig r;
  const auto keys = alike(300, tag_bits);
  for (const auto& key : keys)
    r.put(key);
  r.check();
  for (std::size_t i = 0; i < keys.size(); i += 3)
    r.erase(keys[i]);
  r.check();
}

BOOST_AUTO_TEST_CASE(a_reader_finds_whoever_is_there_all_the_time) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int rounds = 6;
#else
  constexpr int rounds = 20;
#endif
  rig r;
  // Among them some that stray, and some that are replaced now and then.
  auto steady = alike(40, bucket_bits);
  for (int i = 0; i < 100; ++i)
    steady.push_back("steady " + std::to_string(i));
  for (const auto& key : steady)
    r.put(key);
  std::atomic<bool> done{false};
  std::atomic<int> missed{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (std::uint64_t i = 0; i < 2; ++i)
    readers.emplace_back([&, i] {
      random_source random{i};
      while (!done) {
        const auto& key = steady[random.below(steady.size())];
        const read_guard reading;
        const auto* x = r.find(key);
        if (!x)
          ++missed;
        else if (x->key() != key)
          ++wrong;
        const auto other = std::to_string(random.below(8'000));
        if ((x = r.find(other)) && x->key() != other)
          ++wrong;
      }
    });
  random_source random{9};
  const auto replace = [&](const std::string& key) {
    auto* x = entry::make(key, value{}, {});
    auto* old = r.table.put(r.table.hash_of(key), *x);
    r.entries[key] = x;
    if (old)
      r.unlinked.add(
        old, [](void* p) { entry::drop(static_cast<entry*>(p)); }, 1);
  };
  for (int round = 0; round < rounds; ++round) {
    const auto near = alike(60, bucket_bits);
    for (int i = 0; i < 8'000; ++i) {
      replace(std::to_string(i));
      if (i % 100 == 0) {
        replace(steady[random.below(steady.size())]);
        replace(near[random.below(near.size())]);
        r.unlinked.collect();
      }
    }
    const auto erase = [&](const std::string& key) {
      if (auto* out = r.table.erase(r.table.hash_of(key), key)) {
        r.entries.erase(key);
        r.unlinked.add(
          out, [](void* p) { entry::drop(static_cast<entry*>(p)); }, 1);
      }
    };
    for (int i = 0; i < 8'000; ++i) {
      erase(std::to_string(i));
      if (i % 100 == 0)
        r.unlinked.collect();
    }
    for (std::size_t i = 40; i < near.size(); ++i)
      erase(near[i]);
  }
  done = true;
  for (auto& t : readers)
    t.join();
  r.unlinked.collect();
  r.check();
  BOOST_TEST(missed == 0);
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(a_reader_sees_a_table_grow_again_and_again) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int rounds = 10;
#else
  constexpr int rounds = 40;
#endif
  rig r;
  // Who is there, from 1 on, in the lower half, and the round in the upper.
  std::atomic<std::uint64_t> there{0};
  std::atomic<bool> done{false};
  std::atomic<int> missed{0};
  std::vector<std::thread> readers;
  for (std::uint64_t i = 0; i < 2; ++i)
    readers.emplace_back([&, i] {
      random_source random{i};
      while (!done) {
        const auto before = there.load(std::memory_order_acquire);
        const auto highest = before & 0xffff'ffff;
        if (highest == 0)
          continue;
        const read_guard reading;
        const auto* found = r.find(std::to_string(1 + random.below(highest)));
        // Unless all were forgotten meanwhile, this one was there.
        detail::full_fence();
        if (!found
            && there.load(std::memory_order_relaxed) >> 32 == before >> 32)
          ++missed;
      }
    });
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (std::uint64_t i = 1; i <= 4'000; ++i) {
      r.put(std::to_string(i));
      there.store(round << 32 | i, std::memory_order_release);
    }
    // Announced before it happens.
    there.store((round + 1) << 32, std::memory_order_seq_cst);
    detail::full_fence();
    r.table.clear();
    for (auto& [key, x] : std::exchange(r.entries, {}))
      r.unlinked.add(
        x, [](void* p) { entry::drop(static_cast<entry*>(p)); }, 1);
    r.unlinked.collect();
  }
  done = true;
  for (auto& t : readers)
    t.join();
  BOOST_TEST(missed == 0);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace of_runtime
