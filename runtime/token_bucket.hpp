#pragma once

#include "galaxycache/runtime/clock.hpp"

#include <algorithm>
#include <cstddef>
#include <mutex>

namespace galaxycache {

/// Lets a number of things happen each second, and as many at once after a
/// second without any. Thread-safe.
class token_bucket {
public:
  explicit token_bucket(std::size_t per_second) noexcept
    : rate_(static_cast<double>(per_second)),
      tokens_(rate_) {
    // nop
  }

  /// Whether one more may happen now. `now` may go backwards.
  bool try_take(mono_time now) {
    std::lock_guard guard{mutex_};
    if (now > filled_) {
      auto passed = std::chrono::duration<double>{now - filled_}.count();
      tokens_ = std::min(rate_, tokens_ + passed * rate_);
      filled_ = now;
    }
    if (tokens_ < 1)
      return false;
    tokens_ -= 1;
    return true;
  }

private:
  std::mutex mutex_;
  const double rate_;
  double tokens_;
  mono_time filled_{};
};

} // namespace galaxycache
