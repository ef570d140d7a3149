#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/random.hpp"

#include <stop_token>

namespace galaxycache {

struct loader_config {
  std::shared_ptr<galaxy_core> galaxy;
  /// Who sends it on its way, and hears what came of it.
  cache_actor cache;
  universe_core::presence alive;
};

/// Takes one load through its course. On the local leg: the previous owner's
/// cache, then the backend. On the peer leg the owner was away: the owner on a
/// newer view of the ring is asked, then the successor.
class loader_state : public actor_state {
public:
  static inline const char* name = "galaxycache.loader";

  loader_state() = default;
  ~loader_state();

  loader_actor::behavior_type start(loader_actor::pointer self,
                                    loader_config config);

private:
  void take(load_order order);
  void ask_peer(std::uint32_t member);
  void peer_answered(load_result outcome);
  bool ask_another();
  void peek_previous_owner();
  void call_backend();
  void backend_done(load_result outcome);
  void finish(load_result outcome, hit_level level);
  void limit_lifetime(loaded& content, const ttl_cap& cap);
  value owner_of_loaded() const;
  mono_time now() const;

  loader_actor::pointer self_ = nullptr;
  loader_config config_;
  random_source random_{0};
  // Of the load in progress; which the cache told apart by slot and serial.
  std::uint32_t slot_ = 0;
  std::uint64_t serial_ = 0;
  std::shared_ptr<load> load_;              // null when idle
  bool stopped_ = false;                    // nobody waits any more
  std::stop_source stop_{std::nostopstate}; // of a backend function
  bool asked_again_ = false;                // an owner
  bool asked_successor_ = false;
  value asked_id_;    // the peer being asked
  value first_asked_; // the one before the loader was sent
};

loader_actor::behavior_type
loader(loader_actor::stateful_pointer<loader_state> self, loader_config config);

} // namespace galaxycache
