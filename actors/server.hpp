#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/messages/wire.hpp"
#include "galaxycache/runtime/answer_window.hpp"
#include "galaxycache/runtime/caf/actor.hpp"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace galaxycache {

struct server_config {
  std::shared_ptr<universe_core> home;
  /// `fetches_max` bounds the fetches of all peers together that wait for
  /// loads, and the answers that wait for one peer.
  peer_options peers;
  placement_options placement;
  universe_core::presence alive;
};

/// Answers peers. What memory holds goes back at once, the rest as it is
/// loaded; what is ready at the same time leaves in the same frame, but for
/// large values, which leave in pieces after all that is small. A peer that
/// takes nothing is sent no more than its windows: the rest waits here,
/// counted, until its time is up.
class server_state : public actor_state {
public:
  static inline const char* name = "galaxycache.server";

  server_actor::behavior_type start(server_actor::pointer self,
                                    server_config config);

private:
  /// An answer that has not left.
  struct small_answer {
    wire::fetched_item item;
    value body;
    mono_time deadline{};
  };

  /// A value that leaves in pieces.
  struct large_answer {
    std::uint64_t id = 0;
    value data;
    wall_time expiry = never_expires;
    mono_time deadline{};
    std::size_t offset = 0;   // what has left
    std::uint64_t number = 0; // once something has left
  };

  /// A remote peer actor.
  struct client {
    wire_actor handle;
    std::string id;
    std::uint64_t incarnation = 0;
    std::uint64_t attempt = 0;
    std::size_t piece_bytes = 0;
    std::uint64_t assembly = 0; // where it puts pieces together
    std::uint64_t heard = 0;    // the latest batch, until it has been told
    std::vector<small_answer> small;
    std::size_t left_behind = 0; // of `small`: the first did not fit before
    std::deque<large_answer> large;
    std::size_t waiting_bytes = 0; // of the values in both
    answer_window window;
    std::uint64_t large_begun = 0; // values, ever
    bool to_flush = false;

    /// Whether something did not fit.
    bool waits() const noexcept {
      return left_behind > 0 || heard != 0 || !large.empty();
    }
  };

  using client_map = std::map<caf::actor_addr, client>;

  /// A fetch that waits for a cache actor.
  struct open_fetch {
    caf::actor_addr from;
    std::uint64_t id = 0;
    mono_time deadline{};
  };

  /// By the number of the galaxy in the batch, and the shard.
  using question_map
    = std::map<std::pair<std::uint32_t, std::size_t>, std::vector<question>>;

  bool is_from_here() const;
  void hear(const frame& x);
  void greeted(const wire::hello& x);
  void warn_of_ring(const wire::hello& x);
  void pinged(client& by, const wire::ping& x);
  void serve(client& from, wire::fetch_batch& batch);
  void serve_one(client& from, galaxy_core& galaxy, wire::fetch_item& wanted,
                 mono_time now, question_map& asked);
  void take(const answered& x);
  void ready(client& to, std::uint64_t id, mono_time deadline, const answer& x);
  void ready(client& to, std::uint64_t id, mono_time deadline,
             const failure& why);
  void flush_later(client& to);
  void flush();
  void taken(client& by, std::uint64_t bytes);
  void send_what_fits(client& to);
  void send_small(client& to, mono_time now);
  void send_pieces(client& to, mono_time now);
  template <class T>
  void send_counted(client& to, T x, std::vector<value> bodies);
  void drop_late(client& to, mono_time now);
  void tick();
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
  wake_up wake_;
};

server_actor::behavior_type
server(server_actor::stateful_pointer<server_state> self, server_config config);

} // namespace galaxycache
