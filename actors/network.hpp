#pragma once

#include "galaxycache/actors/transport.hpp"

#include <caf/actor_system.hpp>

#include <memory>
#include <string>

namespace galaxycache {

/// A network inside one process: universes that join it reach each other by
/// name, `inproc://NAME`, without sockets. For tests of whole clusters, and
/// for taking links away in them. Thread-safe; copies share the network.
///
/// All universes on it must live in the same actor system, which must outlive
/// the network's use.
class network {
public:
  explicit network(caf::actor_system& system);

  /// A transport for the universe that goes by this name here. A universe that
  /// listens does so as `inproc://NAME`.
  std::shared_ptr<transport> join(std::string name);

  /// Breaks the connections between two members and lets none be made: both
  /// notice at once.
  void cut(const std::string& a, const std::string& b);

  /// Undoes `cut` and `freeze`: all links are whole.
  void heal();

  /// Holds back everything from and to a member, as if its process had been
  /// stopped: nobody is told. What is held arrives after `thaw`.
  void freeze(const std::string& name);

  void thaw(const std::string& name);

  /// What the links of a network share; private to the implementation.
  struct state;

private:
  std::shared_ptr<state> state_;
};

} // namespace galaxycache
