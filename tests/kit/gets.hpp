#pragma once

#include "galaxycache/testing/cluster.hpp"

#include <deque>
#include <mutex>

namespace galaxycache::testing {

/// The gets of a cluster and what came of them. Its functions are thread-safe.
class get_book {
public:
  /// Opens a get of each key and returns the number of the first; `x` is what
  /// they have in common.
  std::size_t open(const galaxy& whom, const outcome& x,
                   const std::vector<std::string>& keys);

  /// A get that is to be asked.
  struct order {
    outcome what;
    galaxy whom;
  };

  /// What is to be asked, once.
  order take(std::size_t id);

  void close(std::size_t id, mono_time now, const answer& content,
             const failure& why);

  outcome result(std::size_t id) const;
  bool is_over(std::size_t id) const;
  std::size_t pending() const;

  /// What has come of all of them, as a number.
  std::uint64_t hash() const;

  /// Forgets those up to the first that is not over.
  void forget();

  void on_answer(std::function<void(const outcome&)> f);

private:
  struct entry {
    outcome result;
    std::optional<galaxy> whom; // until it has been asked
  };

  mutable std::mutex mutex_; // protects all below
  std::deque<entry> gets_;
  std::size_t first_ = 0; // the number of the first that is not forgotten
  std::size_t over_ = 0;  // of those that are not forgotten
  std::function<void(const outcome&)> on_answer_;
  std::uint64_t hash_ = 0;
};

/// Spawns an actor that asks for what is in the book: `(get_atom, id)`, or
/// `(get_atom, first, count)` for many at once.
caf::actor spawn_client(caf::actor_system& system,
                        std::shared_ptr<get_book> book,
                        std::shared_ptr<clock> time);

} // namespace galaxycache::testing
