#pragma once

#include "galaxycache/runtime/entry.hpp"

#include <cstddef>
#include <deque>
#include <optional>

namespace galaxycache {

/// The entries that expire, the next one first: a heap that knows the place of
/// each. Ordered by time alone, so it does not matter how the clock jumps. A
/// deque, because it grows without moving what it holds. Not thread-safe.
class expiry_queue {
public:
  /// Takes in an entry that expires.
  void add(entry& x);

  void remove(entry& x) noexcept;

  /// Gives an entry the place of one that expires at the same time.
  void replace(entry& old, entry& now) noexcept;

  void clear() noexcept {
    heap_.clear();
  }

  /// The entry that expires first, or null.
  entry* next() const noexcept {
    return heap_.empty() ? nullptr : heap_.front().which;
  }

  std::optional<wall_time> when() const noexcept {
    if (heap_.empty())
      return std::nullopt;
    return heap_.front().expiry;
  }

  std::size_t size() const noexcept {
    return heap_.size();
  }

private:
  struct item {
    wall_time expiry;
    entry* which;
  };

  void put(std::size_t at, item x) noexcept {
    x.which->place() = at;
    heap_[at] = x;
  }

  void rise(std::size_t at, item x) noexcept;
  void sink(std::size_t at, item x) noexcept;

  std::deque<item> heap_;
};

} // namespace galaxycache
