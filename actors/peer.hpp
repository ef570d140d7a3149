#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/actors/reply.hpp"
#include "galaxycache/actors/transport.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/messages/wire.hpp"
#include "galaxycache/runtime/assembly.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/circuit_breaker.hpp"
#include "galaxycache/runtime/random.hpp"
#include "galaxycache/runtime/timer_wheel.hpp"

#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

namespace galaxycache {

/// What a peer actor is made of.
struct peer_config {
  std::shared_ptr<universe_core> home;
  std::shared_ptr<transport> way;
  peer_info info;
  peer_options options;
  placement_options placement;
  /// Who hears what becomes of the peer.
  ring_actor ring;
  universe_core::presence alive;
};

/// Owns the connection to one remote server: connects, greets, keeps asking
/// whether it is alive, and sends it fetches in batches. A fetch leaves at once
/// while there are few; while batches are under way that the server has not
/// taken yet, fetches gather and leave together. One is answered at its
/// deadline at the latest, or as soon as the peer is known to be down.
class peer_link_state : public actor_state {
public:
  static inline const char* name = "galaxycache.peer";

  peer_link_state() = default;
  ~peer_link_state();

  peer_actor::behavior_type start(peer_actor::pointer self, peer_config config);

private:
  enum class alarm { fetch, connection };

  struct timed : timer_wheel::timer {
    explicit timed(alarm kind) : kind(kind) {
      // nop
    }

    alarm kind;
  };

  struct waiting : timed {
    explicit waiting(fetch_reply to) : timed(alarm::fetch), to(std::move(to)) {
      // nop
    }

    fetch_reply to;
    std::uint64_t id = 0;
    std::size_t key_bytes = 0;
    mono_time since{};
    fetch wanted; // until it is sent
  };

  /// A value that comes in pieces, in order and one at a time.
  struct incoming {
    std::uint64_t id = 0; // of the fetch
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    std::uint64_t filled = 0;
  };

  // -- fetches ----------------------------------------------------------------

  std::optional<failure> why_not_now(const fetch& wanted, mono_time now);
  void ask(fetch wanted, fetch_reply to, mono_time now);
  void flush_later();
  void flush();
  void send_batch(mono_time now);
  void batches_heard(std::uint64_t latest);
  void give_up(waiting& w, mono_time now);
  bool answer(std::uint64_t id, load_result outcome);
  void fail_all(const failure& why);

  // -- the connection ---------------------------------------------------------

  void connect();
  void connected(connection& x);
  void watch_server();
  void greet();
  void disconnect();
  void lost(const failure& why);
  void move_to(peer_info info);
  void set_state(peer_state next);

  // -- what the server says ---------------------------------------------------

  void hear(const frame& x);
  void welcomed(const wire::welcome& x);
  void compare_rings(const wire::welcome& x);
  void fetched(wire::fetched_batch& x, const std::vector<value>& bodies);
  void piece_came(const wire::piece& x, const std::vector<value>& bodies);
  bool add_piece(const wire::piece& x, const value& body);
  void took(std::uint64_t sent);
  void say(const wire::message& x);

  // -- time -------------------------------------------------------------------

  void tick();
  void look_after_connection();
  void rearm();
  void stop();

  clock& time() {
    return *config_.home->time;
  }

  peer_actor::pointer self_ = nullptr;
  peer_config config_;
  random_source random_{0};
  monitors monitors_;
  // Before the fetches, whose timers it holds, and so destroyed after them.
  std::optional<timer_wheel> wheel_;
  wake_up wake_;

  peer_state state_ = peer_state::connecting;
  std::uint64_t attempt_ = 0;     // to connect; the number of the current one
  bool attempting_ = false;       // connecting or greeting, not pausing
  mono_time give_up_at_{};        // the attempt
  wire_actor server_;             // null unless there is a connection
  caf::actor_addr watched_;       // a server whose end we hear of
  bool greeted_ = false;          // the server has welcomed us
  std::uint64_t incarnation_ = 0; // of the server
  bool peeks_only_ = false;       // it finds owners in another way
  std::string complaint_;         // of the last greeting, logged once
  std::size_t failures_ = 0;      // in a row
  mono_time heard_{};             // when the server last said something
  timed connection_alarm_{alarm::connection};

  fetched_outbox outbox_; // sent at the end of what happens
  std::unordered_map<std::uint64_t, waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::deque<std::uint64_t> unsent_; // in order; some may have been given up
  bool flush_asked_ = false;
  std::uint64_t fetches_begun_ = 0;
  // Of this connection, by their numbers.
  std::uint64_t batches_sent_ = 0;
  std::uint64_t batches_heard_ = 0;
  mono_time batch_sent_at_{}; // the latest
  bool tells_heard_ = false;  // the server says which it has taken
  std::shared_ptr<assembly> assembly_ = assembly::make(); // of this attempt
  std::optional<incoming> incoming_; // what of it comes now
  // Bytes of answers on this connection, as the server counts them.
  std::uint64_t taken_ = 0;
  std::uint64_t taken_told_ = 0;
  std::uint64_t window_bytes_ = 0; // how many may be under way
  std::optional<circuit_breaker> breaker_;
};

peer_actor::behavior_type
peer(peer_actor::stateful_pointer<peer_link_state> self, peer_config config);

} // namespace galaxycache
