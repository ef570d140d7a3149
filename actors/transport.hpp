#pragma once

#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/uri.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace galaxycache {

/// The one seam to the network: how servers are reached and peers are found.
/// The scheme of an address chooses the transport; everything above it is the
/// same for all. Thread-safe.
class transport {
public:
  virtual ~transport();

  /// The scheme of the addresses this transport understands.
  virtual std::string_view scheme() const noexcept = 0;

  /// Whether nobody but the two ends can read and change what is said at an
  /// address. If not, a universe uses it only if told to (`insecure`).
  virtual bool is_private(const uri& where) const noexcept;

  /// Why the transport cannot be used here at all, such as for want of a
  /// certificate: `invalid_argument`; nothing if it can. Asked before each use
  /// of an address. May block.
  virtual std::optional<failure> why_unusable() const;

  /// Makes a server reachable at an address and returns the address it got, or
  /// why that is impossible: `address_in_use`, `invalid_argument`. May block;
  /// called when a universe starts.
  virtual std::variant<uri, failure>
  listen(const server_actor& server, const uri& where) = 0;

  /// Makes the server at an address that `listen` returned unreachable.
  virtual void unlisten(const server_actor& server, const uri& where) = 0;

  /// Connects to the server at an address. Never blocks: the outcome comes to
  /// `peer` as a `connection` with this attempt's number. A connection that
  /// ends later is noticed by monitoring its handle.
  virtual void
  connect(const peer_actor& peer, std::uint64_t attempt, const uri& where)
    = 0;

  /// The peer has no more use for a connection that it was given. Does nothing
  /// where connections are shared, as CAF's are.
  virtual void disconnect(const wire_actor& server);
};

} // namespace galaxycache
