#pragma once

#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/value.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace galaxycache {

/// How often a key is asked for: galaxycache's windowed average. As thread-safe
/// as an `int`.
class key_stats {
public:
  explicit key_stats(mono_time now) noexcept : epoch_(now), last_(now) {
    // nop
  }

  /// One that has counted `hits` gets from `epoch` to `last`.
  key_stats(mono_time epoch, mono_time last, std::uint64_t hits) noexcept
    : epoch_(epoch),
      last_(last),
      hits_(hits) {
    // nop
  }

  /// When the count began.
  mono_time epoch() const noexcept {
    return epoch_;
  }

  /// Counts `n` gets at `now`. After longer idleness than `reset_idle` the
  /// count starts anew, so that a key that is hot now and then looks hot then.
  void touch(mono_time now, std::chrono::nanoseconds reset_idle,
             std::uint64_t n = 1) noexcept;

  std::uint64_t hits() const noexcept {
    return hits_;
  }

  /// Gets a second: hits / max(0.1 s, now - epoch).
  double qps(mono_time now) const noexcept;

private:
  mono_time epoch_;
  mono_time last_;
  std::uint64_t hits_ = 0;
};

/// The state of the hot cache, sampled at most once a second.
struct hot_cache_stats {
  bool empty = true;
  /// The rate of the entry that leaves next.
  double victim_qps = 0;
  /// What its entries weigh, and its share of the shard's memory. galaxycache's
  /// HCSize is neither, but the difference: `room_bytes`.
  std::uint64_t bytes = 0;
  std::uint64_t capacity_bytes = 0;

  /// How much it may grow within its share; below zero when it is beyond.
  std::int64_t room_bytes() const noexcept {
    return static_cast<std::int64_t>(capacity_bytes - bytes);
  }
};

/// What a promoter knows about a key just fetched from its owner.
struct promotion_stats {
  double key_qps = 0;
  /// Earlier gets: 0 for a key never seen before.
  std::uint64_t hits = 0;
  hot_cache_stats hot;
};

/// Decides which keys of other owners are kept here, too. Called by the cache
/// actors of all shards, so it must be thread-safe; it must not block. One
/// that throws does not promote.
class promoter {
public:
  virtual ~promoter();

  virtual bool should_promote(std::string_view key, const value& data,
                              const promotion_stats& stats)
    = 0;
};

/// Galaxycache's default: promotes a key asked for at least as often as the
/// entry that the hot cache would evict next. An empty hot cache takes every
/// key.
std::shared_ptr<promoter> make_qps_promoter();

/// Promotes one of `n` offers, by chance: all of them if `n` is 1, none if it
/// is 0 (where galaxycache panics). How many of the next so many offers are
/// promoted depends on the seed alone, from however many threads they come;
/// give each process another one.
std::shared_ptr<promoter> make_probabilistic_promoter(std::uint64_t n,
                                                      std::uint64_t seed);

/// Promotes a key on its second load, and later: one that is a candidate
/// already, because it was asked for before and is not forgotten yet.
std::shared_ptr<promoter> make_previously_known_promoter();

/// The default: keeps every value fetched from its owner. What is not read
/// again leaves the hot cache soon, whatever else is in it.
std::shared_ptr<promoter> make_always_promoter();

/// Keeps none: switches the hot cache off.
std::shared_ptr<promoter> make_never_promoter();

/// Wraps any function as a promoter.
std::shared_ptr<promoter> make_promoter(
  std::function<bool(std::string_view, const value&, const promotion_stats&)>
    f);

/// The keys of other owners seen lately: their statistics without their
/// values, least recently used out first. Not thread-safe.
class candidates {
public:
  explicit candidates(std::size_t capacity) noexcept : capacity_(capacity) {
    // nop
  }

  /// The statistics of `key`, marked as used; new ones if it is unknown. Null
  /// if the capacity is zero.
  key_stats* find_or_add(std::string_view key, mono_time now);

  /// Takes over the statistics of an entry evicted from the hot cache.
  void put(std::string_view key, const key_stats& stats);

  /// The statistics of `key` without marking it as used, or null.
  key_stats* find(std::string_view key) noexcept;

  std::size_t size() const noexcept {
    return index_.size();
  }

  void clear() noexcept {
    index_.clear();
    order_.clear();
  }

private:
  struct entry {
    std::string key;
    key_stats stats;
  };

  key_stats& add(std::string_view key, const key_stats& stats);

  std::size_t capacity_;
  std::list<entry> order_; // most recently used first
  std::unordered_map<std::string_view, std::list<entry>::iterator> index_;
};

} // namespace galaxycache
