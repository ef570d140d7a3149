#include "galaxycache/runtime/value.hpp"

#include "galaxycache/runtime/entry.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

namespace galaxycache {

/// The bytes live in a string that somebody gave us.
struct value::string_block : block {
  explicit string_block(std::string&& bytes) : owned(std::move(bytes)) {
    is = kind::string;
  }

  std::string owned;
};

/// The bytes are those of another block.
struct value::part_block : block {
  part_block(const value& whole, std::string_view some)
    : whole(whole),
      some(some) {
    is = kind::part;
  }

  value whole;
  std::string_view some;
};

std::string_view value::block::bytes_elsewhere() const noexcept {
  if (is == kind::part)
    return static_cast<const part_block*>(this)->some;
  return static_cast<const string_block*>(this)->owned;
}

value value::copy(std::string_view bytes) {
  if (bytes.empty())
    return {};
  value_buffer result{bytes.size()};
  std::memcpy(result.data(), bytes.data(), bytes.size());
  return std::move(result).finish();
}

value_buffer::value_buffer(std::size_t size) {
  using block = value::block;
  if (size == 0)
    return;
  if (size > std::numeric_limits<std::uint32_t>::max()) {
    std::string bytes(size, '\0');
    data_ = bytes.data(); // as large as that, it does not move
    bytes_ = value::take(std::move(bytes));
    return;
  }
  auto* memory = ::operator new(sizeof(block) + size);
  auto* result = new (memory) block;
  result->offset = sizeof(block);
  result->size = static_cast<std::uint32_t>(size);
  data_ = static_cast<char*>(memory) + sizeof(block);
  bytes_ = value{result};
}

value value::take(std::string&& bytes) {
  if (bytes.empty())
    return {};
  return value{new string_block{std::move(bytes)}};
}

value value::part(std::size_t offset, std::size_t size) const {
  auto some = bytes().substr(offset, size);
  return some.empty() ? value{} : value{new part_block{*this, some}};
}

void value::destroy(block* x) noexcept {
  switch (x->is) {
    case block::kind::plain:
      x->~block();
      return ::operator delete(x);
    case block::kind::string:
      delete static_cast<string_block*>(x);
      return;
    case block::kind::part:
      delete static_cast<part_block*>(x);
      return;
    case block::kind::entry:
    case block::kind::lone_entry:
      return entry::destroy(static_cast<entry*>(x));
  }
}

std::size_t value::footprint() const noexcept {
  if (!block_)
    return 0;
  switch (block_->is) {
    case block::kind::string: {
      auto& owned = static_cast<const string_block*>(block_)->owned;
      auto inside = owned.capacity() < sizeof(std::string);
      return allocated_bytes(sizeof(string_block))
             + (inside ? 0 : allocated_bytes(owned.capacity() + 1));
    }
    case block::kind::part:
      return allocated_bytes(sizeof(part_block))
             + static_cast<const part_block*>(block_)->whole.footprint();
    default:
      return allocated_bytes(std::size_t{block_->offset} + block_->size);
  }
}

std::size_t allocated_bytes(std::size_t size) noexcept {
  constexpr std::size_t header = 8;
  constexpr std::size_t grain = 16;
  constexpr std::size_t least = 32;
  constexpr std::size_t mapped_min = 128 * 1024;
  constexpr std::size_t page = 4096;
  auto chunk = std::max(least, (size + header + grain - 1) / grain * grain);
  if (chunk < mapped_min)
    return chunk;
  return (chunk + header + page - 1) / page * page;
}

} // namespace galaxycache
