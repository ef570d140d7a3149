#pragma once

#include "galaxycache/runtime/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace galaxycache {

/// What a server says first to whoever connects.
struct first_words {
  /// How many bytes it takes to know them; 0: who connects speaks first.
  std::size_t size = 0;
  /// Why these `size` bytes are not what we hoped for, in words, or an empty
  /// string if they are.
  std::function<std::string(std::string_view bytes)> why_not;
};

/// Somebody who accepts TCP connections and says what he should.
struct open_port {
  /// His address as numbers, so that nobody need resolve the name again.
  std::string address;
  /// The connection by which he was found: it ends with its last owner.
  std::shared_ptr<const void> connection;
};

/// Finds out whether somebody accepts TCP connections at an address, and says
/// what he should; or why nobody does: `incompatible_peer` for other words than
/// those expected, else `peer_failed`. Blocks for up to `patience`, name
/// resolution not included.
std::variant<open_port, failure>
probe_port(const std::string& host, std::uint16_t port,
           std::chrono::nanoseconds patience, const first_words& expected = {});

/// Why one cannot listen at an address, or no error if one can now:
/// `address_in_use`, or `invalid_argument` for one that is not ours to use.
failure why_not_listen(const std::string& host, std::uint16_t port);

} // namespace galaxycache
