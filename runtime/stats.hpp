#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace galaxycache {

// One row per counter: its name and what it counts. Names are galaxycache's
// where it has them; "coalesced" is galaxycache's word for "inside a flight".
#define GALAXYCACHE_COUNTERS(X)                                                \
  X(gets, "gets, those of peers included")                                     \
  X(loads, "gets that no cache could answer at first sight")                   \
  X(coalesced_loads, "flights started for them")                               \
  X(maincache_hits, "gets answered from the main cache")                       \
  X(hotcache_hits, "gets answered from the hot cache")                         \
  X(peer_loads, "gets answered by the owner")                                  \
  X(peer_load_errors, "failed fetches from an owner")                          \
  X(gutter_fetches, "fetches from a successor, as the owner was away")         \
  X(hedged_fetches, "second fetches from a successor, as the owner was slow")  \
  X(hedges_won, "those that were answered before the owner's")                 \
  X(fallbacks_refused,                                                         \
    "loads for owners and successors that were away refused")                  \
  X(backend_loads, "gets answered by the local backend")                       \
  X(backend_load_errors, "failed loads of the local backend")                  \
  X(peer_peeks, "gets answered by a peek at the previous owner")               \
  X(coalesced_maincache_hits, "main cache hits inside a flight")               \
  X(coalesced_hotcache_hits, "hot cache hits inside a flight")                 \
  X(coalesced_peer_loads, "fetches from an owner that returned a value")       \
  X(coalesced_backend_loads, "backend loads that returned a value")            \
  X(coalesced_peer_peeks, "peeks sent to a previous owner")                    \
  X(coalesced_peer_peek_hits, "those that returned a value")                   \
  X(coalesced_peer_peek_errors, "those that failed")                           \
  X(server_requests, "fetches and peeks of peers")                             \
  X(not_found, "gets answered with not found")                                 \
  X(failed, "gets answered with an error")                                     \
  X(overloaded, "of those, refused because of a bound")                        \
  X(deadline_exceeded, "of those, given up at their deadline")                 \
  X(promotions, "values admitted to the hot cache")                            \
  X(view_mismatches, "peer requests made with another view of the ring")       \
  X(cache_restarts, "cache actors replaced after a crash")

/// Names a counter of a galaxy.
enum class counter : std::size_t {
#define GALAXYCACHE_X(name, text) name,
  GALAXYCACHE_COUNTERS(GALAXYCACHE_X)
#undef GALAXYCACHE_X
};

/// The counters of one shard, or of one thread's work. Relaxed atomics: any
/// thread may add and read.
class alignas(64) counters {
public:
  void add(counter which, std::uint64_t n = 1) noexcept {
    values_[static_cast<std::size_t>(which)].fetch_add(
      n, std::memory_order_relaxed);
  }

  std::uint64_t get(counter which) const noexcept {
    return values_[static_cast<std::size_t>(which)].load(
      std::memory_order_relaxed);
  }

private:
#define GALAXYCACHE_X(name, text) +1
  static constexpr std::size_t size = GALAXYCACHE_COUNTERS(GALAXYCACHE_X);
#undef GALAXYCACHE_X
  std::array<std::atomic<std::uint64_t>, size> values_{};
};

/// What one of a galaxy's caches holds.
struct cache_stats {
  /// Keys, values and what they take with them, as memory is allocated.
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  /// Entries removed to make room since the start.
  std::uint64_t evictions = 0;

  friend bool operator==(const cache_stats&, const cache_stats&) = default;
};

/// What a galaxy has done since it was created, and what it holds now.
struct galaxy_stats {
#define GALAXYCACHE_X(name, text) std::uint64_t name = 0;
  GALAXYCACHE_COUNTERS(GALAXYCACHE_X)
#undef GALAXYCACHE_X
  cache_stats maincache;
  cache_stats hotcache;
  /// What it takes to find the entries, and to remember some that left; with
  /// the bytes of both caches never more than the galaxy's capacity.
  std::uint64_t overhead_bytes = 0;
  /// What has left the caches and may still be being read.
  std::uint64_t retired_bytes = 0;
  /// What is free between entries, or ready for the next ones.
  std::uint64_t unused_bytes = 0;
  /// Keys whose rate is watched, without their values.
  std::uint64_t candidates = 0;
  /// Keys being loaded, and gets waiting for them.
  std::uint64_t flights = 0;
  std::uint64_t waiters = 0;

  /// Adds the counters of a shard.
  void add(const counters& from) noexcept {
#define GALAXYCACHE_X(name, text) name += from.get(counter::name);
    GALAXYCACHE_COUNTERS(GALAXYCACHE_X)
#undef GALAXYCACHE_X
  }

  friend bool operator==(const galaxy_stats&, const galaxy_stats&) = default;
};

} // namespace galaxycache
