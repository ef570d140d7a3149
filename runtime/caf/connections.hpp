#pragma once

#include "galaxycache/runtime/caf/version.hpp"
#include "galaxycache/runtime/tcp.hpp"

#include <caf/actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>
#include <caf/io/scribe.hpp>

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

/// The actor of CAF's that speaks its protocol. The system must have a
/// middleman.
caf::actor basp_broker_of(caf::actor_system& system);

/// A connected socket as CAF has it: to be sent to `basp_broker_of` with
/// `connect_atom` and the port, to be answered as the middleman answers that.
caf::io::scribe_ptr make_line(caf::actor_system& system, tcp_socket s);

/// Has CAF accept connections at a socket that listens to `port`, and name
/// `whom` to whoever connects.
void publish_at(caf::actor_system& system, tcp_socket s, std::uint16_t port,
                caf::strong_actor_ptr whom, std::set<std::string> interface,
                std::shared_ptr<descriptor_cycle> numbers);

} // namespace galaxycache
