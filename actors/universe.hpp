#pragma once

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/actors/galaxy.hpp"
#include "galaxycache/actors/transport.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/log.hpp"
#include "galaxycache/runtime/options.hpp"
#include "galaxycache/runtime/placement.hpp"

#include <caf/actor_system.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galaxycache {

/// What is particular to a universe. Durations are nanoseconds.
struct universe_options {
  /// The id of this universe in the ring; needed. Unique among its peers, and
  /// the same after a restart so that it gets its keys back.
  std::string self;

  /// Where to serve peers, such as "caf://127.0.0.1:4711"; port 0 takes a free
  /// one. Empty: this universe serves nobody.
  std::string listen;

  /// Allows addresses where strangers could listen in and take part: those of
  /// `caf://` that are not on loopback. Whoever reaches such a port can read
  /// and change what is cached, and end the process (see SECURITY.md). Only for
  /// networks that are yours alone; elsewhere there is `cafs://`, with TLS.
  bool insecure = false;

  /// How keys find their owners; the same in all universes of a ring.
  placement_options placement;

  /// How peers are watched over.
  peer_options peers;

  /// More ways to reach peers than CAF's middleman, which is always there, as
  /// `caf://` and `cafs://`.
  std::vector<std::shared_ptr<transport>> transports;

  /// Null stands for the clocks of the operating system.
  std::shared_ptr<clock> time;

  /// Of all randomness in the universe; nothing stands for a random one.
  std::optional<std::uint64_t> seed;

  /// What to log, and where to; no sink stands for standard error.
  log_level verbosity = log_level::warning;
  log::sink log_to;

  /// How long the destructor lets loads in progress finish.
  std::chrono::nanoseconds stop_grace = std::chrono::seconds{1};
};

/// Everything of one member of the ring: its galaxies, its server, its view of
/// its peers. Several may live in one process and one actor system.
///
/// Stops when destroyed. It may outlive its actor system: once that goes, all
/// that is left of the universe is an object that answers `unavailable`.
///
/// Thread-safe, but the functions marked *blocks* wait for an actor: call them
/// from outside of actors, and send messages to `ring()` from inside.
class universe {
public:
  /// Starts serving. Throws `exception` for options that make no sense and for
  /// an address that is taken. Blocks.
  universe(caf::actor_system& system, universe_options options);

  universe(universe&&) noexcept;
  universe& operator=(universe&&) noexcept;

  /// As `stop` with the grace of the options.
  ~universe();

  /// The id of this universe in the ring.
  const std::string& self() const noexcept;

  /// Where peers reach this universe; empty if it does not listen.
  const std::string& uri() const noexcept;

  // -- galaxies ---------------------------------------------------------------

  /// Adds a key space with a budget of `capacity_bytes` for its main and hot
  /// cache together; 0 switches caching off, but loads are still coalesced.
  /// Throws `exception` for a name in use and for options that make no sense.
  galaxy add_galaxy(const std::string& name, std::size_t capacity_bytes,
                    backend source, galaxy_options options = {});

  /// The galaxy of this name, if there is one.
  std::optional<galaxy> find_galaxy(std::string_view name) const;

  // -- the ring ---------------------------------------------------------------

  /// Replaces the members of the ring. This universe stays a member only if
  /// the list has its id. Throws `exception` for what is no address of a peer;
  /// the ring is then unchanged. Blocks.
  void set_peers(std::vector<peer_info> members);

  /// Adds a member; a known id with a new address reconnects. Throws as
  /// `set_peers` does. Blocks.
  void add_peer(peer_info member);

  /// Removes members; unknown ids are ignored. Blocks.
  void remove_peers(std::vector<std::string> ids);

  /// Says whether this universe itself owns keys. Blocks.
  void include_self(bool included);

  /// The members and what this universe thinks of each. Blocks.
  std::vector<peer_status> peers() const;

  /// The same by message.
  const ring_actor& ring() const noexcept;

  // -- the end ----------------------------------------------------------------

  /// Stops: peers are told to ask others, hits are still answered, loads in
  /// progress get up to `grace` to finish, new ones are answered `draining`;
  /// then everything ends. A backend function that still runs after that is
  /// abandoned: what it uses must outlive it. Stopping again does nothing.
  /// Blocks.
  void stop(std::chrono::nanoseconds grace);

  /// How many actors of this universe have not ended: 0 after `stop`.
  std::size_t actors_alive() const;

  /// For the same by message: `(stop_atom, caf::timespan grace)`.
  const universe_actor& actor() const noexcept;

private:
  struct implementation;

  std::unique_ptr<implementation> impl_;
};

} // namespace galaxycache
