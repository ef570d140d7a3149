#pragma once

#include "galaxycache/actors/transport.hpp"
#include "galaxycache/runtime/clock.hpp"

#include <caf/actor_system.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace galaxycache {

/// What a network does to the frames from one member to another. The real one
/// does no such thing while a connection lasts; who bears it, bears that.
struct link_faults {
  /// The chances, from 0 to 1, that a frame is lost, or comes twice.
  double drop = 0;
  double duplicate = 0;
  /// How long a frame is under way: a time drawn from this range, in
  /// nanoseconds. On the network's clock, which there must be one of.
  std::chrono::nanoseconds delay_min{0};
  std::chrono::nanoseconds delay_max{0};
  /// Whether a frame may overtake an earlier one.
  bool reorder = false;
};

/// A network inside one process: universes that join it reach each other by
/// name, `inproc://NAME`, without sockets. For tests of whole clusters, and
/// for taking links away in them. Thread-safe; copies share the network.
///
/// All universes on it must live in the same actor system, which must outlive
/// the network's use; or each in a system of its own, with another transport to
/// carry what the network lets pass.
class network {
public:
  explicit network(caf::actor_system& system);

  /// One with a clock, for delays, and a seed of its chances.
  network(caf::actor_system& system, std::shared_ptr<clock> time,
          std::uint64_t seed);

  /// One for universes in systems of their own.
  network(std::shared_ptr<clock> time, std::uint64_t seed);

  /// A transport for the universe that goes by this name here. A universe that
  /// listens does so as `inproc://NAME`. Throws `exception` on a network for
  /// universes in systems of their own.
  std::shared_ptr<transport> join(std::string name);

  /// The same for a universe in a system of its own. It listens by `way` at
  /// `where`, and reaches others by `way` wherever they have come to listen.
  std::shared_ptr<transport> join(std::string name, caf::actor_system& system,
                                  std::shared_ptr<transport> way, uri where);

  /// Breaks the connections between two members and lets none be made: both
  /// notice at once.
  void cut(const std::string& a, const std::string& b);

  /// What happens to frames from one member to another, connected or not.
  /// Throws `exception` for a delay on a network without a clock.
  void set_faults(const std::string& from, const std::string& to,
                  link_faults faults);

  /// Undoes `cut`, `freeze` and `set_faults`: all links are whole.
  void heal();

  /// Takes a member off the network as the end of its process does: nothing
  /// that it says or is told from now on arrives, and nobody reaches it. Its
  /// connections break when its universe ends, which must follow.
  void take_off(const std::string& name);

  /// Undoes that, for the member's next run.
  void put_back(const std::string& name);

  /// Holds back everything from and to a member, as if its process had been
  /// stopped: nobody is told. What is held arrives after `thaw`.
  void freeze(const std::string& name);

  void thaw(const std::string& name);

  // -- what goes on between systems -------------------------------------------
  // For whoever moves the time and has to know that nothing is on its way.

  /// Attempts to connect whose outcome is not known.
  std::size_t attempts() const;

  /// Frames that have come to a link so far, from either end.
  std::uint64_t frames() const;

  /// Whether a connection from or to a member has not ended.
  bool is_connected(const std::string& name) const;

  /// Goes over each connection between systems and back: what was sent before
  /// has then arrived, in both directions. Says whether all are back in time.
  /// Blocks.
  bool go_around(std::chrono::nanoseconds patience) const;

  /// What the links of a network share; private to the implementation.
  struct state;

private:
  std::shared_ptr<state> state_;
};

} // namespace galaxycache
