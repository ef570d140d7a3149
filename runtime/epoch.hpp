#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace galaxycache {

// How memory is freed that other threads may be reading: epoch-based
// reclamation (Fraser, "Practical lock-freedom", 2004), with the readers' fence
// moved to the writer where the system has membarrier(2), as liburcu does it.
//
// Threads that read announce since when; who unlinks something frees it once
// nobody reads since before. One set of announcements serves the process: as
// an allocator's, its state is no cache's.

namespace detail {

/// A thread's announcement. Never freed; another thread may take it over.
struct alignas(64) reader_slot {
  std::atomic<std::uint64_t> since{0}; // 0: reads nothing
  std::uint32_t depth = 0;             // of its own thread only
  std::atomic<bool> taken{true};
  // Constant once listed.
  std::uint32_t number = 0;
  reader_slot* next = nullptr;
};

inline constinit thread_local reader_slot* this_threads_slot = nullptr;
inline constinit std::atomic<std::uint64_t> epoch_now{1};
// Constant before there is a slot.
inline constinit std::atomic<bool> has_membarrier{false};

/// Gives this thread a slot until it ends.
reader_slot* take_slot();

/// A full fence, in code that the thread sanitizer understands.
void full_fence() noexcept;

/// A reader's announcement comes before its reads.
inline void announced() noexcept {
  if (has_membarrier.load(std::memory_order_relaxed)) [[likely]]
    std::atomic_signal_fence(std::memory_order_seq_cst);
  else
    full_fence();
}

} // namespace detail

/// While it lives, nothing is freed that this thread reads. Costs a few
/// nanoseconds, may be nested, never blocks. Do not hold one for long: what is
/// evicted meanwhile keeps its memory. The first of a thread may throw
/// `std::bad_alloc`.
class read_guard {
public:
  read_guard()
    : slot_(detail::this_threads_slot ? detail::this_threads_slot
                                      : detail::take_slot()) {
    if (slot_->depth++ == 0) {
      slot_->since.store(detail::epoch_now.load(std::memory_order_acquire),
                         std::memory_order_relaxed);
      detail::announced();
    }
  }

  read_guard(const read_guard&) = delete;
  read_guard& operator=(const read_guard&) = delete;

  ~read_guard() {
    if (--slot_->depth == 0)
      slot_->since.store(0, std::memory_order_release);
  }

  /// Tells this thread from all others that live, from 0 on.
  std::uint32_t thread_number() const noexcept {
    return slot_->number;
  }

private:
  detail::reader_slot* slot_;
};

/// What one writer has unlinked and readers may still read. Not thread-safe.
class limbo {
public:
  limbo() = default;

  limbo(const limbo&) = delete;
  limbo& operator=(const limbo&) = delete;

  /// Frees all that is left: nobody may read it any more.
  ~limbo();

  /// Takes what no reader finds any more, which `free` will free; `bytes` is
  /// what it costs.
  void add(void* what, void (*free)(void*), std::size_t bytes);

  /// Frees what nobody reads any more.
  void collect();

  /// What is unlinked and not freed.
  std::size_t bytes() const noexcept {
    return bytes_;
  }

  std::size_t size() const noexcept {
    return items_.size();
  }

private:
  struct item {
    std::uint64_t epoch; // the last in which it was found; 0: not known yet
    void* what;
    void (*free)(void*);
    std::size_t bytes;
  };

  std::deque<item> items_; // oldest first
  std::size_t bytes_ = 0;
};

} // namespace galaxycache
