#include "galaxycache/runtime/chunk_source.hpp"

#include "galaxycache/runtime/address_sanitizer.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>

namespace galaxycache {

namespace {

constexpr auto chunk_bytes = chunk_source::chunk_bytes;

// That thread maps more when there are fewer, so that nobody else has to.
constexpr std::size_t untouched_min = chunk_source::mapped_at_once / 2;

// A touch ends by itself, and soon.
constexpr auto patience = std::chrono::hours{1};

char* map(std::size_t bytes) noexcept {
  auto* result = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return result == MAP_FAILED ? nullptr : static_cast<char*>(result);
}

/// Aligned to a chunk.
char* map_aligned(std::size_t bytes) noexcept {
  auto past = [](const char* at) {
    return reinterpret_cast<std::uintptr_t>(at) & (chunk_bytes - 1);
  };
  // Mostly it is next to the one before, which is aligned.
  auto* at = map(bytes);
  if (!at || past(at) == 0)
    return at;
  munmap(at, bytes);
  at = map(bytes + chunk_bytes);
  if (!at)
    return nullptr;
  auto before = past(at) == 0 ? 0 : chunk_bytes - past(at);
  if (before != 0)
    munmap(at, before);
  munmap(at + before + bytes, chunk_bytes - before);
  return at + before;
}

/// Some that lie side by side; null if there is no memory.
char* map_chunks(std::size_t count, [[maybe_unused]] bool huge) noexcept {
  auto* result = map_aligned(count * chunk_bytes);
#ifdef MADV_HUGEPAGE
  // A wish: the system may have none.
  if (result)
    madvise(result, count * chunk_bytes,
            huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#endif
  return result;
}

void touch_first(void* chunk) noexcept {
  *static_cast<volatile char*>(chunk) = 0;
}

bool add(std::vector<void*>& to, void* chunk) noexcept {
  try {
    to.push_back(chunk);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

/// Null if there is none.
void* take_last(std::vector<void*>& from) noexcept {
  if (from.empty())
    return nullptr;
  auto* result = from.back();
  from.pop_back();
  return result;
}

void unmap_chunk(void* chunk) noexcept {
  // Refused where there are too many mappings: then it keeps its addresses.
  if (munmap(chunk, chunk_bytes) != 0)
    madvise(chunk, chunk_bytes, MADV_DONTNEED);
}

/// Nothing is in it any more.
void forget(void* chunk) noexcept {
  owns_nothing(chunk, chunk_bytes);
  may_be_used(chunk, chunk_bytes);
}

} // namespace

class chunk_source::touching : public worker_pool::job {
public:
  explicit touching(chunk_source& source) : source_(source) {
    // nop
  }

  void run() override {
    source_.make_ready();
  }

  void deliver() override {
    // nop
  }

private:
  chunk_source& source_;
};

chunk_source::chunk_source(bool huge_pages) : huge_pages_(huge_pages) {
  // nop
}

chunk_source::~chunk_source() {
  toucher_.stop(patience);
  for (auto* list : {&ready_, &untouched_})
    for (auto* chunk : *list)
      unmap_chunk(chunk);
}

void chunk_source::add_arena() noexcept {
  std::lock_guard guard{mutex_};
  ++arenas_;
}

void chunk_source::remove_arena(std::size_t kept) noexcept {
  std::unique_lock guard{mutex_};
  --arenas_;
  taken_ -= kept;
  drop_surplus(guard);
}

void* chunk_source::take(pages which) noexcept {
  auto* result = which == pages::huge ? take_touched() : map_chunks(1, false);
  if (result)
    may_own(result, chunk_bytes);
  return result;
}

void* chunk_source::take_touched() noexcept {
  std::unique_lock guard{mutex_};
  auto* result = take_last(ready_);
  if (!result) {
    result = take_untouched(guard, 0);
    if (!result)
      return nullptr;
    // Before that thread is woken: two at once take twice as long.
    guard.unlock();
    touch_first(result);
    guard.lock();
  }
  ++taken_;
  auto more = missing();
  on_their_way_ += more;
  guard.unlock();
  touch(more);
  return result;
}

void chunk_source::give_back(void* chunk, pages which) noexcept {
  if (which == pages::ordinary)
    return unmap(chunk);
  forget(chunk);
  std::unique_lock guard{mutex_};
  --taken_;
  keep(chunk, guard);
  drop_surplus(guard);
}

void chunk_source::unmap(void* chunk) noexcept {
  forget(chunk);
  unmap_chunk(chunk);
}

std::size_t chunk_source::ready_bytes() const noexcept {
  std::lock_guard guard{mutex_};
  return ready_.size() * chunk_bytes;
}

std::size_t chunk_source::on_their_way() const noexcept {
  std::lock_guard guard{mutex_};
  return on_their_way_;
}

// -- under the lock -----------------------------------------------------------

/// How many should be ready.
std::size_t chunk_source::wanted() const noexcept {
  if (taken_ < ready_from)
    return 0;
  return std::min(1 + taken_ / taken_for_more, arenas_ * ready_for_arena);
}

std::size_t chunk_source::missing() const noexcept {
  auto count = wanted();
  return count - std::min(count, ready_.size() + on_their_way_);
}

/// Leaves so many, if there is memory; unlocks while it maps some.
void* chunk_source::take_untouched(std::unique_lock<std::mutex>& guard,
                                   std::size_t left) noexcept {
  for (auto kept = true; kept && untouched_.size() <= left;) {
    guard.unlock();
    auto* first = map_chunks(mapped_at_once, true);
    guard.lock();
    if (!first)
      break;
    for (auto* x = first + mapped_at_once * chunk_bytes; x != first;) {
      x -= chunk_bytes;
      kept = add(untouched_, x);
      if (!kept)
        unmap_chunk(x);
    }
  }
  return take_last(untouched_);
}

/// For whoever takes it next, with its memory if that is wanted; unlocks while
/// it gives that back.
void chunk_source::keep(void* touched,
                        std::unique_lock<std::mutex>& guard) noexcept {
  if (missing() > 0 && add(ready_, touched))
    return;
  guard.unlock();
  auto emptied = madvise(touched, chunk_bytes, MADV_DONTNEED) == 0;
  guard.lock();
  if (!emptied || !add(untouched_, touched))
    unmap_chunk(touched);
}

void chunk_source::drop_surplus(std::unique_lock<std::mutex>& guard) noexcept {
  while (ready_.size() > wanted())
    keep(take_last(ready_), guard);
}

// -- touching -----------------------------------------------------------------

/// Has that thread touch so many. What it cannot is tried again when the next
/// one is taken.
void chunk_source::touch(std::size_t count) noexcept {
  try {
    for (; count > 0; --count)
      if (!toucher_.submit(std::make_unique<touching>(*this)))
        break;
  } catch (const std::bad_alloc&) {
    // nop
  }
  if (count > 0) {
    std::lock_guard guard{mutex_};
    on_their_way_ -= count;
  }
}

/// By that thread.
void chunk_source::make_ready() noexcept {
  std::unique_lock guard{mutex_};
  auto* chunk = take_untouched(guard, untouched_min);
  if (chunk) {
    guard.unlock();
    touch_first(chunk);
    guard.lock();
  }
  --on_their_way_;
  if (chunk)
    keep(chunk, guard);
}

} // namespace galaxycache
