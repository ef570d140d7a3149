#pragma once

#include "galaxycache/runtime/chunk_source.hpp"
#include "galaxycache/runtime/epoch.hpp"
#include "galaxycache/runtime/eviction.hpp"
#include "galaxycache/runtime/expiry_queue.hpp"
#include "galaxycache/runtime/hotness.hpp"
#include "galaxycache/runtime/index.hpp"
#include "galaxycache/runtime/planted.hpp"
#include "galaxycache/runtime/stats.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace galaxycache {

/// Which of the two caches of a process holds an entry.
enum class cache_kind : std::uint8_t { main, hot };

/// The memory of one shard of a galaxy: its main cache, its hot cache and the
/// candidates for it, under one byte budget.
///
/// Any thread may read; readers take no lock and wait for nobody. Only the
/// shard's cache actor writes. A write that throws leaves an empty shard, so
/// readers never see a half-changed one.
class shard {
public:
  struct settings {
    /// Bytes for both caches, all in: keys, values, and what it takes to keep
    /// and find them. 0 switches caching off.
    std::size_t capacity_bytes = 0;
    /// Over budget, the hot cache gives way while it is larger than the main
    /// cache divided by this.
    std::size_t hot_ratio = 8;
    std::size_t candidates_max = 0;
    std::chrono::nanoseconds reset_idle_stats = std::chrono::minutes{1};
    std::shared_ptr<promoter> promote;
    /// Where the memory for entries is from; for all shards of a galaxy.
    std::shared_ptr<chunk_source> chunks = std::make_shared<chunk_source>();
    /// Of hashes: one that nobody knows keeps keys from being chosen for them.
    std::uint64_t hash_seed = 0;
  };

  struct hit {
    value data;
    wall_time expiry;
    cache_kind where;
  };

  struct contents {
    cache_stats main;
    cache_stats hot;
    std::size_t candidates = 0;
    /// What the table and the memory of keys that left cost.
    std::size_t overhead_bytes = 0;
    /// What is not cached any more, but may still be being read.
    std::size_t retired_bytes = 0;
    /// What there is between entries, for the next.
    std::size_t unused_bytes = 0;
  };

  explicit shard(settings s);

  ~shard();

  // -- for any thread ---------------------------------------------------------

  std::uint64_t hash_of(std::string_view key) const noexcept {
    return index_.hash_of(key);
  }

  /// Calls `f(const entry&)` with the unexpired entry of `key`, whose hash is
  /// given, and says whether there is one. What `f` sees is valid as long as
  /// the guard.
  template <class F>
  bool visit(const read_guard&, std::uint64_t hash, std::string_view key,
             const clock& time, F&& f) const {
    auto* found = index_.find(hash, key);
    if (!found || (found->expires() && is_over(*found, time)))
      return false;
    found->touch();
    std::forward<F>(f)(std::as_const(*found));
    return true;
  }

  /// Has the processor fetch what `visit` will read, in two steps; under a
  /// `read_guard`.
  void prefetch(std::uint64_t hash) const noexcept {
    index_.prefetch(hash);
  }

  void prefetch_entry(std::uint64_t hash) const noexcept {
    index_.prefetch_entry(hash);
  }

  /// The unexpired value of `key`.
  std::optional<hit> find(std::string_view key, const clock& time) const;

  contents stats() const;

  /// Whether what is accounted is what the entries add up to.
  bool accounts_exactly() const;

  // -- for the shard's cache actor --------------------------------------------

  /// Puts a value that this process answers for into the main cache. Returns
  /// false if it did not stay there: it is too large, or caching is off.
  bool put_main(std::string_view key, const value& data, wall_time expiry,
                const clock& time);

  /// Offers a value fetched from its owner, for which `gets` gets waited, to
  /// the promoter; returns whether it went to the hot cache.
  bool offer_hot(std::string_view key, const value& data, wall_time expiry,
                 std::uint64_t gets, const clock& time);

  /// Removes at most `limit` expired entries.
  std::size_t sweep(const clock& time, std::size_t limit);

  /// When the next entry expires, if any ever does.
  std::optional<wall_time> next_expiry() const;

  /// Forgets everything, evictions counted so far excepted.
  void clear();

private:
  static bool is_over(const entry& x, const clock& time) {
    auto now
      = time.wall_now()
        - std::chrono::nanoseconds{GALAXYCACHE_PLANTED(expiry_off_by_one)};
    return expired(x.expiry(), now);
  }

  eviction& order_of(const entry& x) const {
    return x.is_hot() ? *hot_ : *main_;
  }

  std::size_t overhead_bytes() const;
  std::size_t total_bytes() const;
  std::size_t retired_max() const;
  bool put(std::string_view key, const value& data, const entry::traits& with,
           const clock& time);
  bool has_room_for(std::size_t cost) const;
  bool make_room(const entry* newest, const clock& time);
  entry* next_to_leave();
  void leave(entry& x, bool dead, mono_time now);
  void remove(entry& x, std::uint64_t hash);
  void retire(entry& x);
  void unlink(entry& x, std::size_t bytes);
  void tidy(std::size_t entries);
  void compact();
  bool move(entry& x);
  void sample_hot(mono_time now);
  void forget_all();

  /// Runs a change under the lock; clears the shard if it throws.
  template <class F>
  auto change(F f);

  const settings settings_;
  const entry_arena::handle memory_;
  limbo unlinked_;
  index index_;              // read by any thread
  mutable std::mutex mutex_; // of writers, and of those that look at all
  const std::unique_ptr<eviction> main_;
  const std::unique_ptr<eviction> hot_;
  expiry_queue expiring_;
  candidates candidates_;
  hot_cache_stats sampled_;
  std::optional<mono_time> sampled_at_;
  std::uint64_t main_evictions_ = 0;
  std::uint64_t hot_evictions_ = 0;
};

} // namespace galaxycache
