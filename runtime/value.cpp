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

std::string_view value::block::bytes_of_string() const noexcept {
  return static_cast<const string_block*>(this)->owned;
}

value value::copy(std::string_view bytes) {
  if (bytes.empty())
    return {};
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max())
    return take(std::string{bytes});
  auto* memory = ::operator new(sizeof(block) + bytes.size());
  auto* result = new (memory) block;
  result->offset = sizeof(block);
  result->size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(static_cast<char*>(memory) + sizeof(block), bytes.data(),
              bytes.size());
  return value{result};
}

value value::take(std::string&& bytes) {
  if (bytes.empty())
    return {};
  return value{new string_block{std::move(bytes)}};
}

void value::destroy(block* x) noexcept {
  switch (x->is) {
    case block::kind::plain:
      x->~block();
      return ::operator delete(x);
    case block::kind::string:
      delete static_cast<string_block*>(x);
      return;
    case block::kind::entry:
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
