#include "galaxycache/runtime/entry_arena.hpp"

#include "galaxycache/runtime/address_sanitizer.hpp"
#include "galaxycache/runtime/value.hpp"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

namespace galaxycache {

namespace {

constexpr std::size_t grain = 16;
constexpr std::size_t header_bytes = 8;
// A free block of less is in no list: it has no room for that.
constexpr std::size_t least_bytes = 32;

// Blocks are moved where more than this part is not used, of all chunks and
// beyond two of them, out of those of which more than this is not.
constexpr std::size_t unused_part = 8;

// What is mapped when the first chunk, which is not in huge pages, is given up.
constexpr std::size_t huge_bytes_min = 4 * entry_arena::chunk_bytes;

// How often to ask for what is to be moved before a chunk of which somebody
// keeps blocks is used again.
constexpr unsigned patience = 1024;

// How often, of those times, whoever moves should see to what is on its way.
constexpr unsigned asked_for_each = 64;

// Blocks taken in before more is mapped.
constexpr std::size_t taken_in_first = 4096;

} // namespace

/// What begins with the size of itself and of which the bytes after that are
/// handed out; the last eight of a free one are its size again.
struct entry_arena::block {
  enum : std::size_t {
    is_free = 1,
    follows_free = 2,
    is_retired = 4,
    all_flags = 15
  };

  std::size_t size_and_flags;
  // Of a free one that is listed:
  block* next;
  block* previous;

  std::size_t bytes() const noexcept {
    return size_and_flags & ~all_flags;
  }

  bool is(std::size_t flags) const noexcept {
    return (size_and_flags & flags) != 0;
  }

  char* base() noexcept {
    return reinterpret_cast<char*>(this);
  }

  block* after() noexcept {
    return reinterpret_cast<block*>(base() + bytes());
  }

  std::size_t& bytes_of_before() noexcept {
    return *reinterpret_cast<std::size_t*>(base() - sizeof(std::size_t));
  }

  block* before() noexcept {
    return reinterpret_cast<block*>(base() - bytes_of_before());
  }

  void* payload() noexcept {
    return base() + header_bytes;
  }

  static block* of(void* payload) noexcept {
    return reinterpret_cast<block*>(static_cast<char*>(payload) - header_bytes);
  }
};

/// What a chunk begins with. Blocks follow, and the header of one that is none.
struct entry_arena::chunk {
  entry_arena* owner;
  chunk_source::pages pages;
  chunk* next = nullptr;
  chunk* previous = nullptr;
  std::uint32_t used_bytes = 0;
  std::uint32_t used_blocks = 0;
  std::uint32_t retired_blocks = 0; // of those
  // Blocks, once the arena is closed; below zero while it is being closed.
  std::atomic<std::int64_t> left{0};
  bool listed = true; // whether its free blocks are
  bool stuck = false; // somebody keeps blocks of it that are retired

  block* first() noexcept {
    // What is behind a header is aligned.
    constexpr auto at = (sizeof(chunk) + header_bytes + grain - 1) / grain
                          * grain
                        - header_bytes;
    return reinterpret_cast<block*>(reinterpret_cast<char*>(this) + at);
  }

  block* end() noexcept {
    return reinterpret_cast<block*>(reinterpret_cast<char*>(this) + chunk_bytes
                                    - header_bytes);
  }

  static chunk* of(const void* inside) noexcept {
    auto at = reinterpret_cast<std::uintptr_t>(inside) & ~(chunk_bytes - 1);
    return reinterpret_cast<chunk*>(at);
  }
};

constinit entry_arena::returned entry_arena::closed_{nullptr};

entry_arena::handle entry_arena::open(std::shared_ptr<chunk_source> chunks) {
  return handle{new entry_arena{std::move(chunks)}};
}

// -- for any thread -----------------------------------------------------------

void entry_arena::free(void* memory) noexcept {
  auto* c = chunk::of(memory);
  auto* self = c->owner; // lives: there is a block that it did not get back
  auto* head = self->returned_.load(std::memory_order_acquire);
  if (head == &closed_)
    return self->free_late(c);
  auto* x = new (memory) returned{head};
  while (!self->returned_.compare_exchange_weak(
    x->next, x, std::memory_order_acq_rel, std::memory_order_acquire))
    if (x->next == &closed_)
      return self->free_late(c);
}

/// Of a closed arena: who gives the last block of a chunk back unmaps it, and
/// who unmaps the last chunk ends the arena.
void entry_arena::free_late(chunk* c) noexcept {
  if (c->left.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  chunk_source::unmap(c);
  if (chunks_left_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete this;
}

void entry_arena::close() noexcept {
  std::size_t count = 1; // and this
  for (auto* c = chunks_; c; c = c->next)
    ++count;
  chunks_left_.store(count, std::memory_order_relaxed);
  auto source = std::move(source_);
  auto* last = returned_.exchange(&closed_, std::memory_order_acq_rel);
  for (auto* x : {taken_, last})
    for (; x; x = x->next)
      --chunk::of(x)->used_blocks;
  std::size_t kept = 0; // of those in huge pages
  for (auto* c = chunks_; c;) {
    auto* next = c->next;
    auto which = c->pages;
    auto used = std::int64_t{c->used_blocks};
    if (c->left.fetch_add(used, std::memory_order_acq_rel) + used == 0) {
      source->give_back(c, which);
      chunks_left_.fetch_sub(1, std::memory_order_relaxed);
    } else if (which == chunk_source::pages::huge) {
      ++kept;
    }
    c = next;
  }
  source->remove_arena(kept);
  if (chunks_left_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete this;
}

// -- for the writer -----------------------------------------------------------

void* entry_arena::allocate(std::size_t bytes) noexcept {
  if (bytes > request_bytes_max)
    return nullptr;
  auto need = allocated_bytes(bytes);
  auto* x = find(need);
  if (!x) {
    take_in(taken_in_first);
    x = find(need);
  }
  if (!x) {
    if (!map_chunk())
      return nullptr;
    x = find(need);
  }
  unlist(x);
  auto* c = chunk::of(x);
  if (c->used_blocks++ == 0)
    --empty_chunks_;
  c->used_bytes += static_cast<std::uint32_t>(need);
  used_ += need;
  // None that is free follows another.
  auto rest = x->bytes() - need;
  may_be_used(x, need);
  x->size_and_flags = need;
  if (rest != 0) {
    make_free(x->after(), rest);
    list(x->after());
  } else {
    x->after()->size_and_flags &= ~std::size_t{block::follows_free};
  }
  return x->payload();
}

void entry_arena::retire(void* memory) noexcept {
  block::of(memory)->size_and_flags |= block::is_retired;
  ++chunk::of(memory)->retired_blocks;
}

void* entry_arena::next_to_move() noexcept {
  if (!moving_ && !begin_moving())
    return nullptr;
  while (next_moved_ != moving_->end()) {
    auto* x = next_moved_;
    next_moved_ = x->after();
    if (!x->is(block::is_free | block::is_retired))
      return x->payload();
  }
  // Once all of it is given back, it is unmapped.
  if (--patience_ == 0) {
    list_all(*moving_);
    moving_->stuck = moving_->retired_blocks > 0;
    moving_ = nullptr;
    patience_ = patience;
  }
  return nullptr;
}

bool entry_arena::waits() const noexcept {
  return moving_ && next_moved_ == moving_->end()
         && patience_ % asked_for_each == asked_for_each - 1;
}

/// Chooses a chunk to be given back and has nothing more allocated there.
bool entry_arena::begin_moving() noexcept {
  auto* best = chunk_to_move();
  if (!best)
    return false;
  moving_ = best;
  next_moved_ = best->first();
  unlist_all(*best);
  patience_ = patience;
  return true;
}

/// The first one, once there are enough in huge pages; or the one that is used
/// least, if that is worth it.
entry_arena::chunk* entry_arena::chunk_to_move() noexcept {
  if (plain_ && plain_->used_blocks > 0 && mapped_ >= huge_bytes_min)
    return std::exchange(plain_, nullptr);
  if (unused_bytes() <= std::max(mapped_ / unused_part, 2 * chunk_bytes))
    return nullptr;
  if (patience_ > 0) {
    --patience_;
    return nullptr;
  }
  chunk* best = nullptr;
  // But not the latest, where they would go to.
  auto most = chunk_bytes - chunk_bytes / unused_part;
  for (auto* c = chunks_->next; c; c = c->next)
    if (!c->stuck && c->used_blocks > 0 && c->used_bytes <= most
        && (!best || c->used_bytes < best->used_bytes))
      best = c;
  if (!best)
    patience_ = patience;
  return best;
}

void entry_arena::take_in(std::size_t blocks) noexcept {
  for (; blocks > 0; --blocks) {
    if (!taken_) {
      if (!returned_.load(std::memory_order_relaxed))
        return;
      taken_ = returned_.exchange(nullptr, std::memory_order_acquire);
    }
    auto* x = taken_;
    taken_ = x->next;
    release(block::of(x));
  }
}

void entry_arena::release(block* x) noexcept {
  auto* c = chunk::of(x);
  auto bytes = x->bytes();
  used_ -= bytes;
  c->used_bytes -= static_cast<std::uint32_t>(bytes);
  --c->used_blocks;
  if (x->is(block::is_retired) && --c->retired_blocks == 0)
    c->stuck = false;
  if (auto* next = x->after(); next->is(block::is_free)) {
    bytes += next->bytes();
    unlist(next);
  }
  if (x->is(block::follows_free)) {
    x = x->before();
    bytes += x->bytes();
    unlist(x);
  }
  make_free(x, bytes);
  if (c == moving_ && next_moved_ > x && next_moved_ < x->after())
    next_moved_ = x;
  // One that is empty is kept for what comes next.
  if (c->used_blocks == 0) {
    if (c == moving_ || empty_chunks_ > 0)
      return unmap(c);
    ++empty_chunks_;
  }
  list(x);
}

// -- chunks -------------------------------------------------------------------

bool entry_arena::map_chunk() noexcept {
  using enum chunk_source::pages;
  auto which = chunks_ && source_->has_huge_pages() ? huge : ordinary;
  auto* memory = source_->take(which);
  if (!memory)
    return false;
  auto* c = new (memory) chunk{this, which};
  if (!chunks_ && source_->has_huge_pages())
    plain_ = c;
  c->next = chunks_;
  if (chunks_)
    chunks_->previous = c;
  chunks_ = c;
  mapped_ += chunk_bytes;
  ++empty_chunks_;
  auto* x = c->first();
  c->end()->size_and_flags = 0;
  make_free(x, static_cast<std::size_t>(c->end()->base() - x->base()));
  list(x);
  return true;
}

/// Of a chunk that nothing is used of, and nothing listed.
void entry_arena::unmap(chunk* c) noexcept {
  if (c == moving_) {
    moving_ = nullptr;
    patience_ = 0;
  }
  if (c == plain_)
    plain_ = nullptr;
  (c->previous ? c->previous->next : chunks_) = c->next;
  if (c->next)
    c->next->previous = c->previous;
  mapped_ -= chunk_bytes;
  source_->give_back(c, c->pages);
}

void entry_arena::list_all(chunk& c) noexcept {
  c.listed = true;
  for (auto* x = c.first(); x != c.end(); x = x->after())
    if (x->is(block::is_free))
      list(x);
}

void entry_arena::unlist_all(chunk& c) noexcept {
  for (auto* x = c.first(); x != c.end(); x = x->after())
    if (x->is(block::is_free))
      unlist(x);
  c.listed = false;
}

// -- free blocks --------------------------------------------------------------

std::size_t entry_arena::class_of(std::size_t bytes) noexcept {
  if (bytes < exact_bytes)
    return bytes / grain;
  auto power = static_cast<std::size_t>(std::bit_width(bytes)) - 1;
  auto eighth = bytes >> (power - 3) & 7;
  constexpr auto first = std::size_t{std::bit_width(exact_bytes)} - 1;
  return exact_bytes / grain + (power - first) * 8 + eighth;
}

/// A free block that is large enough: any of a class of which all are.
entry_arena::block* entry_arena::find(std::size_t bytes) const noexcept {
  if (bytes >= exact_bytes)
    bytes += (std::bit_floor(bytes) >> 3) - 1;
  auto from = class_of(bytes);
  for (auto word = from / 64; word < has_free_.size(); ++word) {
    auto some = has_free_[word];
    if (word == from / 64)
      some &= ~std::uint64_t{0} << from % 64;
    if (some != 0)
      return free_[word * 64
                   + static_cast<std::size_t>(std::countr_zero(some))];
  }
  return nullptr;
}

/// Makes one free block of some memory whose neighbours are used.
void entry_arena::make_free(block* x, std::size_t bytes) noexcept {
  may_be_used(x, std::min(bytes, sizeof(block)));
  x->size_and_flags = bytes | block::is_free;
  auto* next = x->after();
  may_be_used(&next->bytes_of_before(), sizeof(bytes));
  next->bytes_of_before() = bytes;
  next->size_and_flags |= block::follows_free;
  if (bytes > least_bytes)
    must_not_be_used(x + 1, bytes - least_bytes);
}

void entry_arena::list(block* x) noexcept {
  if (x->bytes() < least_bytes || !chunk::of(x)->listed)
    return;
  auto which = class_of(x->bytes());
  auto& first = free_[which];
  x->previous = nullptr;
  x->next = first;
  if (first)
    first->previous = x;
  first = x;
  has_free_[which / 64] |= std::uint64_t{1} << which % 64;
}

void entry_arena::unlist(block* x) noexcept {
  if (x->bytes() < least_bytes || !chunk::of(x)->listed)
    return;
  if (x->next)
    x->next->previous = x->previous;
  if (x->previous) {
    x->previous->next = x->next;
    return;
  }
  auto which = class_of(x->bytes());
  free_[which] = x->next;
  if (!x->next)
    has_free_[which / 64] &= ~(std::uint64_t{1} << which % 64);
}

} // namespace galaxycache
