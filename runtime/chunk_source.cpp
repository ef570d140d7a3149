#include "galaxycache/runtime/chunk_source.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#  define GALAXYCACHE_ADDRESS_SANITIZER
#elif defined(__has_feature) // as clang says it
#  if __has_feature(address_sanitizer)
#    define GALAXYCACHE_ADDRESS_SANITIZER
#  endif
#endif

#ifdef GALAXYCACHE_ADDRESS_SANITIZER
#  include <sanitizer/asan_interface.h>
#  include <sanitizer/lsan_interface.h>
#endif

namespace galaxycache {

namespace {

constexpr auto chunk_bytes = chunk_source::chunk_bytes;

// To end what is being touched; longer, and it ends on its own.
constexpr auto patience = std::chrono::seconds{1};

void* map_aligned(std::size_t bytes) noexcept {
  auto map = [](std::size_t n) {
    auto* result = mmap(nullptr, n, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return result == MAP_FAILED ? nullptr : static_cast<char*>(result);
  };
  auto past = [bytes](const char* at) {
    return reinterpret_cast<std::uintptr_t>(at) & (bytes - 1);
  };
  // Mostly it is next to the one before, which is aligned.
  auto* at = map(bytes);
  if (!at || past(at) == 0)
    return at;
  munmap(at, bytes);
  at = map(2 * bytes);
  if (!at)
    return nullptr;
  auto before = past(at) == 0 ? 0 : bytes - past(at);
  if (before != 0)
    munmap(at, before);
  munmap(at + before + bytes, bytes - before);
  return at + before;
}

void* map_chunk(bool huge) noexcept {
  auto* result = map_aligned(chunk_bytes);
  if (!result)
    return nullptr;
#ifdef MADV_HUGEPAGE
  // A wish: the system may have none.
  madvise(result, chunk_bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#endif
#ifdef GALAXYCACHE_ADDRESS_SANITIZER
  __lsan_register_root_region(result, chunk_bytes);
#endif
  return result;
}

void touch(void* chunk) noexcept {
  *static_cast<volatile char*>(chunk) = 0;
}

} // namespace

class chunk_source::touching : public worker_pool::job {
public:
  explicit touching(chunk_source& source) : source_(source) {
    // nop
  }

  ~touching() override {
    if (chunk_)
      unmap(chunk_);
  }

  void run() override {
    chunk_ = map_chunk(true);
    if (chunk_)
      touch(chunk_);
  }

  void deliver() override {
    source_.add(std::exchange(chunk_, nullptr));
  }

private:
  chunk_source& source_;
  void* chunk_ = nullptr;
};

chunk_source::chunk_source(bool huge_pages) : huge_pages_(huge_pages) {
  // nop
}

chunk_source::~chunk_source() {
  toucher_.stop(patience);
  while (first_)
    unmap(std::exchange(first_, first_->next));
}

void chunk_source::add_arena() noexcept {
  std::lock_guard guard{mutex_};
  ++arenas_;
}

void chunk_source::remove_arena() noexcept {
  std::lock_guard guard{mutex_};
  --arenas_;
}

void* chunk_source::take(pages which) noexcept {
  auto huge = huge_pages_ && which == pages::huge;
  std::unique_lock guard{mutex_};
  void* result = nullptr;
  if (huge && first_) {
    result = first_;
    first_ = first_->next;
    --ready_count_;
  } else {
    guard.unlock();
    result = map_chunk(huge);
    // Now, as it takes twice as long while another one is being touched.
    if (result && huge)
      touch(result);
    guard.lock();
  }
  if (result) {
    ++taken_;
    if (huge)
      touch_more();
  }
  return result;
}

/// If that cannot be now, it is tried with the next one that is taken.
void chunk_source::touch_more() noexcept {
  if (taken_ < ready_from)
    return;
  auto wanted = std::min(1 + taken_ / taken_for_more,
                         arenas_ * ready_for_arena);
  while (ready_count_ + on_its_way_ < wanted) {
    try {
      if (!toucher_.submit(std::make_unique<touching>(*this)))
        return;
    } catch (const std::bad_alloc&) {
      return;
    }
    ++on_its_way_;
  }
}

/// Null if there was no memory.
void chunk_source::add(void* touched) noexcept {
  std::lock_guard guard{mutex_};
  --on_its_way_;
  if (!touched)
    return;
  first_ = new (touched) ready{first_};
  ++ready_count_;
}

void chunk_source::give_back(void* chunk) noexcept {
  {
    std::lock_guard guard{mutex_};
    --taken_;
  }
  unmap(chunk);
}

void chunk_source::unmap(void* chunk) noexcept {
#ifdef GALAXYCACHE_ADDRESS_SANITIZER
  __lsan_unregister_root_region(chunk, chunk_bytes);
  __asan_unpoison_memory_region(chunk, chunk_bytes);
#endif
  // Refused where there are too many mappings: then it keeps its addresses.
  if (munmap(chunk, chunk_bytes) != 0)
    madvise(chunk, chunk_bytes, MADV_DONTNEED);
}

std::size_t chunk_source::ready_bytes() const noexcept {
  std::lock_guard guard{mutex_};
  return ready_count_ * chunk_bytes;
}

} // namespace galaxycache
