#pragma once

#include "galaxycache/runtime/caf/types.hpp"

#include <caf/binary_deserializer.hpp>
#if !GALAXYCACHE_CAF_1
#  include <caf/deserializer.hpp>
#endif

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace galaxycache {

// How to read what CAF has written without its help, to leave bytes where they
// are.

/// The next bytes of what is read, where they are; nothing if there are not as
/// many.
inline std::optional<std::string_view> read_bytes(caf::binary_deserializer& f,
                                                  std::size_t size) {
  if (f.remaining() < size)
    return std::nullopt;
  auto* from = reinterpret_cast<const char*>(f.remainder().data());
  f.skip(size);
  return std::string_view{from, size};
}

/// The size of a sequence, or of a string, whose elements are next. CAF writes
/// nothing at its end.
inline std::optional<std::size_t> read_size(caf::binary_deserializer& f) {
  std::size_t result = 0;
#if GALAXYCACHE_CAF_1
  if (!f.begin_sequence(result))
    return std::nullopt;
#else
  if (f.begin_sequence(result))
    return std::nullopt;
#endif
  return result;
}

/// A string or a value: its size, then its bytes.
inline std::optional<std::string_view>
read_sized_bytes(caf::binary_deserializer& f) {
  auto size = read_size(f);
  return size ? read_bytes(f, *size) : std::nullopt;
}

/// Use in `inspect`: has `read` read an object from bytes, and `usual` do all
/// else. `read` returns whether all was there.
template <class Inspector, class T, class Usual>
auto read_or(Inspector& f, T& x, bool (*read)(caf::binary_deserializer&, T&),
             Usual usual) {
#if GALAXYCACHE_CAF_1
  if constexpr (std::is_same_v<Inspector, caf::binary_deserializer>) {
    if (read(f, x))
      return true;
    f.emplace_error(caf::sec::end_of_stream);
    return false;
  } else {
    return usual();
  }
#else
  if constexpr (std::is_base_of_v<caf::deserializer, Inspector>)
    if (auto* binary = dynamic_cast<caf::binary_deserializer*>(&f))
      return read(*binary, x) ? caf::error{}
                              : caf::error{caf::sec::end_of_stream};
  return usual();
#endif
}

} // namespace galaxycache
