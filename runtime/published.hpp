#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

namespace galaxycache {

/// A lock for a few instructions: who waits for it does not sleep.
class spin_lock {
public:
  void lock() noexcept {
    for (int tries = 0; taken_.test_and_set(std::memory_order_acquire); ++tries)
      if (tries % spins == spins - 1)
        std::this_thread::yield(); // whoever has it may not be running
  }

  void unlock() noexcept {
    taken_.clear(std::memory_order_release);
  }

private:
  static constexpr int spins = 64;

  std::atomic_flag taken_;
};

/// A slot for an immutable object that one thread replaces and any thread
/// reads: a reader gets the whole old object or the whole new one.
template <class T>
class published {
public:
  published() = default;

  explicit published(std::shared_ptr<const T> first)
    : object_(std::move(first)) {
    // nop
  }

  std::shared_ptr<const T> get() const {
    std::lock_guard guard{lock_};
    return object_;
  }

  void set(std::shared_ptr<const T> replacement) {
    // The old object goes when `replacement` does: after the lock.
    std::lock_guard guard{lock_};
    object_.swap(replacement);
  }

private:
  mutable spin_lock lock_;
  std::shared_ptr<const T> object_;
};

} // namespace galaxycache
