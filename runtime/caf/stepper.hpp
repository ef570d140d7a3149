#pragma once

#include "galaxycache/runtime/caf/types.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace galaxycache {

/// An actor system without threads. Its actors run on the thread that calls
/// `step`, a message at a time, in an order that its maker chooses: for
/// simulations that can be repeated. Nothing in it may block on an actor, and
/// CAF's own timers never fire. Not thread-safe.
class stepped_system {
public:
  /// Chooses one of `n` actors that have something to do, which stand in the
  /// order in which they got it; `n` is at least 1.
  using choice = std::function<std::size_t(std::size_t n)>;

  /// Switches `cfg`, which must outlive the system, to this kind of scheduler.
  stepped_system(caf::actor_system_config& cfg, choice choose);

  stepped_system(const stepped_system&) = delete;
  stepped_system& operator=(const stepped_system&) = delete;

  /// Runs what is left to do.
  ~stepped_system();

  caf::actor_system& system() noexcept;

  /// Has one actor handle one message and returns the actor's id (0 for what is
  /// no actor), or nothing if nobody has anything to do.
  std::optional<caf::actor_id> step();

private:
  struct implementation;

  std::unique_ptr<implementation> impl_;
};

} // namespace galaxycache
