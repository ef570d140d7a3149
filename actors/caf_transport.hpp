#pragma once

#include "galaxycache/actors/transport.hpp"

#include <caf/actor_system.hpp>

#include <memory>

namespace galaxycache {

/// CAF's middleman as transport: `caf://HOST:PORT`. A universe that listens at
/// port 0 gets a free one. The system must have loaded the middleman.
///
/// The middleman connects one address after the other and waits for each, so
/// an address is probed first, on threads of the transport's own: one that
/// swallows packets holds up nobody. Thread-safe; must go before the system.
std::shared_ptr<transport> make_caf_transport(caf::actor_system& system);

} // namespace galaxycache
