#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

namespace galaxycache {

/// A lock for a few instructions: nobody has to be woken after it.
class spin_lock {
public:
  void lock() noexcept {
    for (int tries = 0; taken_.test_and_set(std::memory_order_acquire);) {
      while (tries < spins && taken_.test(std::memory_order_relaxed))
        ++tries;
      if (tries < spins)
        continue;
      // Whoever has it is not running, and may be of less importance.
      std::this_thread::sleep_for(std::chrono::microseconds{50});
      tries = 0;
    }
  }

  void unlock() noexcept {
    taken_.clear(std::memory_order_release);
  }

private:
  static constexpr int spins = 1000;

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
