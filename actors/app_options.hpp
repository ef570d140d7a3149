#pragma once

#include "galaxycache/actors/universe.hpp"
#include "galaxycache/messages/types.hpp"

#include <vector>

namespace caf {
class actor_system_config;
} // namespace caf

namespace galaxycache {

/// Adds the options of a universe to an application's own configuration class:
/// call it in that class's constructor. CAF then reads them from the command
/// line (`--galaxycache.listen=...`) and the configuration file
/// (`galaxycache { listen = "..." }`).
///
/// | option | type | meaning |
/// |---|---|---|
/// | self | string | id in the ring |
/// | listen | string | where to serve peers; empty: nowhere |
/// | peers | list of strings | the ring's members, each `id=address` |
/// | placement | string | rendezvous, hash-ring-crc32 or hash-ring-fnv1a |
/// | segments | integer | points of a member on a hash ring |
/// | heartbeat-interval | timespan | how often peers are asked for a sign |
/// | heartbeat-timeout | timespan | silence after which a peer is down |
/// | stop-grace | timespan | how long stopping waits for loads |
/// | log-level | string | off, error, warning, info or debug |
///
/// Beside them CAF's own for TLS, at `cafs://` addresses:
/// `openssl.certificate`, `openssl.key`, `openssl.passphrase`, `openssl.cafile`
/// and `openssl.capath` (with CAF 1.x: `caf.openssl.certificate` and so on).
void add_options(caf::actor_system_config& cfg);

/// What the options of an application ask for.
struct app_options {
  universe_options universe;
  /// The members of the ring for `universe::set_peers`; empty: no peers given.
  std::vector<peer_info> peers;
};

/// Reads the options back. Throws `exception` with a sentence that names the
/// option for a value that makes no sense; a program prints it and ends with
/// status 2.
app_options options_from(const caf::actor_system_config& cfg);

} // namespace galaxycache
