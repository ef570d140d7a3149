#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace galaxycache {

/// Nanoseconds on a monotonic clock: deadlines and intervals.
using mono_time = std::chrono::time_point<std::chrono::steady_clock,
                                          std::chrono::nanoseconds>;

/// Nanoseconds since 1970, UTC: when values expire. The epoch itself stands
/// for "never".
using wall_time = std::chrono::time_point<std::chrono::system_clock,
                                          std::chrono::nanoseconds>;

/// The expiry of a value that does not expire.
inline constexpr wall_time never_expires{};

/// Whether a value with this expiry must no longer be answered at `now`.
constexpr bool expired(wall_time expiry, wall_time now) noexcept {
  return expiry != never_expires && expiry <= now;
}

/// Where all time in a universe comes from. Thread-safe.
class clock {
public:
  virtual ~clock();

  /// For deadlines, timeouts and rates. Never goes backwards.
  virtual mono_time now() const noexcept = 0;

  /// For expiry. May jump.
  virtual wall_time wall_now() const noexcept = 0;

  /// Calls `alarm` once at `when` (or at once if that has passed), on a thread
  /// of the clock's choosing. The alarm must not block; it is dropped uncalled
  /// if the clock is destroyed first.
  virtual void call_at(mono_time when, std::function<void()> alarm) = 0;
};

/// The clocks of the operating system. Alarms come from one thread, started
/// with the first of them; it sleeps while none is due.
std::shared_ptr<clock> make_system_clock();

/// A clock that stands still until told to move: for tests. Alarms run on the
/// thread that calls `advance`, in order of their time.
class manual_clock : public clock {
public:
  manual_clock();
  ~manual_clock() override;

  mono_time now() const noexcept override;
  wall_time wall_now() const noexcept override;
  void call_at(mono_time when, std::function<void()> alarm) override;

  /// Moves both clocks forward, running every alarm on the way at its time.
  void advance(std::chrono::nanoseconds by);

  /// Moves only the wall clock, forwards or backwards: a clock being set.
  void jump_wall(std::chrono::nanoseconds by);

  /// How many alarms wait.
  std::size_t pending() const;

  /// When the next of them is due.
  std::optional<mono_time> next_alarm() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace galaxycache
