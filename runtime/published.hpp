#pragma once

#include <memory>
#include <mutex>

namespace galaxycache {

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
    std::lock_guard guard{mutex_};
    return object_;
  }

  void set(std::shared_ptr<const T> replacement) {
    // The old object goes when `replacement` does: after the lock.
    std::lock_guard guard{mutex_};
    object_.swap(replacement);
  }

private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> object_;
};

} // namespace galaxycache
