#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace galaxycache {

/// A quantile of the durations seen lately: of the last one to two thousand.
/// They are counted in buckets of which each is at most a quarter wider than
/// the one before, as in HdrHistogram (Tene), and the answer is the upper end
/// of a bucket. Not thread-safe.
class rolling_quantile {
public:
  /// `share` is between 0 and 1: 0.95 for the duration that 95 % do not
  /// exceed.
  explicit rolling_quantile(double share) noexcept : share_(share) {
    // nop
  }

  void add(std::chrono::nanoseconds x) noexcept;

  /// Nothing until there are enough to tell.
  std::optional<std::chrono::nanoseconds> get() const noexcept;

private:
  // The fewest of which one is beyond the quantile that is asked for most.
  static constexpr std::size_t samples_min = 20;
  static constexpr std::size_t window = 1024; // samples
  static constexpr unsigned parts_bits = 2;   // of a power of two
  static constexpr unsigned octaves = 42;     // of nanoseconds: over an hour

  using counts = std::array<std::uint16_t, octaves << parts_bits>;

  static std::size_t bucket_of(std::chrono::nanoseconds x) noexcept;
  static std::chrono::nanoseconds end_of(std::size_t bucket) noexcept;

  double share_;
  counts now_{};
  counts before_{};
  std::size_t in_now_ = 0;
  std::size_t in_before_ = 0;
};

} // namespace galaxycache
