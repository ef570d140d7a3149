#pragma once

#include "galaxycache/runtime/caf/connections.hpp"
#include "galaxycache/runtime/tls.hpp"

namespace galaxycache {

// CAF's own TLS does handshakes on the one thread that moves all bytes, reads
// the files anew for each connection, and in 0.17 spends a core on connections
// that say nothing. So CAF gets connections whose handshake is done.

/// A connection to a CAF node, for `request_server`.
node_line make_line(caf::actor_system& system, tls_line line);

/// As the other one, for those who get through the porch that is returned: CAF
/// has it accept connections, and closes it in the end. Must be stopped before
/// the system has gone.
std::shared_ptr<tls_porch>
publish_at(caf::actor_system& system, tcp_socket s, std::uint16_t port,
           caf::strong_actor_ptr whom, std::set<std::string> interface,
           std::shared_ptr<descriptor_cycle> numbers,
           tls_context::pointer context, tls_porch::complaint complain);

} // namespace galaxycache
