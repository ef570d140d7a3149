#include "galaxycache/testing/cluster.hpp"

#include "galaxycache/actors/caf_transport.hpp"
#include "galaxycache/actors/core.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/random.hpp"
#include "galaxycache/testing/gets.hpp"
#include "galaxycache/testing/host.hpp"
#include "galaxycache/testing/script.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

namespace galaxycache::testing {

using std::chrono::nanoseconds;

namespace {

// A get without a timeout of its own ends by its galaxy's; nothing ends later.
constexpr nanoseconds get_patience = std::chrono::hours{24};

// For what sockets do, which takes real time; CAF gives up connecting sooner.
constexpr nanoseconds real_patience = std::chrono::seconds{10};

/// Waits until real threads have come to something.
bool await(const std::function<bool()>& holds) {
  auto until = std::chrono::steady_clock::now() + real_patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    std::this_thread::sleep_for(std::chrono::microseconds{100});
  }
  return true;
}

std::string name_of(std::size_t node) {
  return "node" + std::to_string(node);
}

// -- time ---------------------------------------------------------------------

/// A node's view of the cluster's time: its time of day may be wrong.
class node_clock : public clock {
public:
  explicit node_clock(std::shared_ptr<manual_clock> base)
    : base_(std::move(base)) {
    // nop
  }

  mono_time now() const noexcept override {
    return base_->now();
  }

  wall_time wall_now() const noexcept override {
    return base_->wall_now() + nanoseconds{wrong_by_.load()};
  }

  void call_at(mono_time when, std::function<void()> alarm) override {
    base_->call_at(when, std::move(alarm));
  }

  void skew(nanoseconds by) {
    wrong_by_ += by.count();
  }

private:
  std::shared_ptr<manual_clock> base_;
  std::atomic<std::int64_t> wrong_by_{0};
};

} // namespace

// -- the cluster --------------------------------------------------------------

struct cluster::implementation {
  struct galaxy_kind {
    std::string name;
    std::size_t capacity_bytes = 0;
    galaxy_options options;
  };

  struct node {
    std::shared_ptr<node_clock> time;
    std::shared_ptr<host> place; // null while the node's own one is gone
    std::optional<universe> home;
    std::vector<caf::actor> backends;
    std::vector<peer_info> members;
  };

  explicit implementation(cluster_options given)
    : options(std::move(given)),
      chance(options.seed),
      time(std::make_shared<manual_clock>()) {
    if (options.kind != world::sockets) {
      shared = make_host();
      net.emplace(shared->system(), time, chance.next());
    } else {
      net.emplace(time, chance.next());
    }
    nodes.resize(options.nodes);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      nodes[i].time = std::make_shared<node_clock>(time);
      start(i);
    }
  }

  ~implementation() {
    // What they tell of may be gone.
    gets->on_answer(nullptr);
    scripts->follow(nullptr);
    run();
    for (std::size_t i = 0; i < nodes.size(); ++i)
      try {
        if (nodes[i].home)
          stop(i, nanoseconds{0});
      } catch (const std::exception&) {
        // It would wait for actors that nobody runs: let it be.
        static_cast<void>(new universe{std::move(*nodes[i].home)});
        nodes[i].home.reset();
      }
    net.reset();
  }

  std::shared_ptr<host> make_host() {
    return std::make_shared<host>(
      options.kind, [this](std::size_t n) { return chance.below(n); }, gets,
      time);
  }

  bool simulated() const {
    return options.kind == world::simulated;
  }

  // -- time -------------------------------------------------------------------

  void run() {
    switch (options.kind) {
      case world::simulated:
        while (auto who = shared->stepped()->step()) {
          ++steps;
          trace = mix64(trace ^ *who) + steps;
        }
        break;
      case world::threads:
        await_rest({shared.get()});
        break;
      case world::sockets:
        run_sockets();
        break;
    }
  }

  /// Until no frame has passed a link while everybody did all he had to do, and
  /// all that was on the wire arrived, and what came of that, and its answers.
  void run_sockets() {
    std::vector<host*> hosts;
    for (auto& n : nodes)
      if (n.place)
        hosts.push_back(n.place.get());
    auto all_quiet = [&] {
      await([&] { return net->attempts() == 0; });
      auto frames = net->frames();
      for (int i = 0; i < 2; ++i) {
        await_rest(hosts);
        net->go_around(real_patience);
      }
      await_rest(hosts);
      return net->frames() == frames && net->attempts() == 0;
    };
    // Unless something goes on for ever.
    await(all_quiet);
  }

  /// Moves the time to the next alarm, or to `until` if that comes first, and
  /// runs what is due then.
  void leap(mono_time until) {
    auto next = time->next_alarm();
    auto then = next ? std::min(*next, until) : until;
    time->advance(std::max(then - time->now(), nanoseconds{0}));
    trace = mix64(
      trace
      + static_cast<std::uint64_t>(time->now().time_since_epoch().count()));
    run();
  }

  void advance(nanoseconds by) {
    auto until = time->now() + by;
    run();
    while (time->now() < until)
      leap(until);
  }

  bool advance_until(const std::function<bool()>& holds, nanoseconds limit) {
    auto until = time->now() + limit;
    run();
    while (!holds()) {
      if (time->now() >= until)
        return false;
      run(); // what the condition may have set off
      leap(until);
    }
    return true;
  }

  // -- nodes ------------------------------------------------------------------

  node& live(std::size_t i) {
    auto& n = nodes.at(i);
    if (!n.home)
      throw std::logic_error{name_of(i) + " is not running"};
    return n;
  }

  void start(std::size_t i) {
    auto& n = nodes.at(i);
    if (n.home)
      throw std::logic_error{name_of(i) + " is running"};
    net->put_back(name_of(i));
    n.place = shared ? shared : make_host();
    auto& system = n.place->system();
    universe_options how;
    how.self = name_of(i);
    how.listen = "inproc://" + how.self;
    how.placement = options.placement;
    how.peers = options.peers;
    how.time = n.time;
    how.seed = chance.next();
    how.verbosity = options.verbosity;
    how.log_to = options.log_to ? options.log_to
                                : [](log_level, std::string_view) {};
    how.stop_grace = nanoseconds{0};
    if (shared) {
      how.transports = {net->join(how.self)};
    } else {
      auto lines = std::make_shared<const log>(how.verbosity, how.log_to);
      how.transports
        = {net->join(how.self, system, make_caf_transport(system, lines),
                     uri{"caf", "127.0.0.1", 0})};
    }
    n.home.emplace(system, std::move(how));
    for (auto& kind : kinds)
      add_galaxy(i, kind);
    if (options.joined && n.members.empty())
      for (std::size_t k = 0; k < nodes.size(); ++k)
        n.members.push_back(member(k));
    if (!n.members.empty())
      tell_members(n);
  }

  void add_galaxy(std::size_t i, const galaxy_kind& kind) {
    auto& n = nodes[i];
    n.backends.push_back(
      spawn_backend(n.place->system(), {scripts, n.time, i, kind.name}));
    n.home->add_galaxy(kind.name, kind.capacity_bytes,
                       backend::actor(n.backends.back()), kind.options);
  }

  void tell_members(node& n) {
    post(n.home->ring(), set_atom_v, n.members);
    run();
  }

  void stop(std::size_t i, nanoseconds grace) {
    auto& n = live(i);
    post(n.home->actor(), stop_atom_v, caf::timespan{grace});
    auto gone = [&] { return n.home->actors_alive() == 0; };
    auto limit = grace + std::chrono::seconds{1};
    auto ended = advance_until(gone, limit);
    if (!ended && !simulated())
      ended = await(gone);
    for (auto& each : n.backends)
      caf::anon_send_exit(each, caf::exit_reason::kill);
    n.backends.clear();
    if (!ended)
      throw std::logic_error{name_of(i) + " does not end"};
    n.home.reset();
    run();
    if (shared)
      return;
    // With its system go its connections, and the others notice.
    n.place.reset();
    await([&] { return !net->is_connected(name_of(i)); });
    run();
  }

  /// Asks a ring actor; nothing if there is no answer.
  std::vector<peer_status> peers_of(std::size_t i) {
    auto& n = live(i);
    if (!simulated())
      return n.home->peers();
    auto result = std::make_shared<std::vector<peer_status>>();
    shared->system().spawn<caf::hidden>([result, ring = n.home->ring()](
                                          caf::event_based_actor* self) {
      request(self, ring, list_atom_v)
        .then([result](std::vector<peer_status>& x) { *result = std::move(x); },
              [](caf::error&) {});
    });
    run();
    return *result;
  }

  // -- gets -------------------------------------------------------------------

  /// Writes gets into the book and returns the number of the first.
  std::size_t open(std::size_t i, const std::string& name,
                   const std::vector<std::string>& keys, const get_options& how,
                   bool among_many) {
    auto whom = live(i).home->find_galaxy(name);
    if (!whom)
      throw std::logic_error{"there is no galaxy '" + name + "'"};
    outcome x;
    x.node = i;
    x.galaxy = name;
    x.options = how;
    x.among_many = among_many;
    x.asked = time->now();
    return gets->open(*whom, x, keys);
  }

  cluster_options options;
  random_source chance;
  std::shared_ptr<manual_clock> time;
  std::uint64_t trace = 0;
  std::uint64_t steps = 0;
  std::shared_ptr<script_book> scripts = std::make_shared<script_book>();
  std::shared_ptr<get_book> gets = std::make_shared<get_book>();
  std::shared_ptr<host> shared; // by all nodes; null if each has its own
  std::optional<network> net;
  std::vector<galaxy_kind> kinds;
  std::vector<node> nodes;
};

cluster::cluster(cluster_options options)
  : impl_(std::make_unique<implementation>(std::move(options))) {
  if (impl_->options.joined)
    settle();
}

cluster::~cluster() {
  // nop
}

std::size_t cluster::size() const noexcept {
  return impl_->nodes.size();
}

const cluster_options& cluster::options() const noexcept {
  return impl_->options;
}

// -- galaxies -----------------------------------------------------------------

void cluster::add_galaxy(const std::string& name, std::size_t capacity_bytes,
                         galaxy_options options) {
  impl_->kinds.push_back({name, capacity_bytes, std::move(options)});
  for (std::size_t i = 0; i < size(); ++i)
    if (alive(i))
      impl_->add_galaxy(i, impl_->kinds.back());
  run();
}

void cluster::script(backend_script f) {
  impl_->scripts->follow(std::move(f));
}

std::vector<backend_call> cluster::calls() const {
  std::lock_guard guard{impl_->scripts->mutex};
  return impl_->scripts->calls;
}

std::size_t cluster::calls_so_far() const {
  std::lock_guard guard{impl_->scripts->mutex};
  return impl_->scripts->calls.size();
}

backend_call cluster::call(std::size_t i) const {
  std::lock_guard guard{impl_->scripts->mutex};
  return impl_->scripts->calls.at(i);
}

void cluster::forget() {
  impl_->scripts->forget();
  impl_->gets->forget();
}

// -- gets ---------------------------------------------------------------------

outcome cluster::get(std::size_t node, const std::string& galaxy,
                     const std::string& key, const get_options& options) {
  auto id = ask(node, galaxy, key, options);
  auto over = [&] { return impl_->gets->is_over(id); };
  if (!impl_->advance_until(over, get_patience))
    throw std::logic_error{"a get of '" + key + "' was never answered"};
  return result(id);
}

std::size_t cluster::ask(std::size_t node, const std::string& galaxy,
                         const std::string& key, const get_options& options) {
  auto id = impl_->open(node, galaxy, {key}, options, false);
  post(impl_->nodes[node].place->client(), get_atom_v, std::uint64_t{id});
  return id;
}

std::size_t cluster::ask_many(std::size_t node, const std::string& galaxy,
                              const std::vector<std::string>& keys,
                              const get_options& options) {
  auto id = impl_->open(node, galaxy, keys, options, true);
  post(impl_->nodes[node].place->client(), get_atom_v, std::uint64_t{id},
       std::uint64_t{keys.size()});
  return id;
}

outcome cluster::result(std::size_t id) const {
  return impl_->gets->result(id);
}

std::size_t cluster::pending() const noexcept {
  return impl_->gets->pending();
}

void cluster::on_answer(std::function<void(const outcome&)> f) {
  impl_->gets->on_answer(std::move(f));
}

// -- time ---------------------------------------------------------------------

mono_time cluster::now() const {
  return impl_->time->now();
}

wall_time cluster::wall_now(std::size_t node) const {
  return impl_->nodes.at(node).time->wall_now();
}

void cluster::run() {
  impl_->run();
}

void cluster::advance(nanoseconds by) {
  impl_->advance(by);
}

bool cluster::advance_until(const std::function<bool()>& holds,
                            nanoseconds limit) {
  return impl_->advance_until(holds, limit);
}

void cluster::skew(std::size_t node, nanoseconds by) {
  impl_->nodes.at(node).time->skew(by);
}

// -- the network --------------------------------------------------------------

void cluster::cut(std::size_t a, std::size_t b) {
  impl_->net->cut(name_of(a), name_of(b));
}

void cluster::freeze(std::size_t node) {
  impl_->net->freeze(name_of(node));
}

void cluster::thaw(std::size_t node) {
  impl_->net->thaw(name_of(node));
}

void cluster::faults(std::size_t from, std::size_t to, link_faults f) {
  impl_->net->set_faults(name_of(from), name_of(to), f);
}

void cluster::heal() {
  impl_->net->heal();
}

// -- nodes --------------------------------------------------------------------

void cluster::kill(std::size_t node) {
  impl_->live(node);
  impl_->net->take_off(name_of(node));
  impl_->stop(node, nanoseconds{0});
}

void cluster::stop(std::size_t node, nanoseconds grace) {
  impl_->stop(node, grace);
}

void cluster::restart(std::size_t node) {
  impl_->start(node);
}

bool cluster::alive(std::size_t node) const {
  return impl_->nodes.at(node).home.has_value();
}

void cluster::set_members(std::size_t node,
                          const std::vector<std::size_t>& members) {
  auto& n = impl_->live(node);
  n.members.clear();
  for (auto i : members)
    n.members.push_back(member(i));
  impl_->tell_members(n);
}

std::optional<peer_state> cluster::state_of(std::size_t at, std::size_t of) {
  for (auto& x : impl_->peers_of(at))
    if (x.info.id == name_of(of))
      return x.state;
  return std::nullopt;
}

bool cluster::settle(nanoseconds limit) {
  return advance_until(
    [this] {
      for (std::size_t i = 0; i < size(); ++i) {
        if (!alive(i))
          continue;
        auto peers = impl_->peers_of(i);
        if (peers.empty() && !impl_->nodes[i].members.empty())
          return false; // its ring does not answer
        for (auto& x : peers) {
          if (x.state == peer_state::self)
            continue;
          auto it = std::size_t{std::stoul(x.info.id.substr(4))};
          auto up = x.state == peer_state::up;
          if (up != (it < size() && alive(it)))
            return false;
        }
      }
      return true;
    },
    limit);
}

// -- what is inside -----------------------------------------------------------

caf::actor_system& cluster::system() {
  if (!impl_->shared)
    throw std::logic_error{"each node has an actor system of its own in the "
                           "world of sockets: call system(node)"};
  return impl_->shared->system();
}

caf::actor_system& cluster::system(std::size_t node) {
  auto& place = impl_->nodes.at(node).place;
  if (!place)
    throw std::logic_error{name_of(node) + " is not running"};
  return place->system();
}

universe& cluster::at(std::size_t node) {
  return *impl_->live(node).home;
}

galaxy cluster::galaxy_of(std::size_t node, const std::string& name) {
  auto result = at(node).find_galaxy(name);
  if (!result)
    throw std::logic_error{"there is no galaxy '" + name + "'"};
  return *result;
}

/// What only tests may see.
class inspection {
public:
  static const galaxy_core& of(const galaxy& x) {
    return *x.core_;
  }
};

bool cluster::accounts_exactly(std::size_t node, const std::string& galaxy) {
  auto whom = galaxy_of(node, galaxy);
  auto& memory = inspection::of(whom).memory;
  for (std::size_t i = 0; i < memory.size(); ++i)
    if (!memory.at(i).accounts_exactly())
      return false;
  return true;
}

peer_info cluster::member(std::size_t node) {
  return {name_of(node), "inproc://" + name_of(node)};
}

std::uint64_t cluster::trace_hash() const noexcept {
  return mix64(impl_->trace) ^ impl_->gets->hash();
}

std::uint64_t cluster::steps() const noexcept {
  return impl_->steps;
}

} // namespace galaxycache::testing
