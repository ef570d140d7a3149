#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/actors/peer.hpp"
#include "galaxycache/actors/transport.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/actor.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace galaxycache {

/// Ways to reach peers by the scheme of their address.
using transport_map
  = std::map<std::string, std::shared_ptr<transport>, std::less<>>;

/// Why an address is not to be used: there is no way to, or it is not private
/// and nobody has allowed that.
std::optional<failure> why_refused(const transport& way, const uri& where,
                                   bool insecure);

struct ring_config {
  std::shared_ptr<universe_core> home;
  transport_map ways;
  placement_options placement;
  peer_options peers;
  bool insecure = false;
  /// Where this universe's own server is reached, for others to know.
  std::string self_uri;
  universe_core::presence alive;
};

/// Keeps the members of the ring, a peer actor for each remote one, and
/// publishes who owns what whenever that changes.
class ring_state : public actor_state {
public:
  static inline const char* name = "galaxycache.ring";

  ring_actor::behavior_type start(ring_actor::pointer self, ring_config config);

private:
  struct remote {
    peer_info info;
    peer_actor handle;
    peer_state state = peer_state::connecting;
  };

  caf::error check(const peer_info& info) const;
  result<void> set(std::vector<peer_info> members);
  result<void> add(peer_info info);
  void put(peer_info info);
  peer_actor spawn_peer(const peer_info& info,
                        const std::shared_ptr<transport>& way);
  void remove(const std::string& id);
  void include_self(bool included);
  std::vector<peer_status> list() const;
  void publish();
  void stop();
  void retire(remote& x);

  bool is_self(const peer_info& info) const {
    return info.id == config_.home->self_id.bytes();
  }

  ring_actor::pointer self_ = nullptr;
  ring_config config_;
  monitors monitors_;
  bool self_included_ = true;
  std::uint32_t self_weight_ = 1;
  std::map<std::string, remote> remotes_;
  std::vector<peer_actor> retired_; // to be stopped after the next view
  std::uint64_t version_ = 0;
};

ring_actor::behavior_type ring(ring_actor::stateful_pointer<ring_state> self,
                               ring_config config);

} // namespace galaxycache
