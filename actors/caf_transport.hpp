#pragma once

#include "galaxycache/actors/transport.hpp"
#include "galaxycache/runtime/log.hpp"

#include <caf/actor_system.hpp>

#include <memory>

namespace galaxycache {

/// CAF's middleman as transport: `caf://HOST:PORT`. A universe that listens at
/// port 0 gets a free one. The system must have loaded the middleman.
///
/// The middleman connects one address after the other and waits for each, and
/// believes whoever answers. So an address is probed first, on threads of the
/// transport's own: one that swallows packets holds up nobody, and who does not
/// begin as a CAF node does never gets to talk to CAF. Warns once where CAF's
/// own heartbeats are off. Thread-safe; must go before the system.
std::shared_ptr<transport> make_caf_transport(caf::actor_system& system,
                                              std::shared_ptr<const log> lines);

} // namespace galaxycache
