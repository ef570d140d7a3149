#pragma once

#include <atomic>
#include <cstdint>

namespace galaxycache {

/// Lets second attempts be a tenth of the first ones, so that whoever is in
/// trouble does not get twice the work. Thread-safe.
class retry_budget {
public:
  /// A first attempt is made.
  void earn() noexcept {
    auto before = tenths_.load(std::memory_order_relaxed);
    while (before < saved_max
           && !tenths_.compare_exchange_weak(before, before + 1,
                                             std::memory_order_relaxed))
      ;
  }

  /// Whether a second attempt may be made.
  bool try_spend() noexcept {
    auto before = tenths_.load(std::memory_order_relaxed);
    while (before >= price)
      if (tenths_.compare_exchange_weak(before, before - price,
                                        std::memory_order_relaxed))
        return true;
    return false;
  }

private:
  static constexpr std::int64_t price = 10;
  // What may be saved for bad times; at first there is some, for those that
  // begin with them.
  static constexpr std::int64_t saved_max = 1000;

  std::atomic<std::int64_t> tenths_{100};
};

} // namespace galaxycache
