#pragma once

#include "galaxycache/runtime/hotness.hpp"
#include "galaxycache/runtime/stats.hpp"
#include "galaxycache/runtime/store.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

namespace galaxycache {

/// Which of the two caches of a process holds an entry.
enum class cache_kind : std::uint8_t { main, hot };

/// The memory of one shard of a galaxy: its main cache, its hot cache and the
/// candidates for it, under one byte budget.
///
/// Any thread may read; only the shard's cache actor writes. A write that
/// throws leaves an empty shard, so readers never see a half-changed one.
class shard {
public:
  struct settings {
    /// Bytes for both caches; 0 switches caching off.
    std::size_t capacity_bytes = 0;
    /// Over budget, the hot cache gives way while it is larger than the main
    /// cache divided by this.
    std::size_t hot_ratio = 8;
    std::size_t candidates_max = 0;
    std::chrono::nanoseconds reset_idle_stats = std::chrono::minutes{1};
    std::shared_ptr<promoter> promote;
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
  };

  explicit shard(settings s);

  // -- for any thread ---------------------------------------------------------

  /// The unexpired value of `key`, main cache first.
  std::optional<hit> find(std::string_view key, const clock& time);

  contents stats() const;

  /// Whether what is accounted is what the entries add up to.
  bool accounts_exactly() const;

  // -- for the shard's cache actor --------------------------------------------

  /// Puts a value that this process answers for into the main cache. Returns
  /// false if it did not stay there: it is too large, or caching is off.
  bool put_main(std::string_view key, const value& data, wall_time expiry);

  /// Offers a value fetched from its owner, for which `gets` gets waited, to
  /// the promoter; returns whether it went to the hot cache.
  bool offer_hot(std::string_view key, const value& data, wall_time expiry,
                 std::uint64_t gets, const clock& time);

  /// Removes at most `limit` expired entries.
  std::size_t sweep(wall_time now, std::size_t limit);

  /// When the next entry expires, if any ever does.
  std::optional<wall_time> next_expiry() const;

  /// Forgets everything, evictions counted so far excepted.
  void clear();

private:
  void make_stores();
  bool make_room(std::string_view newest);
  void sample_hot(mono_time now);
  bool put(cache_kind where, std::string_view key, store::entry x);

  /// Runs a change under the lock; clears the shard if it throws.
  template <class F>
  auto change(F f);

  const settings settings_;
  mutable std::mutex mutex_; // protects all below
  std::unique_ptr<store> main_;
  std::unique_ptr<store> hot_;
  std::unique_ptr<candidates> candidates_;
  hot_cache_stats sampled_;
  std::optional<mono_time> sampled_at_;
  std::uint64_t main_evictions_ = 0;
  std::uint64_t hot_evictions_ = 0;
};

} // namespace galaxycache
