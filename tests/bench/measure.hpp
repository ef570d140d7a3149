#pragma once

// What several benchmarks measure with.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <vector>

namespace galaxycache::bench {

/// Whether a smoke test is enough.
inline bool is_brief() {
  const auto* brief = std::getenv("GALAXYCACHE_BENCH_BRIEF");
  return brief != nullptr && std::string_view{brief} == "1";
}

/// Nanoseconds of processor time: of the process, or of this thread with
/// CLOCK_THREAD_CPUTIME_ID.
inline double cpu_ns(clockid_t which = CLOCK_PROCESS_CPUTIME_ID) {
  timespec now{};
  clock_gettime(which, &now);
  return static_cast<double>(now.tv_sec) * 1e9
         + static_cast<double>(now.tv_nsec);
}

/// Measures from its construction on.
class stopwatch {
public:
  double wall_ns() const {
    const std::chrono::duration<double, std::nano> result
      = std::chrono::steady_clock::now() - start_;
    return result.count();
  }

  double cpu_ns() const {
    return bench::cpu_ns() - cpu_start_;
  }

private:
  std::chrono::steady_clock::time_point start_
    = std::chrono::steady_clock::now();
  double cpu_start_ = bench::cpu_ns();
};

/// The measurement that a share of all does not exceed, 0 if there is none;
/// changes their order.
inline double percentile(std::vector<float>& all, double share) {
  if (all.empty())
    return 0;
  const auto last = static_cast<double>(all.size() - 1);
  const auto i = static_cast<std::ptrdiff_t>(share * last);
  std::ranges::nth_element(all, all.begin() + i);
  return all[static_cast<std::size_t>(i)];
}

} // namespace galaxycache::bench
