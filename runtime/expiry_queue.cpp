#include "galaxycache/runtime/expiry_queue.hpp"

#include <algorithm>

namespace galaxycache {

namespace {

// Children of one item lie side by side.
constexpr std::size_t children = 4;

} // namespace

void expiry_queue::add(entry& x) {
  item added{x.expiry(), &x};
  heap_.push_back(added);
  rise(heap_.size() - 1, added);
}

void expiry_queue::remove(entry& x) noexcept {
  auto at = x.place();
  auto last = heap_.back();
  heap_.pop_back();
  if (last.which == &x)
    return;
  if (last.expiry < x.expiry())
    rise(at, last);
  else
    sink(at, last);
}

void expiry_queue::replace(entry& old, entry& now) noexcept {
  put(old.place(), {now.expiry(), &now});
}

void expiry_queue::rise(std::size_t at, item x) noexcept {
  while (at > 0) {
    auto parent = (at - 1) / children;
    if (heap_[parent].expiry <= x.expiry)
      break;
    put(at, heap_[parent]);
    at = parent;
  }
  put(at, x);
}

void expiry_queue::sink(std::size_t at, item x) noexcept {
  for (;;) {
    auto first = at * children + 1;
    if (first >= heap_.size())
      break;
    auto least = first;
    auto end = std::min(first + children, heap_.size());
    for (auto child = first + 1; child < end; ++child)
      if (heap_[child].expiry < heap_[least].expiry)
        least = child;
    if (x.expiry <= heap_[least].expiry)
      break;
    put(at, heap_[least]);
    at = least;
  }
  put(at, x);
}

} // namespace galaxycache
