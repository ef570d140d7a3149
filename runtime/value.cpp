#include "galaxycache/runtime/value.hpp"

#include <cstring>
#include <new>

namespace galaxycache {

/// The bytes follow the block in the same allocation.
struct value::inline_block : block {
  static void destroy_this(block* self) noexcept {
    static_cast<inline_block*>(self)->~inline_block();
    ::operator delete(self);
  }
};

/// The bytes live in a string that somebody gave us.
struct value::string_block : block {
  std::string owned;

  static void destroy_this(block* self) noexcept {
    delete static_cast<string_block*>(self);
  }
};

value value::copy(std::string_view bytes) {
  if (bytes.empty())
    return {};
  auto* memory = ::operator new(sizeof(inline_block) + bytes.size());
  auto* result = new (memory) inline_block;
  auto* data = static_cast<char*>(memory) + sizeof(inline_block);
  std::memcpy(data, bytes.data(), bytes.size());
  result->refs.store(1, std::memory_order_relaxed);
  result->bytes = {data, bytes.size()};
  result->destroy = inline_block::destroy_this;
  return value{result};
}

value value::take(std::string&& bytes) {
  if (bytes.empty())
    return {};
  auto* result = new string_block;
  result->refs.store(1, std::memory_order_relaxed);
  result->owned = std::move(bytes);
  result->bytes = result->owned;
  result->destroy = string_block::destroy_this;
  return value{result};
}

} // namespace galaxycache
