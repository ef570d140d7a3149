#pragma once

#include "galaxycache/runtime/caf/error.hpp"
#include "galaxycache/runtime/error.hpp"

#include <string>

namespace galaxycache {

/// For CAF's rendering of errors: the name of the code.
std::string to_string(errc code);

/// For CAF, too: the way back. False for what is no code.
bool from_string(std::string_view text, errc& code);
/// The same from a number.
bool from_integer(std::uint8_t number, errc& code);

GALAXYCACHE_INSPECT_ENUM(errc, codec_error)

/// An error for CAF with our code, and the reason as its context.
caf::error make_error(failure why);

/// Our code for any error that a caller may get to see: ours as they are, a
/// dead receiver as `unavailable`, a timeout of CAF's as `deadline_exceeded`,
/// all else as `internal_error`.
errc code_of(const caf::error& error);

/// What went wrong, in words, for logs and users.
std::string describe(const caf::error& error);

/// Both of them.
failure failure_of(const caf::error& error);

} // namespace galaxycache

GALAXYCACHE_ERROR_ENUM(galaxycache::errc, "gxcache")
