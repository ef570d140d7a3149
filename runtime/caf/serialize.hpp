#pragma once

#include "galaxycache/runtime/caf/version.hpp"

#include <caf/actor_system.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galaxycache {

/// The bytes that CAF sends for `x`, or nothing if it cannot send it.
template <class T>
std::optional<std::string> to_bytes(caf::actor_system& system, const T& x) {
#if GALAXYCACHE_CAF_1
  caf::byte_buffer bytes;
  caf::binary_serializer sink{system, bytes};
  if (!sink.apply(x))
    return std::nullopt;
  return std::string{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
#else
  std::vector<char> bytes;
  caf::binary_serializer sink{system, bytes};
  if (auto why = sink(x))
    return std::nullopt;
  return std::string{bytes.begin(), bytes.end()};
#endif
}

/// What CAF makes of bytes it got, or nothing if it refuses them.
template <class T>
std::optional<T> from_bytes(caf::actor_system& system, std::string_view bytes) {
  std::optional<T> x{std::in_place};
  caf::binary_deserializer source{system, bytes.data(), bytes.size()};
#if GALAXYCACHE_CAF_1
  if (!source.apply(*x))
    return std::nullopt;
#else
  if (auto why = source(*x))
    return std::nullopt;
#endif
  return x;
}

} // namespace galaxycache
