#pragma once

#include "galaxycache/runtime/worker_pool.hpp"

#include <cstddef>
#include <mutex>
#include <vector>

namespace galaxycache {

/// Memory for the arenas of a galaxy, in chunks of the size of a huge page.
///
/// The first touch of a huge page has the system find and zero all of it: that
/// takes milliseconds on a virtual machine whose host has to find the memory
/// first. So where there are many, a thread of this source's own touches some
/// more before they are wanted. Who comes too early touches one itself.
///
/// Chunks in huge pages are parts of larger mappings and not unmapped while the
/// source lives: Linux changes no mapping of which a page is being found.
///
/// Thread-safe; no call waits for that thread, but for the end of the source,
/// which waits for a touch under way.
class chunk_source {
public:
  static constexpr std::size_t chunk_bytes = std::size_t{2} << 20;

  enum class pages { ordinary, huge };

  /// From so many taken ones in huge pages on, one is ready: at most an eighth.
  static constexpr std::size_t ready_from = 8;

  /// One more is ready for each so many that are taken: some 3 %.
  static constexpr std::size_t taken_for_more = 32;

  /// But no more are ready than so many for each arena. Those of one galaxy
  /// grow alike, and want theirs at about the same time; a second one is for
  /// when this thread does not get to run at once.
  static constexpr std::size_t ready_for_arena = 2;

  /// What is mapped at once of huge pages.
  static constexpr std::size_t mapped_at_once = 16;

  /// Huge pages are a wish, as the system may have none; without it, there are
  /// ordinary ones, whatever the system's default is.
  explicit chunk_source(bool huge_pages = true);

  chunk_source(const chunk_source&) = delete;
  chunk_source& operator=(const chunk_source&) = delete;

  ~chunk_source();

  bool has_huge_pages() const noexcept {
    return huge_pages_;
  }

  /// An arena begins to take from here.
  void add_arena() noexcept;

  /// It ends, and will give so many of those in huge pages not back, but unmap
  /// them.
  void remove_arena(std::size_t kept = 0) noexcept;

  /// A chunk that is aligned to its size, and touched if it is in huge pages,
  /// which may be asked for only where there are any. Null if there is no
  /// memory.
  void* take(pages which) noexcept;

  /// Of the kind it was taken as.
  void give_back(void* chunk, pages which) noexcept;

  /// Instead of giving it back, once the source may be gone.
  static void unmap(void* chunk) noexcept;

  /// What it has touched and nobody has taken.
  std::size_t ready_bytes() const noexcept;

  /// How many chunks it is touching, or is to.
  std::size_t on_their_way() const noexcept;

private:
  class touching;

  using chunk_list = std::vector<void*>;

  std::size_t wanted() const noexcept;
  std::size_t missing() const noexcept;
  void* take_touched() noexcept;
  void* take_untouched(std::unique_lock<std::mutex>& guard,
                       std::size_t left) noexcept;
  void keep(void* touched, std::unique_lock<std::mutex>& guard) noexcept;
  void drop_surplus(std::unique_lock<std::mutex>& guard) noexcept;
  void touch(std::size_t count) noexcept;
  void make_ready() noexcept;

  const bool huge_pages_;
  mutable std::mutex mutex_;
  std::size_t arenas_ = 0;
  std::size_t taken_ = 0; // in huge pages
  std::size_t on_their_way_ = 0;
  chunk_list ready_;
  chunk_list untouched_; // addresses, and no memory
  worker_pool toucher_{1};
};

} // namespace galaxycache
