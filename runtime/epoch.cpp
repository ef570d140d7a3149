#include "galaxycache/runtime/epoch.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#ifdef __linux__
#  include <linux/membarrier.h>
#  include <sys/syscall.h>
#  include <unistd.h>
#endif

#if defined(__SANITIZE_THREAD__)
#  define GALAXYCACHE_THREAD_SANITIZER
#elif defined(__has_feature) // as clang says it
#  if __has_feature(thread_sanitizer)
#    define GALAXYCACHE_THREAD_SANITIZER
#  endif
#endif

namespace galaxycache {

namespace detail {

namespace {

constinit std::atomic<reader_slot*> all_slots{nullptr};

bool membarrier(bool first) noexcept {
#ifdef __linux__
  auto command = first ? MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
                       : MEMBARRIER_CMD_PRIVATE_EXPEDITED;
  return syscall(SYS_membarrier, command, 0, 0) == 0;
#else
  return false;
#endif
}

void prepare() noexcept {
  static std::once_flag once;
  std::call_once(once, [] { has_membarrier = membarrier(true); });
}

/// Gives the slot back when the thread ends.
struct lease {
  ~lease() {
    if (auto* slot = std::exchange(this_threads_slot, nullptr))
      slot->taken.store(false, std::memory_order_release);
  }
};

/// All announcements made before are seen after, and whoever announces later
/// sees what was unlinked before.
void meet_readers() noexcept {
  prepare();
  full_fence();
  if (has_membarrier.load(std::memory_order_relaxed))
    membarrier(false);
}

/// Since when the longest reading thread reads.
std::uint64_t oldest_reader() noexcept {
  auto result = ~std::uint64_t{0};
  for (auto* slot = all_slots.load(std::memory_order_acquire); slot;
       slot = slot->next)
    if (auto since = slot->since.load(std::memory_order_acquire); since != 0)
      result = std::min(result, since);
  return result;
}

} // namespace

reader_slot* take_slot() {
  prepare();
  static thread_local lease at_thread_end;
  static_cast<void>(at_thread_end);
  for (auto* slot = all_slots.load(std::memory_order_acquire); slot;
       slot = slot->next)
    if (!slot->taken.load(std::memory_order_relaxed)
        && !slot->taken.exchange(true, std::memory_order_acquire))
      return this_threads_slot = slot;
  auto* slot = new reader_slot;
  slot->next = all_slots.load(std::memory_order_acquire);
  do {
    slot->number = slot->next ? slot->next->number + 1 : 0;
  } while (!all_slots.compare_exchange_weak(slot->next, slot,
                                            std::memory_order_acq_rel));
  return this_threads_slot = slot;
}

void full_fence() noexcept {
#ifdef GALAXYCACHE_THREAD_SANITIZER
  // It does not know fences; on the machines it runs on, this is one.
  static constinit thread_local std::atomic<int> any{0};
  any.exchange(0, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

} // namespace detail

limbo::~limbo() {
  for (auto& x : items_)
    x.free(x.what);
}

void limbo::add(void* what, void (*free)(void*), std::size_t bytes) {
  items_.push_back({0, what, free, bytes});
  bytes_ += bytes;
}

void limbo::collect() {
  if (items_.empty())
    return;
  // Whoever reads the next epoch from here on finds none of this any more.
  auto epoch = detail::epoch_now.fetch_add(1, std::memory_order_acq_rel);
  for (auto i = items_.rbegin(); i != items_.rend() && i->epoch == 0; ++i)
    i->epoch = epoch;
  detail::meet_readers();
  auto oldest = detail::oldest_reader();
  while (!items_.empty() && items_.front().epoch < oldest) {
    auto x = items_.front();
    items_.pop_front();
    bytes_ -= x.bytes;
    x.free(x.what);
  }
}

} // namespace galaxycache
