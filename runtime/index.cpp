#include "galaxycache/runtime/index.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace galaxycache {

namespace {

constexpr std::size_t line = 64;

// Not by the aligned new, which does not find what it gave back: glibc looks
// for more than that, to have room to align it.
void* make_lines(std::size_t bytes) {
  auto* memory = static_cast<char*>(::operator new(bytes + line));
  auto past = reinterpret_cast<std::uintptr_t>(memory) % line;
  auto* result = memory + (line - past);
  new (result - sizeof(memory)) char* {memory};
  return result;
}

std::size_t cost_of_lines(std::size_t bytes) {
  return allocated_bytes(bytes + line);
}

void free_lines(void* p) {
  char* memory;
  std::memcpy(&memory, static_cast<char*>(p) - sizeof(memory), sizeof(memory));
  ::operator delete(memory);
}

/// Fuller than this, and entries stray too far from their buckets.
constexpr std::size_t fill(std::size_t places) noexcept {
  return places * 27 / 32;
}

} // namespace

index::~index() {
  auto* all = directory_.load(std::memory_order_relaxed);
  if (!all)
    return;
  for (auto i = all->segment_mask + 1; i-- > 0;) {
    // By the first of those that lead to it, which comes last.
    auto* s = all->begin()[i].load(std::memory_order_relaxed);
    if (i >> s->depth == 0)
      free_lines(s);
  }
  free_lines(all);
}

std::size_t index::segment_bytes(std::size_t buckets) noexcept {
  return sizeof(segment) + buckets * sizeof(bucket);
}

std::size_t index::directory_bytes(std::size_t segments) noexcept {
  return sizeof(directory) + segments * sizeof(std::atomic<segment*>);
}

index::segment* index::make_segment(std::size_t buckets, unsigned depth) {
  auto* result = new (make_lines(segment_bytes(buckets))) segment;
  result->bucket_count = buckets;
  result->depth = depth;
  std::uninitialized_default_construct_n(result->buckets(), buckets);
  return result;
}

index::directory* index::make_directory(std::size_t segments,
                                        std::size_t buckets) {
  auto* result = new (make_lines(directory_bytes(segments)))
    directory{buckets - 1, segments - 1};
  std::uninitialized_value_construct_n(result->begin(), segments);
  return result;
}

void index::unlink(segment* s) noexcept {
  auto cost = cost_of_lines(segment_bytes(s->bucket_count));
  bytes_ -= cost;
  unlinked_.add(s, free_lines, cost);
}

void index::unlink(directory* d) noexcept {
  auto cost = cost_of_lines(directory_bytes(d->segment_mask + 1));
  bytes_ -= cost;
  unlinked_.add(d, free_lines, cost);
}

/// Puts an entry whose key is not there into a segment; false if there is no
/// room near enough.
bool index::place(segment& s, std::uint64_t hash, entry& x) noexcept {
  auto mask = s.bucket_count - 1;
  auto limit = std::min(steps_max, s.bucket_count);
  for (std::size_t step = 0; step < limit; ++step) {
    auto& here = s.buckets()[(hash + step) & mask];
    auto tags = here.tags.load(std::memory_order_relaxed);
    auto room = matches(tags, 0);
    if (room == 0)
      continue;
    // Whoever looks for it must not stop before.
    for (std::size_t k = 0; k < step; ++k) {
      auto& before = s.buckets()[(hash + k) & mask].tags;
      before.store(before.load(std::memory_order_relaxed) + one_beyond,
                   std::memory_order_release);
    }
    auto at = place_of(room);
    here.places[at].store(&x, std::memory_order_release);
    here.tags.store(tags | tag_of(hash) << 8 * at, std::memory_order_release);
    ++s.entries;
    return true;
  }
  return false;
}

index::location index::locate(std::uint64_t hash,
                              std::string_view key) const noexcept {
  location result;
  search(hash, key,
         [&](entry* x, bucket& where, std::size_t place, std::size_t steps) {
           result = {x, &where, place, steps};
         });
  return result;
}

entry* index::put(std::uint64_t hash, entry& x) {
  if (auto at = locate(hash, x.key()); at.which)
    return at.where->places[at.place].exchange(&x, std::memory_order_acq_rel);
  for (;;) {
    auto* all = directory_.load(std::memory_order_relaxed);
    if (all) {
      auto& s = *all->at(hash).load(std::memory_order_relaxed);
      if (s.entries < fill(s.bucket_count * places_per_bucket)
          && place(s, hash, x)) {
        ++size_;
        return nullptr;
      }
    }
    grow(hash);
  }
}

entry* index::erase(std::uint64_t hash, std::string_view key) noexcept {
  auto at = locate(hash, key);
  if (!at.which)
    return nullptr;
  auto& s = *directory_.load(std::memory_order_relaxed)
               ->at(hash)
               .load(std::memory_order_relaxed);
  auto& tags = at.where->tags;
  tags.store(tags.load(std::memory_order_relaxed)
               & ~(std::uint64_t{0xff} << 8 * at.place),
             std::memory_order_release);
  at.where->places[at.place].store(nullptr, std::memory_order_release);
  for (std::size_t k = 0; k < at.steps; ++k) {
    auto& before = s.buckets()[(hash + k) & (s.bucket_count - 1)].tags;
    before.store(before.load(std::memory_order_relaxed) - one_beyond,
                 std::memory_order_release);
  }
  --s.entries;
  --size_;
  return at.which;
}

void index::clear() noexcept {
  auto* all = directory_.exchange(nullptr, std::memory_order_acq_rel);
  if (!all)
    return;
  for (std::size_t i = 0; i <= all->segment_mask; ++i) {
    auto* s = all->begin()[i].load(std::memory_order_relaxed);
    if (i >> s->depth == 0)
      unlink(s);
  }
  unlink(all);
  size_ = 0;
}

/// Copies all of a segment into one or two others, by the first bit that its
/// entries do not have in common; false if they do not fit.
bool index::move_all(segment& from, segment* even,
                     segment* odd) const noexcept {
  for (std::size_t b = 0; b < from.bucket_count; ++b)
    for (auto& each : from.buckets()[b].places)
      if (auto* x = each.load(std::memory_order_relaxed)) {
        auto hash = hash_of(x->key());
        auto bit = hash >> (segment_shift + from.depth) & 1;
        if (!place(odd && bit ? *odd : *even, hash, *x))
          return false;
      }
  return true;
}

/// Makes room where this hash belongs. All is made before any of it is seen.
void index::grow(std::uint64_t hash) {
  using lines = std::unique_ptr<void, void (*)(void*)>;
  auto* all = directory_.load(std::memory_order_relaxed);
  if (!all) {
    lines first{make_segment(1, 0), free_lines};
    auto* fresh = make_directory(1, 1);
    bytes_ += cost_of_lines(segment_bytes(1))
              + cost_of_lines(directory_bytes(1));
    fresh->begin()[0].store(static_cast<segment*>(first.release()),
                            std::memory_order_relaxed);
    directory_.store(fresh, std::memory_order_release);
    return;
  }
  auto* old = all->at(hash).load(std::memory_order_relaxed);
  if (old->bucket_count < buckets_max) {
    // There is but this one.
    for (auto count = old->bucket_count * 2;; count *= 2) {
      if (count > buckets_max)
        throw std::bad_alloc{};
      lines room{make_segment(count, 0), free_lines};
      auto* larger = static_cast<segment*>(room.get());
      if (!move_all(*old, larger, nullptr))
        continue;
      auto* fresh = make_directory(1, count);
      bytes_ += cost_of_lines(segment_bytes(count))
                + cost_of_lines(directory_bytes(1));
      room.release();
      fresh->begin()[0].store(larger, std::memory_order_relaxed);
      directory_.store(fresh, std::memory_order_release);
      unlink(old);
      unlink(all);
      return;
    }
  }
  // Keys that have so much in common were chosen for it.
  if (old->depth >= depth_max)
    throw std::bad_alloc{};
  lines low{make_segment(buckets_max, old->depth + 1), free_lines};
  lines high{make_segment(buckets_max, old->depth + 1), free_lines};
  auto* even = static_cast<segment*>(low.get());
  auto* odd = static_cast<segment*>(high.get());
  if (!move_all(*old, even, odd))
    throw std::bad_alloc{};
  auto segments = all->segment_mask + 1;
  auto* target = all;
  if (segments >> old->depth == 1) {
    target = make_directory(2 * segments, buckets_max);
    bytes_ += cost_of_lines(directory_bytes(2 * segments));
    for (std::size_t i = 0; i < 2 * segments; ++i)
      target->begin()[i].store(all->begin()[i & all->segment_mask].load(
                                 std::memory_order_relaxed),
                               std::memory_order_relaxed);
  }
  bytes_ += 2 * cost_of_lines(segment_bytes(buckets_max));
  auto step = std::size_t{1} << old->depth;
  auto first = hash >> segment_shift & (step - 1);
  for (auto i = first; i <= target->segment_mask; i += step)
    target->begin()[i].store(i & step ? odd : even, std::memory_order_release);
  low.release();
  high.release();
  if (target != all) {
    directory_.store(target, std::memory_order_release);
    unlink(all);
  }
  unlink(old);
}

} // namespace galaxycache
