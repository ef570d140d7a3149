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

/// The same with TLS: `cafs://HOST:PORT`. Its certificates are those of CAF's
/// OpenSSL options, read once, when they are first needed; CAF's module need
/// not be loaded. Handshakes are done before CAF gets a connection: those of
/// who connects to us on a thread of their own.
std::shared_ptr<transport>
make_cafs_transport(caf::actor_system& system,
                    std::shared_ptr<const log> lines);

} // namespace galaxycache
