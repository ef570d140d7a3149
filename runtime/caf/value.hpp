#pragma once

#include "galaxycache/runtime/caf/read.hpp"
#include "galaxycache/runtime/value.hpp"

#include <caf/detail/stringification_inspector.hpp>
#if !GALAXYCACHE_CAF_1
#  include <caf/serializer.hpp>
#endif

#include <algorithm>
#include <string>

namespace galaxycache {

// How a value crosses CAF's wire: its size and its bytes, copied once on each
// side. CAF's logs get the size only.

namespace detail {

inline bool read_value(caf::binary_deserializer& f, value& x) {
  auto bytes = read_sized_bytes(f);
  if (bytes)
    x = value::copy(*bytes);
  return bytes.has_value();
}

} // namespace detail

#if GALAXYCACHE_CAF_1

template <class Inspector>
bool inspect(Inspector& f, value& x) {
  if constexpr (std::is_same_v<Inspector,
                               caf::detail::stringification_inspector>) {
    return f.value(static_cast<std::uint64_t>(x.size()));
  } else if constexpr (Inspector::is_loading) {
    return read_or(f, x, detail::read_value, [&] {
      std::string bytes;
      if (!f.value(bytes))
        return false;
      x = value::take(std::move(bytes));
      return true;
    });
  } else {
    return f.value(x.bytes());
  }
}

#else

inline caf::error inspect(caf::serializer& f, value& x) {
  auto size = x.size();
  if (auto err = f.begin_sequence(size))
    return err;
  // The serializer only reads, whatever its signature says.
  if (auto err = f.apply_raw(size, const_cast<char*>(x.bytes().data())))
    return err;
  return f.end_sequence();
}

inline caf::error inspect(caf::deserializer& f, value& x) {
  return read_or(f, x, detail::read_value, [&]() -> caf::error {
    // What a message claims to hold is believed as far as it delivers.
    constexpr std::size_t step = 1 << 20;
    std::size_t size = 0;
    if (auto err = f.begin_sequence(size))
      return err;
    std::string bytes;
    while (bytes.size() < size) {
      auto old_size = bytes.size();
      // Doubling keeps the copying linear.
      bytes.resize(old_size
                   + std::min(size - old_size, std::max(step, old_size)));
      if (auto err = f.apply_raw(bytes.size() - old_size, &bytes[old_size]))
        return err;
    }
    x = value::take(std::move(bytes));
    return f.end_sequence();
  });
}

inline void inspect(caf::detail::stringification_inspector& f, value& x) {
  auto size = static_cast<std::uint64_t>(x.size());
  f(size);
}

#endif

} // namespace galaxycache
