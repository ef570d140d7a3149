#pragma once

#include "galaxycache/runtime/clock.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace galaxycache {

/// Many deadlines, few of which ever pass: arming and cancelling cost a few
/// instructions each, however many are armed.
///
/// A hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical
/// Timing Wheels", 1987) of six levels with 64 slots each and ticks of one
/// millisecond: 2.2 years, and what is due later waits in the last slot. Timers
/// are intrusive: the wheel allocates nothing
/// and owns nothing. Not thread-safe; an actor keeps one in its state.
class timer_wheel {
public:
  /// The resolution: a timer fires up to one tick late and never early.
  static constexpr std::chrono::nanoseconds tick = std::chrono::milliseconds{1};

  /// A base class for whatever has a deadline. Destroying it disarms it.
  class timer {
  public:
    timer() noexcept = default;
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;

    ~timer() {
      disarm();
    }

    bool armed() const noexcept {
      return wheel_ != nullptr;
    }

    void disarm() noexcept;

  private:
    friend class timer_wheel;
    timer_wheel* wheel_ = nullptr;
    timer* previous_ = nullptr;
    timer* next_ = nullptr;
    std::uint64_t due_ = 0;
    std::uint8_t level_ = 0;
    std::uint8_t slot_ = 0;
  };

  explicit timer_wheel(mono_time origin) noexcept : origin_(origin) {
    // nop
  }

  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;
  ~timer_wheel();

  /// (Re-)arms `t` for `when`. A time that has passed fires at the next
  /// `pop_due`.
  void arm(timer& t, mono_time when) noexcept;

  /// Disarms one timer that is due at `now` and returns it, or returns null
  /// and moves the wheel to `now`. Call until null; arming more meanwhile is
  /// fine.
  timer* pop_due(mono_time now) noexcept;

  /// When `pop_due` next has something to do: at most the earliest deadline,
  /// rounded up to a tick.
  std::optional<mono_time> next() const noexcept;

  /// How many timers are armed.
  std::size_t size() const noexcept {
    return size_;
  }

private:
  static constexpr std::size_t levels = 6;
  static constexpr std::size_t slot_bits = 6;
  static constexpr std::size_t slots = 1 << slot_bits;

  struct position {
    std::uint64_t tick;
    std::size_t level;
    std::size_t slot;
  };

  void link(timer& t) noexcept;
  void unlink(timer& t) noexcept;
  std::optional<position> first_occupied() const noexcept;

  mono_time origin_;
  std::uint64_t elapsed_ = 0; // ticks that have been processed
  std::size_t size_ = 0;
  std::array<std::uint64_t, levels> occupied_{}; // a bit per non-empty slot
  std::array<std::array<timer*, slots>, levels> lists_{};
};

} // namespace galaxycache
