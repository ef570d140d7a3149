#pragma once

#include "plan.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace galaxycache::sim {

/// What came of a run.
struct report {
  /// What should never be, each with what is needed to see it.
  std::vector<std::string> violations;
  std::uint64_t gets = 0;
  std::uint64_t faults = 0;
  std::uint64_t steps = 0;
  /// Of all that happened: the same whenever the plan is the same.
  std::uint64_t hash = 0;
  /// All that happened, a line each, if that was asked for.
  std::vector<std::string> log;

  bool ok() const noexcept {
    return violations.empty();
  }
};

/// Does what the plan says, then lets all faults heal, and watches: see the
/// checks in run.cpp.
report carry_out(const plan& p, bool with_log = false);

/// Removes what a failure does not need: faults first, then gets. Carries the
/// plan out at most `runs_max` times.
plan shrink(plan p, std::size_t runs_max);

} // namespace galaxycache::sim
