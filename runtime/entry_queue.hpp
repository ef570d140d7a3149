#pragma once

#include "galaxycache/runtime/entry.hpp"

#include <cstddef>

namespace galaxycache {

/// Entries in a row, by their links. An entry is in one queue at most. Not
/// thread-safe.
class entry_queue {
public:
  void push(entry& x) noexcept {
    x.older = newest_;
    x.newer = nullptr;
    (newest_ ? newest_->newer : oldest_) = &x;
    newest_ = &x;
    ++size_;
  }

  void remove(entry& x) noexcept {
    (x.newer ? x.newer->older : newest_) = x.older;
    (x.older ? x.older->newer : oldest_) = x.newer;
    --size_;
  }

  /// Puts an entry where another is.
  void replace(entry& old, entry& now) noexcept {
    now.newer = old.newer;
    now.older = old.older;
    (now.newer ? now.newer->older : newest_) = &now;
    (now.older ? now.older->newer : oldest_) = &now;
  }

  entry* oldest() const noexcept {
    return oldest_;
  }

  std::size_t size() const noexcept {
    return size_;
  }

  void clear() noexcept {
    *this = {};
  }

private:
  entry* newest_ = nullptr;
  entry* oldest_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace galaxycache
