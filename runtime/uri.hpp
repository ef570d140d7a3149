#pragma once

#include "galaxycache/runtime/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace galaxycache {

/// Where a universe listens or a peer is reached: `scheme://host:port`. The
/// scheme chooses the transport; without one it is `caf`. An IPv6 address
/// stands in brackets. A host without a port is for transports that need
/// none.
struct uri {
  std::string scheme;
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const uri&, const uri&) = default;
};

/// Parses `text`; on failure `why` says in words what is wrong with it.
std::optional<uri> parse_uri(std::string_view text, std::string& why);

/// Whether a host is this machine, reached without a network.
bool is_loopback(std::string_view host) noexcept;

/// The text that parses to `x`.
std::string to_string(const uri& x);

} // namespace galaxycache
