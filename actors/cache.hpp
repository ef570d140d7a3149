#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/actors/reply.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/recycler.hpp"
#include "galaxycache/runtime/rolling_quantile.hpp"
#include "galaxycache/runtime/timer_wheel.hpp"

#include <list>
#include <memory_resource>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace galaxycache {

struct cache_config {
  std::shared_ptr<galaxy_core> galaxy;
  /// Which of the galaxy's shards this actor writes.
  std::size_t shard = 0;
  /// Counts the gets let in; every answer lets one out.
  std::shared_ptr<gate> waiters;
  universe_core::presence alive;
};

/// Holds the flights of one shard: a flight per key being loaded, with all the
/// gets that wait for it.
///
/// A flight has up to two legs. The peer leg asks the owner, and whoever else
/// if that is away; the local leg loads here. Both are carried by loaders, but
/// for the question to the owner, which leaves with those of other flights.
/// Gets that must not wait for a peer (all that come from servers) have the
/// local leg started beside a peer leg in progress, so that two universes that
/// each believe the other to own a key never wait for each other. Whichever leg
/// lands first with a value answers everybody.
class cache_state : public actor_state {
public:
  static inline const char* name = "galaxycache.cache";

  cache_state() = default;
  ~cache_state();

  cache_actor::behavior_type start(cache_actor::pointer self,
                                   cache_config config);

private:
  static constexpr auto no_loader = static_cast<std::uint32_t>(-1);

  struct flight;

  enum class alarm { waiter, flight, hedge, sweep, trim };

  /// What the timer wheel holds: `kind` tells which it is.
  struct timed : timer_wheel::timer {
    explicit timed(alarm kind) : kind(kind) {
      // nop
    }

    alarm kind;
  };

  struct waiter : timed {
    waiter(reply to, bool takes_peers)
      : timed(alarm::waiter),
        to(std::move(to)),
        takes_peers(takes_peers) {
      // nop
    }

    reply to;
    mono_time deadline{};
    /// Whether the get may wait for a peer.
    bool takes_peers;
    flight* in = nullptr;
    std::pmr::list<waiter>::iterator self;
  };

  /// Tells when an owner is slow.
  struct hedge_timer : timed {
    explicit hedge_timer(flight& in) : timed(alarm::hedge), in(in) {
      // nop
    }

    flight& in;
  };

  struct leg {
    std::uint32_t slot = no_loader;
    std::uint64_t fetch = 0; // from the owner, before there is a loader
    /// Whether the loader was told that nobody waits any more.
    bool stopped = false;
    mono_time began{};

    bool active() const noexcept {
      return slot != no_loader || fetch != 0;
    }
  };

  struct flight : timed {
    explicit flight(std::pmr::memory_resource* nodes)
      : timed(alarm::flight),
        waiters(nodes) {
      // nop
    }

    /// The key; it lives in the index.
    const std::string* key = nullptr;
    std::pmr::list<waiter> waiters;
    leg peer;
    leg local;
    mono_time began{};
    mono_time deadline{}; // of the get that began it
    bool asked_again = false;
    bool gutter = false;
    /// It has loaded the value itself.
    bool loaded_here = false;
    /// From the successor, beside the one from the owner; 0 if none.
    std::uint64_t hedge = 0;
    std::uint32_t hedged_to = 0; // in the view
    std::optional<hedge_timer> hedge_alarm;
    /// The ring as it was when the flight began, and in it the owner, if that
    /// is somebody else.
    std::shared_ptr<const ring_view> view;
    std::optional<std::uint32_t> remote_owner;
  };

  struct key_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept;
  };

  struct key_equal {
    using is_transparent = void;
    bool operator()(std::string_view x, std::string_view y) const noexcept {
      return x == y;
    }
  };

  using flight_table
    = std::pmr::unordered_map<std::string, flight, key_hash, key_equal>;

  /// A loader and what it is busy with; `serial` tells its loads apart.
  struct loader_slot {
    loader_actor loader;
    std::uint64_t serial = 0;
    flight* busy_with = nullptr;
    leg_kind leg = leg_kind::local;
  };

  // -- gets -------------------------------------------------------------------

  void get(std::string key, const ticket& terms, reply to, mono_time now);
  void join(flight& f, const ticket& terms, reply to, mono_time now);
  void answer_now(reply& to, const answer& x);
  void answer_now(reply& to, const failure& why);
  void leave(waiter& w);

  // -- flights ----------------------------------------------------------------

  flight& begin_flight(std::string key, const ticket& terms, mono_time now);
  void start_leg(flight& f, leg_kind kind, mono_time now);
  void ask_owner(flight& f);
  void fetch_from(flight& f, std::uint32_t member, std::uint64_t id,
                  bool gutter);
  void hedge_later(flight& f);
  void hedge(flight& f);
  void end_hedge(flight& f);
  void flush_later();
  void flush();
  void owner_answered(fetch_outcome& x);
  void start_loader(flight& f, leg_kind kind, load_result so_far = {});
  void loader_done(landed& result);
  void loader_died(std::uint32_t slot, const caf::error& why);
  void backend_died(const caf::error& why);
  void land(flight& f, leg_kind kind, load& result);
  void land_value(flight& f, leg_kind kind, load& result);
  void land_failure(flight& f, leg_kind kind, const failure& why,
                    bool stands_in = false);
  bool deserves_patience(flight& f);
  bool is_of_another(const flight& f);
  void answer_all(flight& f, const answer& x, counter served);
  void fail_all(flight& f, const failure& why);
  void close_if_done(flight& f);
  void ask_to_stop(flight& f);
  void check_up(flight& f);

  // -- loaders ----------------------------------------------------------------

  std::uint32_t take_slot();
  std::uint32_t take_loader();
  void free_loader(std::uint32_t slot);
  void trim_loaders();
  std::shared_ptr<load> take_load();
  void keep_load(std::shared_ptr<load> x);

  // -- time -------------------------------------------------------------------

  void tick();
  void rearm();
  void sweep();
  void schedule_sweep();
  void stop();

  leg& leg_of(flight& f, leg_kind kind) {
    return kind == leg_kind::peer ? f.peer : f.local;
  }

  galaxy_core& galaxy() {
    return *config_.galaxy;
  }

  clock& time() {
    return *galaxy().home->time;
  }

  cache_actor::pointer self_ = nullptr;
  cache_config config_;
  shard_cell* cell_ = nullptr;
  // Before the flights, whose timers it holds, and so destroyed after them.
  std::optional<timer_wheel> wheel_;
  wake_up wake_;
  timed sweep_{alarm::sweep};
  mono_time sweep_at_{}; // when it is armed for
  // Of answers; before those who are owed them.
  answer_outbox outbox_{[this] { flush_later(); }};
  std::vector<std::pair<peer_actor, fetches>> unsent_; // to owners
  bool flush_asked_ = false;
  recycler nodes_; // of flights and waiters, which it outlives
  flight_table flights_{&nodes_};
  // Fetches under way.
  std::pmr::unordered_map<std::uint64_t, flight*> fetching_{&nodes_};
  load owner_said_;                 // kept for its memory
  rolling_quantile patience_{0.95}; // with owners
  random_source random_{0};
  std::vector<loader_slot> loaders_;
  std::vector<std::uint32_t> idle_loaders_; // used least recently first
  std::vector<std::uint32_t> empty_slots_;  // have no loader
  std::size_t fewest_idle_ = 0;             // of an interval of trimming
  timed trim_{alarm::trim};
  std::vector<std::shared_ptr<load>> idle_loads_;
  std::uint64_t serial_ = 0;
  monitors monitors_;
};

cache_actor::behavior_type
cache(cache_actor::stateful_pointer<cache_state> self, cache_config config);

} // namespace galaxycache
