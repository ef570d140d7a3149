#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/actors/reply.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/early_actor.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

namespace galaxycache {

struct galaxy_config {
  std::shared_ptr<galaxy_core> galaxy;
  /// The cache actors, one per shard, already started: gets need not wait for
  /// their supervisor.
  std::vector<cache_actor> caches;
  universe_core::presence alive;
};

/// A galaxy with all its actors; returns the supervisor.
galaxy_actor spawn_galaxy(const std::shared_ptr<galaxy_core>& galaxy);

/// Starts the cache actor of a shard and opens the way to it.
cache_actor spawn_cache(const std::shared_ptr<galaxy_core>& galaxy,
                        std::size_t shard);

/// Supervises the cache actors of one key space: one that crashes is replaced,
/// its memory emptied; its replies have answered themselves. Also answers the
/// messages of actors that know nothing of our classes.
class galaxy_state : public actor_state {
public:
  static inline const char* name = "galaxycache.galaxy";

  galaxy_state() = default;
  ~galaxy_state();

  galaxy_actor::behavior_type start(galaxy_actor::pointer self,
                                    galaxy_config config);

private:
  /// A get for many keys, while some results are missing.
  struct gathering {
    std::uint64_t id = 0;
    ticket terms;
    /// By shard, until they are asked.
    std::vector<std::vector<question>> to_ask;
    std::vector<get_result> results;
    std::size_t missing = 0;
    /// A place in the results, and the earlier one with the same key.
    std::vector<std::pair<std::size_t, std::size_t>> repeats;
    std::optional<sure_promise<std::vector<get_result>>> to;
  };

  result<answer> get(std::string key, const get_options& options);
  result<std::vector<get_result>> get_many(std::vector<std::string> keys,
                                           const get_options& options);
  result<std::vector<get_result>> get_absent(sought::key_list& keys,
                                             const get_options& options);
  gathering& begin_gathering(std::size_t size, const get_options& options);
  void add(gathering& g, std::size_t place, std::uint64_t hash,
           std::string& key,
           std::optional<std::variant<answer, failure>> known);
  result<std::vector<get_result>> ask(gathering& g);
  void take(answered& x);
  void finish_one(gathering& g);
  void supervise(std::size_t shard);
  void cache_died(std::size_t shard, const caf::error& why);
  void stop();
  void end_if_alone();

  galaxy_actor::pointer self_ = nullptr;
  galaxy_config config_;
  monitors monitors_;
  std::deque<mono_time> crashes_; // of the last seconds, oldest first
  bool stopping_ = false;
  std::unordered_map<std::uint64_t, gathering> gatherings_;
  std::uint64_t gatherings_begun_ = 0;
};

/// The actor of that state. Hits of single gets are answered by whoever sends
/// them, and all else by the actor.
class galaxy_supervisor final
  : public early_actor<galaxy_actor, galaxy_state, answer> {
public:
  galaxy_supervisor(caf::actor_config& cfg, galaxy_config config);

  galaxy_actor::behavior_type make_behavior() override;

private:
  std::optional<answer> answer_early(const content& request) const override;

  const std::weak_ptr<const galaxy_core> galaxy_;
  galaxy_config config_; // until it starts
};

} // namespace galaxycache
