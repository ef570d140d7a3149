#pragma once

#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/event_handler.hpp>
#include <caf/io/network/operation.hpp>

#include <sys/epoll.h>

namespace galaxycache {

/// The loop in which CAF moves bytes. The system must have a middleman.
inline caf::io::network::default_multiplexer&
loop_of(caf::actor_system& system) {
  return dynamic_cast<caf::io::network::default_multiplexer&>(
    system.middleman().backend());
}

/// To be called after the `graceful_shutdown` of what owns a handler of CAF's,
/// on CAF's thread, with the owner held. A handler keeps its owner until CAF's
/// loop says that it has left. But where one enters and leaves in one turn of
/// the loop, CAF does neither, and the two keep each other, and the socket, for
/// good.
inline void let_go(caf::io::network::event_handler& handler) {
  if ((handler.eventbf() & EPOLLIN) == 0)
    handler.removed_from_loop(caf::io::network::operation::read);
}

} // namespace galaxycache
