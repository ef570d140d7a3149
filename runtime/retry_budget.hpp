#pragma once

#include <atomic>
#include <cstdint>

namespace galaxycache {

/// Lets second attempts be a share of the first ones, so that whoever is in
/// trouble does not get twice the work. Thread-safe.
class retry_budget {
public:
  /// One second attempt for so many first ones; `saved` are allowed before
  /// there was any.
  explicit retry_budget(std::int64_t price, std::int64_t saved = 0) noexcept
    : price_(price),
      earned_(saved * price) {
    // nop
  }

  /// A first attempt is made.
  void earn() noexcept {
    auto before = earned_.load(std::memory_order_relaxed);
    while (before < saved_max * price_
           && !earned_.compare_exchange_weak(before, before + 1,
                                             std::memory_order_relaxed))
      ;
  }

  /// Whether a second attempt may be made.
  bool try_spend() noexcept {
    auto before = earned_.load(std::memory_order_relaxed);
    while (before >= price_)
      if (earned_.compare_exchange_weak(before, before - price_,
                                        std::memory_order_relaxed))
        return true;
    return false;
  }

private:
  // Second attempts that may be saved for bad times.
  static constexpr std::int64_t saved_max = 100;

  const std::int64_t price_;
  std::atomic<std::int64_t> earned_; // by first attempts, one each
};

} // namespace galaxycache
