#pragma once

#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/random.hpp"

namespace galaxycache {

/// An upper limit to how long values live, spread out by a jitter so that
/// values loaded together do not expire together.
struct ttl_cap {
  /// Zero or less: no limit.
  std::chrono::nanoseconds max{0};

  /// Clamped to [0, max].
  std::chrono::nanoseconds jitter{0};

  bool sets_limit() const noexcept {
    return max > std::chrono::nanoseconds{0};
  }

  /// The expiry to use instead of `expiry`. An expiry that is set and at most
  /// max + jitter away stays as it is; otherwise it becomes
  /// now + max - uniform[0, jitter).
  wall_time apply(wall_time expiry, wall_time now,
                  random_source& random) const noexcept;
};

} // namespace galaxycache
