#pragma once

#include <cstdint>

namespace galaxycache {

/// A small, fast generator with a seed that somebody injects, so that a run
/// can be repeated. SplitMix64 (Steele, Lea and Flood, 2014). Not for secrets,
/// not thread-safe.
class random_source {
public:
  explicit random_source(std::uint64_t seed) noexcept : state_(seed) {
    // nop
  }

  std::uint64_t next() noexcept {
    auto z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  /// A number in [0, bound), or 0 if `bound` is 0. The bias is below
  /// bound / 2^64.
  std::uint64_t below(std::uint64_t bound) noexcept {
    return static_cast<std::uint64_t>((static_cast<__uint128_t>(next()) * bound)
                                      >> 64);
  }

  /// Whether something of this probability, from 0 to 1, happens now.
  bool chance(double probability) noexcept {
    constexpr std::uint64_t whole = 1 << 30;
    return static_cast<double>(below(whole)) < probability * whole;
  }

private:
  std::uint64_t state_;
};

} // namespace galaxycache
