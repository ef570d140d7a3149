#pragma once

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/actors/pending.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/messages/ring_view.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/galaxy_memory.hpp"
#include "galaxycache/runtime/gate.hpp"
#include "galaxycache/runtime/log.hpp"
#include "galaxycache/runtime/options.hpp"
#include "galaxycache/runtime/published.hpp"
#include "galaxycache/runtime/retry_budget.hpp"
#include "galaxycache/runtime/token_bucket.hpp"
#include "galaxycache/runtime/worker_pool.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

namespace galaxycache {

class galaxy_core;

/// The most keys that one get_many may ask for.
inline constexpr std::size_t keys_at_once_max = 1 << 20;

/// Says so.
failure too_many_keys();

/// How far a universe is in its life; it only moves forward.
enum class life : std::uint8_t { serving, draining, down };

/// What the actors of one universe share. Everything in it is constant,
/// published or counted; there is nothing to lock. Thread-safe.
class universe_core {
public:
  using galaxy_map
    = std::map<std::string, std::shared_ptr<galaxy_core>, std::less<>>;

  universe_core(caf::actor_system& system, std::string self_id,
                std::shared_ptr<clock> time, std::shared_ptr<const log> lines,
                std::uint64_t seed);

  universe_core(const universe_core&) = delete;
  universe_core& operator=(const universe_core&) = delete;

  caf::actor_system& system;
  /// The id of this universe in the ring, counted.
  const value self_id;
  const std::shared_ptr<clock> time;
  const std::shared_ptr<const log> lines;
  /// When the universe came to life; peeking ends some time after.
  const mono_time born;
  /// Tells this run of the universe from an earlier one with the same id.
  const std::uint64_t incarnation;

  std::atomic<life> phase{life::serving};
  /// `system` must not be touched any more.
  std::atomic<bool> system_is_gone{false};
  published<ring_view> view;
  published<galaxy_map> galaxies;

  /// A seed for one actor's randomness.
  std::uint64_t next_seed() noexcept;

  // -- who is alive -----------------------------------------------------------

  /// Counts an actor from before it is spawned until its state is destroyed:
  /// part of its configuration. Copies count once.
  class presence {
  public:
    presence() = default;
    explicit presence(std::shared_ptr<universe_core> where);

  private:
    struct token;
    std::shared_ptr<const token> token_;
  };

  /// Actors of this universe that have not ended.
  std::size_t actors_alive() const;

  /// Waits until all have ended, or until `patience` is over; says which.
  bool await_no_actors(std::chrono::nanoseconds patience) const;

  /// Remembers an actor to be ended should the system go before we do. Once
  /// all have been ended, it is ended at once.
  void enlist(const caf::strong_actor_ptr& member);

  /// Makes a galaxy known; returns false once all has been ended.
  bool add(const std::shared_ptr<galaxy_core>& added);

  /// Ends all enlisted actors, whatever they do, and forgets the galaxies and
  /// the ring.
  void end_all();

private:
  std::atomic<std::uint64_t> seeds_;
  mutable std::mutex mutex_; // protects all below
  mutable std::condition_variable changed_;
  std::size_t alive_ = 0;
  bool ended_ = false;
  std::vector<caf::weak_actor_ptr> enlisted_;
  std::size_t enlisted_max_ = 64; // until it is cleared of the dead
};

/// The answer that an entry is, counted.
inline answer answer_from(const entry& x) {
  return {
    x.share(), x.expiry(), x.is_hot() ? hit_level::hot : hit_level::main, {}};
}

/// The way to a cache actor: to be counted in by whoever sends it a get. A
/// restarted cache actor has a new one.
struct cache_entrance {
  cache_actor cache;
  std::shared_ptr<gate> waiters;
};

/// One shard of a galaxy: memory that any thread reads, and the way to the
/// actor that writes it.
struct shard_cell {
  explicit shard_cell(shard& memory) : memory(memory) {
    // nop
  }

  shard& memory;
  counters count;
  /// Null while there is no cache actor, or no more.
  published<cache_entrance> entrance;
  std::atomic<std::uint64_t> flights{0};
};

/// What the actors of one galaxy, and its users' threads, share. Thread-safe.
class galaxy_core {
public:
  galaxy_core(std::shared_ptr<universe_core> home, std::string name,
              std::size_t capacity_bytes, backend source,
              galaxy_options options);

  const std::shared_ptr<universe_core> home;
  const std::string name;
  /// The name, counted: part of every fetch.
  const value wire_name;
  const galaxy_options options;
  const backend source;
  const galaxy_memory memory;
  const std::vector<std::unique_ptr<shard_cell>> shards;
  /// Bounds the keys being loaded.
  gate loads;
  /// Bounds the calls of a function backend that wait or run, with those whose
  /// load was given up meanwhile.
  const std::shared_ptr<gate> jobs;
  /// Bounds the loads for peers that cannot be asked.
  token_bucket fallbacks;
  /// Bounds how often owners are asked for the second time.
  retry_budget retries;
  /// Bounds how often owners get company.
  retry_budget hedges;
  /// Where a function backend runs; null for the other kinds.
  const std::unique_ptr<worker_pool> workers;
  /// Set once, before anybody else sees this object.
  galaxy_actor supervisor;
  /// Said when the galaxy has failed for good.
  std::atomic<bool> failed{false};

  /// Which shard a key lives in.
  std::size_t shard_of(std::string_view key) const noexcept {
    return memory.shard_of(memory.hash_of(key));
  }

  shard_cell& cell_of(std::string_view key) const noexcept {
    return *shards[shard_of(key)];
  }

  /// The id of the universe that owns a key now: this one if nobody does.
  value owner_of(std::string_view key) const;

  /// The same as a view of the ring has it, or without any.
  value owner_in(const ring_view* view, std::string_view key) const;

  /// Why a value is larger than this galaxy takes, if it is.
  std::optional<failure> too_large(const load_result& outcome) const;

  /// When to give up the next peer that is asked: somebody else may still have
  /// to be, before the deadline.
  mono_time attempt_deadline(mono_time now, mono_time deadline) const;

  /// Counts a get and answers it if that needs no cache actor: from memory, or
  /// *not found* for a peek, or with an error for a key that is too long.
  /// `hash` is the memory's of the key.
  std::optional<std::variant<answer, failure>>
  answer_at_once(std::uint64_t hash, std::string_view key,
                 fetch_mode mode) const;

  /// The same of a key that memory does not have.
  std::optional<std::variant<answer, failure>>
  answer_though_absent(std::string_view key, fetch_mode mode) const;

  /// The way to the cache actor of a shard and how many gets have been let in
  /// to it; if not all, why not.
  struct admission {
    std::shared_ptr<const cache_entrance> entrance;
    std::size_t gets = 0;
    failure why;
  };

  /// Lets as many of `gets` gets in as there is room for.
  admission admit(shard_cell& cell, std::size_t gets) const;

  /// Begins a get: the answer if it is here, a refusal, or whom to ask.
  std::variant<answer, failure, way_on> begin(std::string_view key,
                                              const get_options& asked) const;

  /// The deadline of a get with these options that comes now.
  mono_time deadline_for(const get_options& options) const noexcept;

  galaxy_stats stats() const;

private:
  std::optional<std::variant<answer, failure>>
  answer_without_memory(std::string_view key, fetch_mode mode) const;
};

/// Wakes an actor when its timer wheel next has something to do. Part of its
/// state.
class wake_up {
public:
  /// Sends `tick_atom` to `whom` at `when`, unless it is to be woken by then
  /// anyway.
  template <class Handle>
  void at(clock& time, std::optional<mono_time> when, const Handle& whom) {
    if (!when || (!armed_.empty() && armed_.back() <= *when))
      return;
    armed_.push_back(*when);
    arm(time, *when, caf::actor_cast<caf::weak_actor_ptr>(whom),
        [](const caf::strong_actor_ptr& strong) {
          post(caf::actor_cast<Handle>(strong), tick_atom_v);
        });
  }

  /// The actor has been woken at `now`.
  void woken(mono_time now) noexcept {
    while (!armed_.empty() && armed_.back() <= now)
      armed_.pop_back();
  }

private:
  static void arm(clock& time, mono_time when, caf::weak_actor_ptr whom,
                  void (*wake)(const caf::strong_actor_ptr&));

  std::vector<mono_time> armed_; // latest first
};

} // namespace galaxycache
