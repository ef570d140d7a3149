#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/actors/transport.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/actor.hpp"

#include <memory>
#include <optional>

namespace galaxycache {

/// A longer grace is as good as this, and does not overflow.
inline constexpr std::chrono::nanoseconds grace_max
  = std::chrono::hours{24 * 365};

struct universe_config {
  std::shared_ptr<universe_core> home;
  ring_actor ring;
  server_actor server;
  /// Where the server listens, and by what; nothing if it does not.
  std::shared_ptr<transport> way;
  std::optional<uri> where;
  universe_core::presence alive;
};

/// Ends a universe in order: peers are told, loads in progress get time, then
/// everything stops.
class universe_state : public actor_state {
public:
  static inline const char* name = "galaxycache.universe";

  universe_actor::behavior_type start(universe_actor::pointer self,
                                      universe_config config);

private:
  void drain(std::chrono::nanoseconds grace);
  void look_whether_drained();
  void stop();

  universe_actor::pointer self_ = nullptr;
  universe_config config_;
  monitors monitors_;
  wake_up wake_;
  mono_time give_up_{};
};

universe_actor::behavior_type
universe_supervisor(universe_actor::stateful_pointer<universe_state> self,
                    universe_config config);

} // namespace galaxycache
