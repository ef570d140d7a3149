#pragma once

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/version.hpp"
#include "galaxycache/runtime/tcp.hpp"

#include <caf/actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/scribe.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace galaxycache {

// CAF knows its connections by their file descriptors, and forgets one that has
// ended a moment after its number is free. If the next has got that number by
// then, CAF forgets the new one, or takes it for one with the node of the old:
// messages go astray, and may end a system. So the numbers of our connections
// are of a `descriptor_cycle`.

#if GALAXYCACHE_CAF_1

/// How much longer than the other one of two nodes should wait that may connect
/// to each other at the same moment. In CAF 1.x each would ignore the
/// connection that it did not make, and they would never hear each other.
inline constexpr std::chrono::milliseconds crossing_pause{50};

/// Whether CAF takes connections that others have made.
inline constexpr bool takes_connections = false;

/// A connection to a CAF node. CAF 1.x makes its own; what was found lasts
/// until then. Only for TLS it takes one of ours.
struct node_line {
  caf::io::scribe_ptr socket;
  std::string address;
  std::shared_ptr<tcp_socket> found;
};

#else

/// As above, but CAF 0.17 sorts it out.
inline constexpr std::chrono::milliseconds crossing_pause{0};
inline constexpr bool takes_connections = true;

/// A connection to a CAF node, as CAF has it.
struct node_line {
  caf::io::scribe_ptr socket;
};

#endif

/// The actor of CAF's that speaks its protocol. The system must have a
/// middleman.
caf::actor basp_broker_of(caf::actor_system& system);

/// Asks for the server at the other end, and calls `then` with it, or
/// `otherwise` with an error. CAF's broker gets our connection as its middleman
/// would give it one; that would make a second.
template <class Self, class Then, class Otherwise>
void request_server(Self* self, node_line line, std::uint16_t port,
                    caf::timespan patience, Then then, Otherwise otherwise) {
#if GALAXYCACHE_CAF_1
  if (!line.socket) {
    request_within(self, self->system().middleman().actor_handle(), patience,
                   caf::connect_atom_v, line.address, port)
      .then([then,
             found = line.found](caf::node_id&, caf::strong_actor_ptr& server,
                                 std::set<std::string>&) { then(server); },
            otherwise);
    return;
  }
#endif
  request_within(self, basp_broker_of(self->system()), patience,
                 caf::connect_atom_v, std::move(line.socket), port)
    .then([then](caf::node_id&, caf::strong_actor_ptr& server,
                 std::set<std::string>&) { then(server); },
          otherwise);
}

node_line make_line(caf::actor_system& system, tcp_socket s);

/// Has CAF accept connections at a socket that listens to `port`, and name
/// `whom` to whoever connects.
void publish_at(caf::actor_system& system, tcp_socket s, std::uint16_t port,
                caf::strong_actor_ptr whom, std::set<std::string> interface,
                std::shared_ptr<descriptor_cycle> numbers);

} // namespace galaxycache
