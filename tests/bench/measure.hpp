#pragma once

// What several benchmarks measure with.

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string_view>

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

} // namespace galaxycache::bench
