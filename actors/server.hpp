#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/messages/wire.hpp"
#include "galaxycache/runtime/caf/actor.hpp"

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace galaxycache {

struct server_config {
  std::shared_ptr<universe_core> home;
  /// Fetches of all peers together that may wait for loads.
  std::size_t fetches_max = 65'536;
  universe_core::presence alive;
};

/// Answers peers. What memory holds goes back at once, the rest as it is
/// loaded; what is ready at the same time leaves in the same frame.
class server_state : public actor_state {
public:
  static inline const char* name = "galaxycache.server";

  server_actor::behavior_type start(server_actor::pointer self,
                                    server_config config);

private:
  /// A remote peer actor.
  struct client {
    wire_actor handle;
    std::string id;
    std::uint64_t incarnation = 0;
    wire::fetched_batch ready;
    std::vector<value> bodies;
    bool to_flush = false;
  };

  using client_map = std::map<caf::actor_addr, client>;

  /// A fetch that waits for a cache actor.
  struct open_fetch {
    caf::actor_addr from;
    std::uint64_t id = 0;
  };

  /// By the number of the galaxy in the batch, and the shard.
  using question_map
    = std::map<std::pair<std::uint32_t, std::size_t>, std::vector<question>>;

  bool is_from_here() const;
  void hear(const frame& x);
  void greeted(const wire::hello& x);
  void serve(client& from, wire::fetch_batch& batch);
  void serve_one(client& from, galaxy_core& galaxy, wire::fetch_item& wanted,
                 mono_time now, question_map& asked);
  void take(const answered& x);
  void ready(client& to, std::uint64_t id, const answer& x);
  void ready(client& to, std::uint64_t id, const failure& why);
  void send_ready(client& to);
  void flush_later(client& to);
  void flush();
  void say(const wire_actor& to, const wire::message& x,
           std::vector<value> bodies = {});
  void say_goodbye();

  server_actor::pointer self_ = nullptr;
  server_config config_;
  monitors monitors_;
  client_map clients_;
  std::set<caf::actor_addr> watched_; // those whose end we hear of
  std::unordered_map<std::uint64_t, open_fetch> open_;
  std::uint64_t questions_asked_ = 0;
  std::vector<caf::actor_addr> to_flush_;
  bool mismatch_logged_ = false;
};

server_actor::behavior_type
server(server_actor::stateful_pointer<server_state> self, server_config config);

} // namespace galaxycache
