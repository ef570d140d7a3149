#include "galaxycache/runtime/galaxy_memory.hpp"
#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

/// What a writer changes at least; it goes on until entries were evicted. That
/// takes long where a reader stays in one place while this writer's thread has
/// the processor: nothing is added while too much is retired.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t changes = 15'000;
#else
constexpr std::uint64_t changes = 60'000;
#endif
constexpr std::uint64_t changes_max = 200 * changes;

/// What a shard has room for, and how many keys there are.
struct terms {
  std::size_t shards = 1;
  std::size_t capacity = 1 << 20;
  std::uint64_t keys = 9'000;

  // As in the shard: what may be retired before nothing is added any more, then
  // all that it holds, what one put drives out and the tables it leaves.
  std::size_t retired_max() const {
    return std::max<std::size_t>(capacity / 16, 256 * 1'024) + capacity
           + 128 * 1'024;
  }
};

/// All values are made of this.
const std::string& pattern() {
  static const auto result = [] {
    random_source random{1};
    std::string bytes(32'000, 0);
    for (auto& byte : bytes)
      byte = static_cast<char>(random.next());
    return bytes;
  }();
  return result;
}

/// What a value says of itself, before as much of the pattern as it has room
/// for, from where `version` says.
struct header {
  std::uint64_t key;
  std::uint64_t version;
  wall_time expiry;
  std::uint64_t size;
};

std::size_t pattern_at(std::uint64_t version) {
  return version % 1'000;
}

value data_of(const header& x) {
  std::string bytes(sizeof(x), 0);
  std::memcpy(bytes.data(), &x, sizeof(x));
  bytes += pattern().substr(pattern_at(x.version), x.size);
  return x.version % 3 == 0 ? value::take(std::move(bytes))
                            : value::copy(bytes);
}

/// What the bytes say, if it is true.
std::optional<header> read(std::string_view bytes) {
  header x{};
  if (bytes.size() < sizeof(x))
    return {};
  std::memcpy(&x, bytes.data(), sizeof(x));
  bytes.remove_prefix(sizeof(x));
  if (bytes.size() != x.size || x.size > 20'000)
    return {};
  const auto expected
    = std::string_view{pattern()}.substr(pattern_at(x.version), x.size);
  return bytes == expected ? std::optional{x} : std::nullopt;
}

/// Counts what must not happen.
struct faults {
  std::atomic<int> torn{0};
  std::atomic<int> other_key{0};
  std::atomic<int> older{0};
  std::atomic<int> expired{0};
  std::atomic<int> over_capacity{0};
  std::atomic<int> miscounted{0};
  std::atomic<int> too_much_retired{0};

  void check() const {
    BOOST_TEST(torn == 0);
    BOOST_TEST(other_key == 0);
    BOOST_TEST(older == 0);
    BOOST_TEST(expired == 0);
    BOOST_TEST(over_capacity == 0);
    BOOST_TEST(miscounted == 0);
    BOOST_TEST(too_much_retired == 0);
  }
};

/// A memory with a writer for each shard and readers of several kinds.
class stress {
public:
  explicit stress(const terms& with)
    : terms_(with),
      memory_(settings(), with.shards, time_) {
    // nop
  }

  /// Changes all shards while others read.
  void run() {
    read_while([this](std::size_t which) { write(which); });
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      // All that happens did.
      const auto held = memory_.at(i).stats();
      BOOST_TEST(held.main.evictions > 0u);
      BOOST_TEST(held.hot.evictions > 0u);
    }
    end();
  }

  /// The same with entries that are moved.
  void run_moving() {
    read_while([this](std::size_t) { write_and_move(); });
    BOOST_TEST(moved_ > 1'000u);
    end();
  }

private:
  template <class F>
  void read_while(F write) {
    std::vector<std::thread> readers;
    readers.emplace_back([this] { visit_and_keep(1); });
    readers.emplace_back([this] { visit_and_keep(2); });
    readers.emplace_back([this] { stay(3); });
    readers.emplace_back([this] { look(); });
    std::vector<std::thread> writers;
    for (std::size_t i = 0; i < memory_.size(); ++i)
      writers.emplace_back([write, i] { write(i); });
    for (auto& t : writers)
      t.join();
    done_ = true;
    for (auto& t : readers)
      t.join();
    wrong_.check();
  }

  void end() {
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      auto& s = memory_.at(i);
      BOOST_TEST(s.accounts_exactly());
      // Nobody reads any more, so nothing is kept for readers.
      s.clear();
      BOOST_TEST(s.stats().retired_bytes == 0u);
    }
    BOOST_TEST(hits_ > 0u);
    BOOST_TEST(stays_ > 0u);
  }

  shard::settings settings() const {
    shard::settings result;
    result.capacity_bytes = terms_.capacity;
    result.candidates_max = 100;
    result.promote = make_always_promoter();
    result.hash_seed = 3;
    return result;
  }

  static std::string name_of(std::uint64_t key) {
    return "key " + std::to_string(key);
  }

  void write(std::size_t which) {
    auto& s = memory_.at(which);
    random_source random{which};
    std::vector<std::uint64_t> mine;
    for (std::uint64_t key = 0; key < terms_.keys; ++key)
      if (memory_.shard_of(memory_.hash_of(name_of(key))) == which)
        mine.push_back(key);
    const auto evicted = [&s] {
      const auto held = s.stats();
      return held.main.evictions > 0 && held.hot.evictions > 0;
    };
    for (std::uint64_t i = 1; i <= changes || (i < changes_max && !evicted());
         ++i) {
      // Phases of small values, and of some large ones.
      const auto most = i / 5'000 % 2 == 0      ? 20
                        : random.below(50) == 0 ? 20'000
                                                : 1'500;
      const auto now = time_->wall_now();
      const header x{mine[random.below(mine.size())], i,
                     random.below(3) == 0
                       ? now + std::chrono::milliseconds{random.below(200)}
                       : never_expires,
                     random.below(most)};
      if (random.below(5) == 0)
        s.offer_hot(name_of(x.key), data_of(x), x.expiry, 1, *time_);
      else
        s.put_main(name_of(x.key), data_of(x), x.expiry, *time_);
      if (i % 16 == 0)
        time_->advance(1ms);
      if (i % 64 == 0)
        s.sweep(*time_, 50);
      if (i % 12'000 == 11'999)
        s.clear();
      written_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  const entry* place_of(std::uint64_t key) {
    const entry* result = nullptr;
    memory_.read(name_of(key), read_outcome::goes_on,
                 [&](const entry& x) { result = &x; });
    return result;
  }

  /// More than is left in one place for long, of which most expires: what does
  /// not is moved together.
  void write_and_move() {
    auto& s = memory_.at(0);
    std::uint64_t version = 0;
    const auto put = [&](std::uint64_t key, wall_time expiry) {
      const header x{key, ++version, expiry, key % 50};
      s.put_main(name_of(key), data_of(x), expiry, *time_);
      written_.fetch_add(1, std::memory_order_relaxed);
    };
    for (int round = 0; round < 2; ++round) {
      for (std::uint64_t key = 0; key < terms_.keys; ++key)
        put(key, key % 4 == 0 ? never_expires : time_->wall_now() + 1s);
      std::vector<const entry*> places;
      for (std::uint64_t key = 0; key < terms_.keys; key += 4)
        places.push_back(place_of(key));
      time_->advance(2s);
      while (s.sweep(*time_, 1'000) > 0)
        ;
      for (std::uint64_t i = 0; i < terms_.keys / 4; ++i)
        put(1, never_expires);
      for (std::uint64_t key = 0; key < terms_.keys; key += 4)
        moved_ += place_of(key) != places[key / 4];
    }
  }

  /// Versions seen last, by key.
  using versions = std::unordered_map<std::uint64_t, std::uint64_t>;

  void check(std::string_view bytes, std::uint64_t key, versions* seen,
             std::optional<wall_time> before = {}) {
    const auto x = read(bytes);
    if (!x) {
      ++wrong_.torn;
      return;
    }
    if (x->key != key)
      ++wrong_.other_key;
    if (before && galaxycache::expired(x->expiry, *before))
      ++wrong_.expired;
    // A reader never sees what it was before.
    if (seen && std::exchange((*seen)[key], x->version) > x->version)
      ++wrong_.older;
  }

  void visit_and_keep(std::uint64_t seed) {
    random_source random{seed};
    versions seen;
    std::vector<std::pair<std::uint64_t, value>> kept(64);
    std::uint64_t hits = 0;
    while (!done_) {
      const auto key = random.below(1 + random.below(terms_.keys));
      const auto name = name_of(key);
      const auto before = time_->wall_now();
      if (random.below(2) == 0) {
        hits += memory_.read(name, read_outcome::goes_on, [&](const entry& x) {
          if (x.key() != name)
            ++wrong_.other_key;
          check(x.data(), key, &seen, before);
        });
        continue;
      }
      auto& s = memory_.at(memory_.shard_of(memory_.hash_of(name)));
      auto found = s.find(name, *time_);
      if (!found)
        continue;
      ++hits;
      check(found->data.bytes(), key, &seen, before);
      // What was found long ago is as it was.
      auto& place = kept[random.below(kept.size())];
      if (!place.second.empty())
        check(place.second.bytes(), place.first, nullptr);
      place = {key, std::move(found->data)};
    }
    for (const auto& [key, data] : kept)
      if (!data.empty())
        check(data.bytes(), key, nullptr);
    hits_ += hits;
  }

  /// Holds a guard while much is changed, and reads again what it read.
  void stay(std::uint64_t seed) {
    random_source random{seed};
    while (!done_) {
      {
        const read_guard guard;
        std::vector<std::pair<std::uint64_t, const entry*>> visited;
        const auto until = written_.load() + 2'000;
        while (!done_ && written_.load() < until) {
          const auto key = random.below(terms_.keys);
          memory_.read(name_of(key), read_outcome::goes_on,
                       [&](const entry& x) {
                         if (visited.size() < 200)
                           visited.emplace_back(key, &x);
                       });
          std::this_thread::yield();
        }
        for (const auto& [key, x] : visited) {
          if (x->key() != name_of(key))
            ++wrong_.other_key;
          check(x->data(), key, nullptr);
          check(x->share().bytes(), key, nullptr);
        }
      }
      ++stays_;
      const auto until = written_.load() + 1'000;
      while (!done_ && written_.load() < until)
        std::this_thread::yield();
    }
  }

  void look() {
    for (std::size_t i = 0; !done_; ++i) {
      auto& s = memory_.at(i % memory_.size());
      const auto held = s.stats();
      if (held.main.bytes + held.hot.bytes + held.overhead_bytes
          > terms_.capacity)
        ++wrong_.over_capacity;
      if (held.retired_bytes > terms_.retired_max())
        ++wrong_.too_much_retired;
      if (i % 100 == 0 && !s.accounts_exactly())
        ++wrong_.miscounted;
      s.next_expiry();
      // The writers want the lock, too.
      std::this_thread::yield();
    }
  }

  const terms terms_;
  const std::shared_ptr<manual_clock> time_ = std::make_shared<manual_clock>();
  galaxy_memory memory_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<bool> done_{false};
  std::atomic<std::uint64_t> hits_{0};
  std::atomic<std::uint64_t> stays_{0};
  std::uint64_t moved_ = 0;
  faults wrong_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(shard_stress)

BOOST_AUTO_TEST_CASE(readers_see_whole_values_while_one_writes) {
  stress{{.shards = 1}}.run();
}

BOOST_AUTO_TEST_CASE(readers_see_whole_values_while_shards_have_a_writer_each) {
  stress{{.shards = 2}}.run();
}

BOOST_AUTO_TEST_CASE(readers_see_whole_values_while_entries_move) {
  stress{{.capacity = 32 << 20, .keys = 70'000}}.run_moving();
}

BOOST_AUTO_TEST_SUITE_END()
