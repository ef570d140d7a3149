#pragma once

#include "galaxycache/galaxycache.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galaxycache::testing {

/// How a cluster of a test runs.
enum class world : std::uint8_t {
  /// On the thread of the test, in virtual time, without sockets. The order of
  /// all that happens comes from the seed: the same seed, the same run.
  simulated,
  /// On CAF's threads, in virtual time, without sockets.
  threads,
  /// On CAF's threads, in virtual time, over TCP: each node has an actor system
  /// of its own, and a port of this host.
  sockets,
};

/// What a cluster of a test is like.
struct cluster_options {
  std::size_t nodes = 3;
  /// Of all chances: the order of steps, faults, jitters.
  std::uint64_t seed = 1;
  world kind = world::simulated;
  /// What the universe of each node is made with.
  placement_options placement{};
  peer_options peers{};
  log_level verbosity = log_level::off;
  log::sink log_to{};
  /// Whether all nodes know each other from the start.
  bool joined = true;
};

/// What a backend of a test does with a key.
struct reaction {
  enum class kind : std::uint8_t {
    /// Answers `text`, or "value of KEY" if that is empty.
    value,
    not_found,
    /// Answers `backend_failed` with `text`. A script that throws comes to the
    /// same, with the exception's words.
    fail,
    /// Answers a value of `bytes` bytes.
    large,
    /// Never answers.
    never,
  };

  kind what = kind::value;
  std::string text{};
  /// Nanoseconds of virtual time until the answer.
  std::chrono::nanoseconds after{0};
  /// How long the value may live; 0 stands for ever.
  std::chrono::nanoseconds lifetime{0};
  std::size_t bytes = 0;
};

/// A call of a backend.
struct backend_call {
  std::size_t node = 0;
  std::string galaxy;
  std::string key;
  mono_time begun{};
  /// Nothing until it has ended.
  std::optional<mono_time> ended;
  /// What it was answered, with the expiry; empty bytes unless it is a value.
  load_result result;
};

/// What came of a get.
struct outcome {
  std::size_t node = 0;
  std::string galaxy;
  std::string key;
  get_options options;
  /// Whether it was asked with others, and so answered with the last of them.
  bool among_many = false;
  mono_time asked{};
  mono_time answered{};
  /// How many answers it got: 1 once it is over.
  std::size_t answers = 0;
  answer content;
  errc code = errc::none;
  std::string reason;

  bool ok() const noexcept {
    return answers > 0 && code == errc::none;
  }

  bool found() const noexcept {
    return ok() && content.found();
  }

  /// The value's bytes.
  std::string_view text() const noexcept {
    return content.bytes();
  }
};

/// Several universes in one process, in virtual time, on a network that can
/// break: for tests of applications on a cluster that one can take apart. Nodes
/// are numbered from 0 and named "node0" and so on. Needs no test framework:
/// what cannot be done throws `std::logic_error` or `galaxycache::exception`.
///
///     cluster c{{.nodes = 5, .seed = 42}};
///     c.add_galaxy("things");
///     c.cut(0, 1);
///     auto got = c.get(0, "things", "some key");
///
/// In the simulated world nothing happens but inside of its functions: `get`
/// runs until there is an answer, `run` until nobody has anything to do, and
/// `advance` moves the time. Not thread-safe.
class cluster {
public:
  using backend_script = std::function<reaction(
    std::size_t node, const std::string& galaxy, const std::string& key)>;

  explicit cluster(cluster_options options = {});

  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;

  /// Stops everything.
  ~cluster();

  std::size_t size() const noexcept;
  const cluster_options& options() const noexcept;

  // -- galaxies ---------------------------------------------------------------

  /// Adds a galaxy to all nodes, and to those that are started later. Its
  /// backend, an actor, does what the script says.
  void add_galaxy(const std::string& name, std::size_t capacity_bytes = 1 << 20,
                  galaxy_options options = {});

  /// What backends do from now on; at first they answer "value of KEY" at once.
  /// But for the simulated world, `f` is called by several threads.
  void script(backend_script f);

  /// The calls of backends so far, in the order of their beginning.
  std::vector<backend_call> calls() const;

  /// How many those are, and one of them, counted from 0. In the simulated
  /// world, a script is called for the latest.
  std::size_t calls_so_far() const;
  backend_call call(std::size_t i) const;

  /// Forgets the calls, and the outcomes of gets up to the first that is not
  /// over.
  void forget();

  // -- gets -------------------------------------------------------------------

  /// Gets a key at a node and runs until there is an answer, moving the time
  /// if that is what it takes.
  outcome get(std::size_t node, const std::string& galaxy,
              const std::string& key, const get_options& options = {});

  /// Begins a get. What comes of it is `result(id)` of the number returned.
  std::size_t ask(std::size_t node, const std::string& galaxy,
                  const std::string& key, const get_options& options = {});

  outcome result(std::size_t id) const;

  /// Gets that are not over.
  std::size_t pending() const noexcept;

  /// Called with every get that is over; must not throw. But for the simulated
  /// world, by another thread.
  void on_answer(std::function<void(const outcome&)> f);

  /// Begins a `get_many`. Each key is a get of its own here, numbered from what
  /// is returned on.
  std::size_t ask_many(std::size_t node, const std::string& galaxy,
                       const std::vector<std::string>& keys,
                       const get_options& options = {});

  // -- time -------------------------------------------------------------------

  /// Virtual time; the same on all nodes.
  mono_time now() const;

  /// Virtual time of day, as a node sees it.
  wall_time wall_now(std::size_t node) const;

  /// Runs until nobody has anything to do at this moment.
  void run();

  /// Moves the time, running what is due on the way.
  void advance(std::chrono::nanoseconds by);

  /// Moves the time until a condition holds, and says whether it does before
  /// `limit` has passed.
  bool advance_until(const std::function<bool()>& holds,
                     std::chrono::nanoseconds limit);

  /// Sets a node's clock wrong by this much more.
  void skew(std::size_t node, std::chrono::nanoseconds by);

  // -- the network ------------------------------------------------------------

  /// Breaks the connection between two nodes and lets none be made.
  void cut(std::size_t a, std::size_t b);

  /// A node stands still, and nobody is told.
  void freeze(std::size_t node);
  void thaw(std::size_t node);

  /// What happens to frames from one node to another.
  void faults(std::size_t from, std::size_t to, link_faults f);

  /// Makes all links whole, and thaws all nodes.
  void heal();

  // -- nodes ------------------------------------------------------------------

  /// Ends a node as the death of its process does: peers are not told, and all
  /// that it held is gone. Its gets are answered somehow.
  void kill(std::size_t node);

  /// Stops a node in order.
  void stop(std::size_t node,
            std::chrono::nanoseconds grace = std::chrono::seconds{1});

  /// Starts a node that was killed or stopped. It knows the members that it
  /// knew last; if it knew none, all, in a cluster that was joined.
  void restart(std::size_t node);

  bool alive(std::size_t node) const;

  /// Tells a node who is in the ring.
  void set_members(std::size_t node, const std::vector<std::size_t>& members);

  /// What a node thinks of another; nothing if that is none of its members.
  std::optional<peer_state> state_of(std::size_t at, std::size_t of);

  /// Moves the time until all nodes that live take each other for what they
  /// are, at most for `limit`; says whether they do.
  bool settle(std::chrono::nanoseconds limit = std::chrono::seconds{30});

  // -- what is inside ---------------------------------------------------------

  /// The actor system of a node. In the world of sockets it goes with the node,
  /// and waits for actors that are not hidden; else there is one for all.
  caf::actor_system& system(std::size_t node);

  /// The actor system of all nodes. Throws in the world of sockets.
  caf::actor_system& system();

  /// The universe of a node that lives.
  universe& at(std::size_t node);

  /// A galaxy of a node that lives.
  galaxy galaxy_of(std::size_t node, const std::string& name);

  /// Whether the bytes that a galaxy accounts are what its entries add up to.
  bool accounts_exactly(std::size_t node, const std::string& galaxy);

  static peer_info member(std::size_t node);

  /// What has happened, as a number: the same for the same seed in the
  /// simulated world.
  std::uint64_t trace_hash() const noexcept;

  /// The number of actors' steps so far.
  std::uint64_t steps() const noexcept;

private:
  struct implementation;

  std::unique_ptr<implementation> impl_;
};

} // namespace galaxycache::testing
