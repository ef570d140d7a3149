#pragma once

#include "galaxycache/runtime/worker_pool.hpp"

#include <cstddef>
#include <mutex>

namespace galaxycache {

/// Memory for the arenas of a galaxy, in chunks of the size of a huge page.
///
/// The first touch of a huge page has the system find and zero all of it: that
/// takes milliseconds on a virtual machine whose host has to find the memory
/// first. So where there are many, a thread of this source's own touches some
/// more before they are wanted. Thread-safe, and nobody waits for that thread:
/// who comes too early gets a chunk that is not touched yet.
class chunk_source {
public:
  static constexpr std::size_t chunk_bytes = std::size_t{2} << 20;

  /// From so many taken ones on, one is ready; for each so many, one more; but
  /// no more than so many for each arena. Those of one galaxy want theirs at
  /// about the same time.
  static constexpr std::size_t ready_from = 8;
  static constexpr std::size_t taken_for_more = 32;
  static constexpr std::size_t ready_for_arena = 2;

  enum class pages { ordinary, huge };

  /// Huge pages are a wish, as the system may have none; without it, there are
  /// ordinary ones, whatever is asked for and the system's default is.
  explicit chunk_source(bool huge_pages = true);

  chunk_source(const chunk_source&) = delete;
  chunk_source& operator=(const chunk_source&) = delete;

  ~chunk_source();

  bool has_huge_pages() const noexcept {
    return huge_pages_;
  }

  /// An arena begins or ends to take from here.
  void add_arena() noexcept;
  void remove_arena() noexcept;

  /// Aligned to its size; null if there is no memory.
  void* take(pages which) noexcept;

  void give_back(void* chunk) noexcept;

  /// Instead of giving it back, once the source may be gone.
  static void unmap(void* chunk) noexcept;

  /// What it has touched and nobody has taken.
  std::size_t ready_bytes() const noexcept;

private:
  class touching;

  /// What a chunk begins with that is ready.
  struct ready {
    ready* next;
  };

  void touch_more() noexcept;
  void add(void* touched) noexcept;

  const bool huge_pages_;
  mutable std::mutex mutex_;
  std::size_t arenas_ = 0;
  std::size_t taken_ = 0;
  std::size_t on_its_way_ = 0; // being touched, or will be
  std::size_t ready_count_ = 0;
  ready* first_ = nullptr;
  worker_pool toucher_{1};
};

} // namespace galaxycache
