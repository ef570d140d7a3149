#pragma once

#include "galaxycache/runtime/error.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

namespace galaxycache {

/// Finds out whether somebody accepts TCP connections at an address. Returns
/// the address as numbers (so that nobody need resolve the name again) or why
/// nobody does. Blocks for up to `patience`, name resolution not included.
std::variant<std::string, failure> probe_port(const std::string& host,
                                              std::uint16_t port,
                                              std::chrono::nanoseconds patience);

/// Why one cannot listen at an address, in words, or an empty string if one
/// can now.
std::string why_not_listen(const std::string& host, std::uint16_t port);

} // namespace galaxycache
