#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace galaxycache {

/// Immutable, counted bytes: what a cache holds and what a get answers.
///
/// Copying a value shares its bytes and costs one relaxed atomic increment;
/// the bytes themselves are never copied between actors.
/// Thread safety: distinct value objects may share bytes across threads; one
/// object is no more thread-safe than an `int`.
class value {
public:
  /// The empty value; owns nothing.
  value() noexcept = default;

  value(const value& other) noexcept : block_(other.block_) {
    if (block_)
      block_->refs.fetch_add(1, std::memory_order_relaxed);
  }

  value(value&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {
    // nop
  }

  value& operator=(value other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }

  ~value() {
    release(block_);
  }

  /// Copies `bytes` once, into one allocation.
  static value copy(std::string_view bytes);

  /// Adopts `bytes` without copying them.
  static value take(std::string&& bytes);

  /// Some of these bytes, without copying them: all of them stay in memory as
  /// long as the part does. `offset + size` must not exceed the size.
  value part(std::size_t offset, std::size_t size) const;

  /// The bytes; valid as long as this value (or a copy of it) lives.
  std::string_view bytes() const noexcept {
    return block_ ? block_->bytes() : std::string_view{};
  }

  std::size_t size() const noexcept {
    return bytes().size();
  }

  bool empty() const noexcept {
    return size() == 0;
  }

  /// Whether both share the same bytes in memory, not merely equal ones.
  bool shares_bytes_with(const value& other) const noexcept {
    return block_ == other.block_;
  }

  friend bool operator==(const value& x, const value& y) noexcept {
    return x.block_ == y.block_ || x.bytes() == y.bytes();
  }

  /// What these bytes cost in memory, all in, whoever else shares them.
  std::size_t footprint() const noexcept;

private:
  friend class entry;
  friend class value_buffer;

  struct string_block;
  struct part_block;

  /// What values share, with the bytes behind it or not.
  struct block {
    enum class kind : std::uint8_t {
      /// The bytes follow at `offset`.
      plain,
      /// The bytes are those of a string_block.
      string,
      /// The bytes are some of another's: a part_block.
      part,
      /// A plain block that is an `entry`, of an arena or by itself.
      entry,
      lone_entry,
    };

    std::string_view bytes() const noexcept {
      if (offset == 0) [[unlikely]]
        return bytes_elsewhere();
      return {reinterpret_cast<const char*>(this) + offset, size};
    }

    std::string_view bytes_elsewhere() const noexcept;

    std::atomic<std::uint32_t> refs{1};
    std::uint32_t offset = 0; // 0: the bytes are elsewhere
    std::uint32_t size = 0;   // bytes
    kind is = kind::plain;
  };

  static void release(block* x) noexcept {
    if (x && x->refs.fetch_sub(1, std::memory_order_acq_rel) == 1)
      destroy(x);
  }

  static void destroy(block* x) noexcept;

  explicit value(block* adopted) noexcept : block_(adopted) {
    // nop
  }

  block* block_ = nullptr;
};

/// Bytes to be filled in before they become a value. Move-only.
/// Thread safety: several threads may fill different bytes; for all else, one
/// at a time.
class value_buffer {
public:
  /// Of bytes that are not initialised. Throws `std::bad_alloc`.
  explicit value_buffer(std::size_t size);

  value_buffer(value_buffer&&) noexcept = default;
  value_buffer& operator=(value_buffer&&) noexcept = default;

  /// Where to write.
  char* data() noexcept {
    return data_;
  }

  std::size_t size() const noexcept {
    return bytes_.size();
  }

  /// Some of the bytes, which nobody may write any more, as a value; it shares
  /// them. `offset + size` must not exceed the size.
  value part(std::size_t offset, std::size_t size) const {
    return bytes_.part(offset, size);
  }

  /// The value. Nobody may write from here on.
  value finish() && noexcept {
    return std::move(bytes_);
  }

private:
  value bytes_;
  char* data_ = nullptr;
};

/// What an allocation of this size costs, as glibc rounds it: 16 bytes at a
/// time with a header of 8, or whole pages where it is large.
std::size_t allocated_bytes(std::size_t size) noexcept;

} // namespace galaxycache
