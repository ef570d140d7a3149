#pragma once

#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/entry_arena.hpp"
#include "galaxycache/runtime/hotness.hpp"
#include "galaxycache/runtime/value.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

namespace galaxycache {

/// A key and its value as a cache holds them: in one block of memory, or, if
/// the value is large, beside it. Counted as values are. Any thread may read
/// it; the rest is for the writer of its shard.
///
/// The block: this object, then as far as it has them the timing, the rating
/// and the shared value, then the key, then the value's bytes.
class entry : public value::block {
  // First, in what the base leaves of its last word.
  std::uint8_t flags_ = 0;
  std::uint8_t queue_ = 0;
  std::atomic<std::uint8_t> uses_{0};

public:
  /// A value that is no larger is copied into the entry, for one miss of the
  /// processor's cache instead of two; a larger one is shared.
  static constexpr std::size_t copied_bytes_max = 1024;

  struct traits {
    wall_time expiry = never_expires;
    /// For the hot cache: what its rate is reckoned from.
    const key_stats* rate = nullptr;
  };

  /// The caller owns the one reference to it. Of the arena, if there is one
  /// and it has room.
  static entry* make(std::string_view key, const value& data,
                     const traits& with, entry_arena* from = nullptr);

  /// Gives up a reference.
  static void drop(entry* x) noexcept {
    value::release(x);
  }

  // -- for any thread ---------------------------------------------------------

  std::string_view key() const noexcept {
    return {base() + key_offset(), key_bytes()};
  }

  bool has_key(std::string_view other) const noexcept {
    // The most common kind apart: a processor that guesses right fetches the
    // key before it knows the flags.
    auto own = flags_ == 0 ? std::string_view{base() + sizeof(entry),
                                              offset - sizeof(entry)}
                           : key();
    return own.size() == other.size()
           && same(own.data(), other.data(), own.size());
  }

  /// The value's bytes.
  std::string_view data() const noexcept {
    if (flags_ & shares) [[unlikely]]
      return shared().bytes();
    return block::bytes();
  }

  /// The value, counted.
  value share() const noexcept;

  bool expires() const noexcept {
    return (flags_ & expiring) != 0;
  }

  wall_time expiry() const noexcept {
    return expires() ? timing_of().expiry : never_expires;
  }

  bool is_hot() const noexcept {
    return (flags_ & rated) != 0;
  }

  /// Counts a read: nothing is written once the count is at its limit.
  void touch() noexcept {
    if (auto n = uses_.load(std::memory_order_relaxed); n < uses_max)
      uses_.store(n + 1, std::memory_order_relaxed);
    if (is_hot()) [[unlikely]]
      count_hit();
  }

  // -- for the writer ---------------------------------------------------------

  static constexpr std::uint8_t uses_max = 3;

  std::uint8_t uses() const noexcept {
    return uses_.load(std::memory_order_relaxed);
  }

  void set_uses(std::uint8_t n) noexcept {
    uses_.store(n, std::memory_order_relaxed);
  }

  /// What it costs in memory, all in but its place in an index.
  std::size_t cost() const noexcept;

  /// The same without a value that it shares.
  std::size_t cost_alone() const noexcept;

  /// What one made of this would cost.
  static std::size_t cost_of(std::string_view key, const value& data,
                             const traits& with) noexcept;

  /// The same at another place, as far as the cache is concerned; it is in no
  /// queue.
  entry* copy(entry_arena* from) const;

  /// The entry in a block of an arena.
  static entry* in(void* block) noexcept {
    return std::launder(static_cast<entry*>(block));
  }

  /// Says that it is not in the cache any more.
  void retire() noexcept {
    if (is == kind::entry)
      entry_arena::retire(this);
  }

  /// The rate of a hot entry, as of now.
  key_stats rate(mono_time now) const noexcept;

  /// Its place in an expiry_queue.
  std::size_t& place() noexcept {
    return timing_of().place;
  }

  /// Its neighbours in the order of eviction, and which queue of that it is in.
  entry* newer = nullptr;
  entry* older = nullptr;

  std::uint8_t queue() const noexcept {
    return queue_;
  }

  void set_queue(std::uint8_t which) noexcept {
    queue_ = which;
  }

private:
  friend class value;

  enum : std::uint8_t { expiring = 1, rated = 2, shares = 4 };

  struct timing {
    wall_time expiry;
    std::size_t place;
  };

  struct rating {
    mono_time epoch;
    std::atomic<std::uint64_t> hits;
  };

  entry() = default;
  ~entry() = default;

  /// As memcmp has it; without a call for keys of a common length.
  static bool same(const char* x, const char* y, std::size_t bytes) noexcept {
    auto word = [](const char* at) {
      std::uint64_t result;
      std::memcpy(&result, at, sizeof(result));
      return result;
    };
    if (bytes - 8 > 24)
      return std::memcmp(x, y, bytes) == 0;
    // Words may overlap.
    auto last = bytes - 8;
    auto differ = (word(x) ^ word(y)) | (word(x + last) ^ word(y + last));
    if (bytes > 16) {
      auto middle = bytes - 16;
      differ |= (word(x + 8) ^ word(y + 8))
                | (word(x + middle) ^ word(y + middle));
    }
    return differ == 0;
  }

  static void destroy(entry* x) noexcept;

  const char* base() const noexcept {
    return reinterpret_cast<const char*>(this);
  }

  static std::uint8_t flags_of(const value& data, const traits& with) noexcept;

  /// Where the key begins.
  static std::size_t key_offset(std::uint8_t flags) noexcept;

  std::size_t key_offset() const noexcept {
    return key_offset(flags_);
  }

  /// What is behind the key of one that shares its value is not ours.
  std::size_t key_bytes() const noexcept {
    return flags_ & shares ? size : offset - key_offset();
  }

  timing& timing_of() const noexcept;
  rating& rating_of() const noexcept;
  const value& shared() const noexcept;
  void count_hit() noexcept;
};

inline std::size_t entry::key_offset(std::uint8_t flags) noexcept {
  static constexpr auto offsets = [] {
    std::array<std::uint8_t, 8> result{};
    for (std::size_t x = 0; x < result.size(); ++x)
      result[x] = static_cast<std::uint8_t>(
        sizeof(entry) + (x & expiring ? sizeof(timing) : 0)
        + (x & rated ? sizeof(rating) : 0) + (x & shares ? sizeof(value) : 0));
    return result;
  }();
  return offsets[flags];
}

} // namespace galaxycache
