#pragma once

#include "galaxycache/runtime/chunk_source.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace galaxycache {

/// Memory for the entries of one shard, in chunks that huge pages can back: a
/// read waits for an entry's address to be translated as long as for the entry
/// itself where there are more pages than the processor has room to remember.
///
/// Two-level segregated fit (Masmano, Ripoll, Crespo and Real, "TLSF", ECRTS
/// 2004) with the boundary tags of Knuth, both over all chunks. One thread at a
/// time allocates; any may give a block back, and waits for nobody, also after
/// the arena has been closed: a chunk lives as long as blocks in it.
class entry_arena {
  struct closer {
    void operator()(entry_arena* x) const noexcept {
      x->close();
    }
  };

public:
  using handle = std::unique_ptr<entry_arena, closer>;

  static constexpr auto chunk_bytes = chunk_source::chunk_bytes;

  /// More is not for an arena.
  static constexpr std::size_t request_bytes_max = 16 * 1024;

  /// Takes huge pages if there are any, from its second chunk on: what is
  /// little should not take 2 MiB. It takes nothing before it has to.
  static handle open(std::shared_ptr<chunk_source> chunks);

  // -- for any thread ---------------------------------------------------------

  /// Gives a block back to the arena that it is of.
  static void free(void* block) noexcept;

  // -- for the writer ---------------------------------------------------------

  /// A block of at least so many bytes, aligned to 16; null if that is too much
  /// or there is no memory. Costs `allocated_bytes(bytes)`.
  void* allocate(std::size_t bytes) noexcept;

  /// Says that a block will be given back as soon as nobody reads it. Before it
  /// is, or it may be named below meanwhile.
  static void retire(void* block) noexcept;

  /// A block to be copied to another and then given back, so that its chunk
  /// can be, too; null if so much is used of what is mapped that it is not
  /// worth it. None that is retired is named, and one that is not moved only a
  /// thousand calls later again. To be called from time to time.
  void* next_to_move() noexcept;

  /// Whether a chunk could be given back as soon as the blocks that were named
  /// are; true now and then as long as it could.
  bool waits() const noexcept;

  /// Takes in what was given back, up to this many blocks.
  void take_in(std::size_t blocks = SIZE_MAX) noexcept;

  /// What it has mapped.
  std::size_t mapped_bytes() const noexcept {
    return mapped_;
  }

  /// What it has mapped and nobody uses.
  std::size_t unused_bytes() const noexcept {
    return mapped_ - used_;
  }

private:
  struct block;
  struct chunk;

  /// A block that was given back and has not been taken in.
  struct returned {
    returned* next;
  };

  explicit entry_arena(std::shared_ptr<chunk_source> chunks) noexcept
    : source_(std::move(chunks)) {
    source_->add_arena();
  }

  ~entry_arena() = default;

  void close() noexcept;
  void free_late(chunk* c) noexcept;
  void release(block* x) noexcept;
  bool begin_moving() noexcept;
  chunk* chunk_to_move() noexcept;
  bool map_chunk() noexcept;
  void unmap(chunk* c) noexcept;
  block* find(std::size_t bytes) const noexcept;
  void make_free(block* x, std::size_t bytes) noexcept;
  void list(block* x) noexcept;
  void unlist(block* x) noexcept;
  void list_all(chunk& c) noexcept;
  void unlist_all(chunk& c) noexcept;

  // Below this, blocks of one size each; from there on, eight of each power of
  // two.
  static constexpr std::size_t exact_bytes = 512;
  static constexpr std::size_t classes = 128;

  static std::size_t class_of(std::size_t bytes) noexcept;

  static constinit returned closed_; // instead of what was given back

  // By whoever gives back: the last one, or that the arena is closed.
  alignas(64) std::atomic<returned*> returned_{nullptr};
  std::atomic<std::size_t> chunks_left_{0}; // once closed

  // By the writer.
  alignas(64) returned* taken_ = nullptr; // from there, to be taken in
  std::array<block*, classes> free_{};
  std::array<std::uint64_t, classes / 64> has_free_{};
  chunk* chunks_ = nullptr;
  chunk* plain_ = nullptr; // the first, where others are in huge pages
  chunk* moving_ = nullptr;
  block* next_moved_ = nullptr;
  unsigned patience_ = 0;
  std::size_t empty_chunks_ = 0;
  std::size_t mapped_ = 0;
  std::size_t used_ = 0;
  std::shared_ptr<chunk_source> source_; // until it is closed
};

} // namespace galaxycache
