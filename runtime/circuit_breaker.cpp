#include "galaxycache/runtime/circuit_breaker.hpp"

#include <algorithm>

namespace galaxycache {

bool circuit_breaker::try_pass(mono_time now) {
  if (state_ == state::open && now >= pause_ends_)
    state_ = state::half_open;
  return state_ != state::open;
}

void circuit_breaker::succeeded(mono_time now) {
  if (state_ == state::half_open)
    return reset();
  if (state_ == state::closed)
    count(false, now);
}

bool circuit_breaker::failed(mono_time now) {
  if (state_ == state::open)
    return false; // one that was asked before
  if (state_ == state::half_open) {
    pause_ = std::min<std::chrono::nanoseconds>(2 * pause_, pause_max);
    open(now);
    return true;
  }
  count(true, now);
  auto all = recent_[0].all + recent_[1].all;
  auto failed = recent_[0].failed + recent_[1].failed;
  if (all < outcomes_min || 2 * failed < all)
    return false;
  open(now);
  return true;
}

void circuit_breaker::reset() noexcept {
  state_ = state::closed;
  recent_ = {};
  pause_ = pause_min;
}

void circuit_breaker::count(bool failed, mono_time now) {
  if (now - window_began_ >= window) {
    recent_[1] = now - window_began_ < 2 * window ? recent_[0] : outcomes{};
    recent_[0] = {};
    window_began_ = now;
  }
  ++recent_[0].all;
  if (failed)
    ++recent_[0].failed;
}

/// Longer by up to half of the pause, so that not all ask again at once.
void circuit_breaker::open(mono_time now) {
  state_ = state::open;
  recent_ = {};
  auto half = static_cast<std::uint64_t>(pause_.count() / 2);
  auto jitter = static_cast<std::int64_t>(random_.below(half));
  pause_ends_ = now + pause_ + std::chrono::nanoseconds{jitter};
}

} // namespace galaxycache
