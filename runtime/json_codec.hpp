#pragma once

// Includes nlohmann/json.hpp, and so nothing of the library includes it.

#include "galaxycache/runtime/codec.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace galaxycache {

namespace detail {

/// Why JSON failed. The library's own words often quote the document.
inline std::string reason_of(const nlohmann::json::exception& thrown) {
  auto number = std::to_string(thrown.id);
  if (auto* e = dynamic_cast<const nlohmann::json::parse_error*>(&thrown))
    return "JSON error " + number + " at byte " + std::to_string(e->byte);
#if !JSON_DIAGNOSTICS
  // A wrong type and a missing key: what the C++ type expects.
  if (thrown.id == 302 || thrown.id == 403)
    return thrown.what();
#endif
  return "JSON error " + number;
}

} // namespace detail

/// JSON text, by the `to_json` and `from_json` of the type, which
/// nlohmann::json finds or its macros write:
///
///     NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(user, name, age)
///
///     template <>
///     struct galaxycache::codec<user> : galaxycache::json_codec<user> {};
template <class T>
struct json_codec {
  static value encode(const T& x) {
    try {
      return value::take(nlohmann::json(x).dump());
    } catch (const nlohmann::json::exception& thrown) {
      throw std::invalid_argument{detail::reason_of(thrown)};
    }
  }

  static std::optional<T> decode(std::string_view bytes) {
    try {
      return nlohmann::json::parse(bytes).template get<T>();
    } catch (const nlohmann::json::exception& thrown) {
      throw std::invalid_argument{detail::reason_of(thrown)};
    }
  }
};

/// Any JSON document.
template <>
struct codec<nlohmann::json> : json_codec<nlohmann::json> {};

} // namespace galaxycache
