#pragma once

#include <atomic>
#include <cstddef>
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
    if (block_ && block_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1)
      block_->destroy(block_);
  }

  /// Copies `bytes` once, into one allocation.
  static value copy(std::string_view bytes);

  /// Adopts `bytes` without copying them.
  static value take(std::string&& bytes);

  /// The bytes; valid as long as this value (or a copy of it) lives.
  std::string_view bytes() const noexcept {
    return block_ ? block_->bytes : std::string_view{};
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

private:
  struct block {
    std::atomic<std::size_t> refs;
    std::string_view bytes;
    void (*destroy)(block*) noexcept;
  };

  struct inline_block;
  struct string_block;

  explicit value(block* adopted) noexcept : block_(adopted) {
    // nop
  }

  block* block_ = nullptr;
};

} // namespace galaxycache
