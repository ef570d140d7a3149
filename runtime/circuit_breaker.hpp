#pragma once

#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/random.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace galaxycache {

/// Says whether somebody is worth asking (Nygard, Release It!, 2007). Closed
/// while he answers. Opens when half of what he was asked lately failed; nobody
/// asks him then until a pause is over. It is half open then, and the first
/// outcome decides: if he fails again, the next pause is twice as long. Not
/// thread-safe.
class circuit_breaker {
public:
  enum class state { closed, open, half_open };

  /// Fewer outcomes than this say nothing.
  static constexpr std::size_t outcomes_min = 20;
  /// Outcomes count for five to ten seconds.
  static constexpr std::chrono::seconds window{5};
  static constexpr std::chrono::seconds pause_min{1};
  static constexpr std::chrono::seconds pause_max{30};

  explicit circuit_breaker(std::uint64_t seed) : random_(seed) {
    // nop
  }

  state current() const noexcept {
    return state_;
  }

  /// Whether to ask now.
  bool try_pass(mono_time now);

  /// He has answered, whatever it was.
  void succeeded(mono_time now);

  /// He has not answered. Returns whether it has opened.
  bool failed(mono_time now);

  /// He is somebody else now: as new.
  void reset() noexcept;

private:
  struct outcomes {
    std::size_t all = 0;
    std::size_t failed = 0;
  };

  void count(bool failed, mono_time now);
  void open(mono_time now);

  random_source random_;
  state state_ = state::closed;
  std::array<outcomes, 2> recent_; // of this window and of the one before
  mono_time window_began_{};
  std::chrono::nanoseconds pause_ = pause_min;
  mono_time pause_ends_{};
};

} // namespace galaxycache
