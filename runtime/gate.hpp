#pragma once

#include <atomic>
#include <cstddef>

namespace galaxycache {

/// Counts what it lets in, up to a limit: the bound on a way in.
///
/// Mailboxes and queues have no bound of their own, so whoever sends counts
/// here first and answers `overloaded` when refused. Thread-safe; the limit
/// is exact.
class gate {
public:
  explicit gate(std::size_t limit) noexcept : limit_(limit) {
    // nop
  }

  gate(const gate&) = delete;
  gate& operator=(const gate&) = delete;

  /// Lets `n` in, or none of them.
  bool try_enter(std::size_t n = 1) noexcept {
    auto before = inside_.load(std::memory_order_relaxed);
    do {
      if (n > limit_ - before)
        return false;
    } while (!inside_.compare_exchange_weak(before, before + n,
                                            std::memory_order_relaxed));
    return true;
  }

  /// Lets in as many of `n` as there is room for and says how many.
  std::size_t enter_some(std::size_t n) noexcept {
    auto before = inside_.load(std::memory_order_relaxed);
    std::size_t some = 0;
    do
      some = n < limit_ - before ? n : limit_ - before;
    while (!inside_.compare_exchange_weak(before, before + some,
                                          std::memory_order_relaxed));
    return some;
  }

  void leave(std::size_t n = 1) noexcept {
    inside_.fetch_sub(n, std::memory_order_relaxed);
  }

  std::size_t inside() const noexcept {
    return inside_.load(std::memory_order_relaxed);
  }

  std::size_t limit() const noexcept {
    return limit_;
  }

private:
  const std::size_t limit_;
  std::atomic<std::size_t> inside_{0};
};

} // namespace galaxycache
