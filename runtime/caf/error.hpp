#pragma once

#include "galaxycache/runtime/caf/types.hpp"

#include <caf/error.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/pec.hpp>
#include <caf/sec.hpp>

#if GALAXYCACHE_CAF_1
#  include <caf/is_error_code_enum.hpp>
#endif

#include <optional>
#include <string>

namespace galaxycache {

/// Whether an error holds a code of this enum.
template <class Enum>
bool holds(const caf::error& error) {
#if GALAXYCACHE_CAF_1
  return error && error.category() == caf::type_id_v<Enum>;
#else
  return error
         && error.category() == caf::detail::error_factory<Enum>::category;
#endif
}

/// Whether a request failed because its receiver is gone.
inline bool means_receiver_is_gone(const caf::error& error) {
  return error == caf::sec::request_receiver_down
#if GALAXYCACHE_CAF_1
         || error == caf::sec::broken_promise
#endif
         || error == caf::exit_reason::kill
         || error == caf::exit_reason::user_shutdown
         || error == caf::exit_reason::unreachable
         || error == caf::exit_reason::remote_link_unreachable;
}

/// CAF's own words for an error of CAF's.
inline std::string text_of(const caf::error& error) {
#if GALAXYCACHE_CAF_1
  return to_string(error);
#else
  if (error.category() == caf::atom("system"))
    return to_string(static_cast<caf::sec>(error.code()));
  if (error.category() == caf::atom("exit"))
    return to_string(static_cast<caf::exit_reason>(error.code()));
  if (error.category() == caf::atom("parser")) {
    auto text = to_string(static_cast<caf::pec>(error.code()));
    // Where, or of which argument.
    return error.context().empty() ? text : text + to_string(error.context());
  }
  return to_string(error.category()) + " " + std::to_string(error.code());
#endif
}

/// The text somebody attached to an error, if any.
inline std::optional<std::string> context_of(const caf::error& error) {
#if GALAXYCACHE_CAF_1
  const auto& context = error.context();
  if (context.size() == 1 && context.match_element<std::string>(0))
    return context.get_as<std::string>(0);
#else
  if (error && error.context().match_elements<std::string>())
    return error.context().get_as<std::string>(0);
#endif
  return std::nullopt;
}

} // namespace galaxycache

/// Makes an enum usable as the code of a caf::error. The category has at most
/// ten characters.
#if GALAXYCACHE_CAF_1
#  define GALAXYCACHE_ERROR_ENUM(type, category) CAF_ERROR_CODE_ENUM(type)
#else
#  define GALAXYCACHE_ERROR_ENUM(type, category)                               \
    CAF_ERROR_CODE_ENUM(type, category)
#endif
