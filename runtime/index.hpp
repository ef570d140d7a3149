#pragma once

#include "galaxycache/runtime/entry.hpp"
#include "galaxycache/runtime/epoch.hpp"
#include "galaxycache/runtime/hash.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace galaxycache {

/// Finds the entries of a shard by their keys. One thread at a time writes; any
/// number read meanwhile, under a `read_guard`, without locks or retries: a
/// reader finds a key that is there all the time.
///
/// Extendible hashing (Fagin and others, 1979): growing never moves more than
/// the entries of one segment. Inside of a segment, buckets of one cache line
/// each, with tags of their seven entries and a count of those that had to go
/// further, as in folly's F14 (Bronson and Shi, 2019).
class index {
public:
  /// What is unlinked goes to `unlinked`, which must live as long. `seed` is
  /// of all hashes.
  index(limbo& unlinked, std::uint64_t seed) noexcept
    : unlinked_(unlinked),
      seed_(seed) {
    // nop
  }

  index(const index&) = delete;
  index& operator=(const index&) = delete;

  /// Frees the table, not the entries.
  ~index();

  std::uint64_t hash_of(std::string_view key) const noexcept {
    return hash64(key, seed_);
  }

  /// The entry of a key, or null. `hash` is `hash_of(key)`.
  entry* find(std::uint64_t hash, std::string_view key) const noexcept {
    auto* all = directory_.load(std::memory_order_acquire);
    if (!all) [[unlikely]]
      return nullptr;
    // Most are the first in their own bucket that looks like them.
    auto& here = bucket_of(*all, hash);
    auto tags = here.tags.load(std::memory_order_acquire);
    auto hits = matches(tags, tag_of(hash) * every_tag);
    if (hits == 0 && tags < one_beyond)
      return nullptr;
    if (hits != 0) [[likely]] {
      auto* x = here.places[place_of(hits)].load(std::memory_order_acquire);
      if (x && x->has_key(key)) [[likely]]
        return x;
    }
    return locate(hash, key).which;
  }

  /// Has the processor fetch where the entry of a key may be found.
  void prefetch(std::uint64_t hash) const noexcept {
    if (auto* all = directory_.load(std::memory_order_acquire))
      __builtin_prefetch(&bucket_of(*all, hash));
  }

  /// The same for the entry itself, once that is there.
  void prefetch_entry(std::uint64_t hash) const noexcept {
    auto* all = directory_.load(std::memory_order_acquire);
    if (!all)
      return;
    auto& here = bucket_of(*all, hash);
    auto hits = matches(here.tags.load(std::memory_order_relaxed),
                        tag_of(hash) * every_tag);
    if (hits != 0)
      __builtin_prefetch(
        here.places[place_of(hits)].load(std::memory_order_relaxed));
  }

  // -- for the writer ---------------------------------------------------------

  /// Adds an entry, or puts it in the place of its key's old one, which is
  /// returned. Changes nothing if it throws `std::bad_alloc`.
  entry* put(std::uint64_t hash, entry& x);

  /// Removes a key's entry and returns it, or null.
  entry* erase(std::uint64_t hash, std::string_view key) noexcept;

  /// Forgets all entries at once: a reader finds the old ones or none.
  void clear() noexcept;

  /// What the table costs in memory.
  std::size_t bytes() const noexcept {
    return bytes_;
  }

  std::size_t size() const noexcept {
    return size_;
  }

private:
  static constexpr std::size_t places_per_bucket = 7;
  static constexpr std::size_t buckets_max = 512; // of a segment: 32 KiB
  // Buckets that an entry's may be away from its own.
  static constexpr std::size_t steps_max = 16;
  // Bits of a hash: which bucket, which segment, which tag.
  static constexpr unsigned segment_shift = 20;
  static constexpr unsigned depth_max = 28;
  static constexpr unsigned tag_shift = 48;
  static constexpr std::uint64_t every_tag = 0x0001'0101'0101'0101;
  static constexpr std::uint64_t top_bits = every_tag << 7;
  static constexpr std::uint64_t one_beyond = std::uint64_t{1} << 56;

  struct alignas(64) bucket {
    /// A tag per place, 0 for none; above them, how many entries that belong
    /// here or before are further on.
    std::atomic<std::uint64_t> tags{0};
    std::array<std::atomic<entry*>, places_per_bucket> places{};
  };

  /// A power of two buckets follow.
  struct alignas(64) segment {
    std::size_t entries = 0;
    std::size_t bucket_count = 0;
    unsigned depth = 0; // bits of the hash that its entries have in common

    bucket* buckets() noexcept {
      return reinterpret_cast<bucket*>(this + 1);
    }
  };

  /// A power of two pointers to segments follow: several may lead to one.
  struct directory {
    std::uint64_t bucket_mask = 0;
    std::uint64_t segment_mask = 0;

    std::atomic<segment*>* begin() noexcept {
      return reinterpret_cast<std::atomic<segment*>*>(this + 1);
    }

    std::atomic<segment*>& at(std::uint64_t hash) noexcept {
      return begin()[(hash >> segment_shift) & segment_mask];
    }
  };

  static bucket& bucket_of(directory& all, std::uint64_t hash) noexcept {
    return all.at(hash)
      .load(std::memory_order_acquire)
      ->buckets()[hash & all.bucket_mask];
  }

  /// Where an entry is, and how far from its own bucket.
  struct location {
    entry* which = nullptr;
    bucket* where = nullptr;
    std::size_t place = 0;
    std::size_t steps = 0;
  };

  static constexpr std::uint64_t tag_of(std::uint64_t hash) noexcept {
    auto tag = hash >> tag_shift & 0xff;
    return tag + (tag == 0);
  }

  /// A bit for each byte of `tags` that is the pattern's, and at times for one
  /// above it that is not.
  static constexpr std::uint64_t matches(std::uint64_t tags,
                                         std::uint64_t pattern) noexcept {
    auto x = tags ^ pattern;
    return (x - every_tag) & ~x & top_bits;
  }

  static std::size_t place_of(std::uint64_t match) noexcept {
    return static_cast<std::size_t>(std::countr_zero(match)) / 8;
  }

  /// Calls `f(entry*, bucket&, place, steps)` with where a key's entry is, if
  /// there is one.
  template <class F>
  [[gnu::always_inline]] void
  search(std::uint64_t hash, std::string_view key, F f) const noexcept {
    auto* all = directory_.load(std::memory_order_acquire);
    if (!all) [[unlikely]]
      return;
    auto* buckets = all->at(hash).load(std::memory_order_acquire)->buckets();
    auto pattern = tag_of(hash) * every_tag;
    for (std::size_t step = 0; step < steps_max; ++step) {
      auto& here = buckets[(hash + step) & all->bucket_mask];
      auto tags = here.tags.load(std::memory_order_acquire);
      for (auto hits = matches(tags, pattern); hits != 0; hits &= hits - 1) {
        auto place = place_of(hits);
        auto* x = here.places[place].load(std::memory_order_acquire);
        if (x && x->has_key(key)) [[likely]]
          return f(x, here, place, step);
      }
      if (tags < one_beyond) [[likely]]
        return;
    }
  }

  location locate(std::uint64_t hash, std::string_view key) const noexcept;

  static std::size_t segment_bytes(std::size_t buckets) noexcept;
  static std::size_t directory_bytes(std::size_t segments) noexcept;
  static segment* make_segment(std::size_t buckets, unsigned depth);
  static directory* make_directory(std::size_t segments, std::size_t buckets);
  static bool place(segment& s, std::uint64_t hash, entry& x) noexcept;
  void unlink(segment* s) noexcept;
  void unlink(directory* d) noexcept;
  void grow(std::uint64_t hash);
  bool move_all(segment& from, segment* even, segment* odd) const noexcept;

  limbo& unlinked_;
  const std::uint64_t seed_;
  std::atomic<directory*> directory_{nullptr};
  std::size_t bytes_ = 0;
  std::size_t size_ = 0;
};

} // namespace galaxycache
