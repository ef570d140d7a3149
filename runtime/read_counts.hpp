#pragma once

#include "galaxycache/runtime/epoch.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace galaxycache {

/// What came of a read of a galaxy's memory.
enum class read_outcome : std::uint8_t {
  main_hit,
  hot_hit,
  /// Nothing; the get goes on.
  goes_on,
  /// Nothing, and that is the answer.
  absent,
  /// Nothing; whoever looks next counts it.
  not_counted,
};

/// Counts reads, of which there are too many for threads to share a counter:
/// each thread has a lane of its own. Thread-safe.
class read_counts {
public:
  /// Only under a `read_guard`, which says which lane is this thread's.
  void add(const read_guard& guard, read_outcome what) noexcept {
    auto which = static_cast<std::size_t>(what);
    auto number = guard.thread_number();
    if (number >= own_lanes) [[unlikely]] {
      lanes_[own_lanes].counts[which].fetch_add(1, std::memory_order_relaxed);
      return;
    }
    auto& n = lanes_[number].counts[which];
    n.store(n.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::uint64_t get(read_outcome what) const noexcept {
    std::uint64_t result = 0;
    for (auto& lane : lanes_)
      result += lane.counts[static_cast<std::size_t>(what)].load(
        std::memory_order_relaxed);
    return result;
  }

private:
  // More threads than that share the last lane.
  static constexpr std::size_t own_lanes = 63;

  struct alignas(64) lane {
    std::array<std::atomic<std::uint64_t>, 5> counts{};
  };

  std::array<lane, own_lanes + 1> lanes_;
};

} // namespace galaxycache
