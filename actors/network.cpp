#include "galaxycache/actors/network.hpp"

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/system_end.hpp"
#include "galaxycache/runtime/random.hpp"

#include <caf/stateful_actor.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace galaxycache {

namespace {

using pair_of_names = std::pair<std::string, std::string>;

pair_of_names unordered_pair(const std::string& a, const std::string& b) {
  return a < b ? pair_of_names{a, b} : pair_of_names{b, a};
}

/// A connection between a peer actor and a server.
using link_actor = typed_actor<
  // From either end: for the other.
  result<void>(frame),
  // INTERNAL: the way to the server, or why there is none.
  result<void>(connection),
  // INTERNAL: a member has been thawed.
  result<void>(flush_atom)>;

} // namespace

struct network::state {
  state(caf::actor_system* system, std::shared_ptr<clock> time,
        std::uint64_t seed)
    : system(system),
      time(std::move(time)),
      random(seed) {
    // nop
  }

  struct link {
    std::string from;
    std::string to;
    link_actor handle;
    /// The server if it is in another system, and known.
    server_actor remote;
  };

  /// A server that listens, and where if not in the same system.
  struct listener {
    server_actor server;
    uri where;
  };

  bool is_cut(const std::string& a, const std::string& b) const {
    return cuts.count(unordered_pair(a, b)) != 0;
  }

  bool is_off(const std::string& a, const std::string& b) const {
    return off.count(a) != 0 || off.count(b) != 0;
  }

  bool is_frozen(const std::string& a, const std::string& b) const {
    return frozen.count(a) != 0 || frozen.count(b) != 0;
  }

  /// The links of a system, which goes.
  void end_links(const caf::actor_system& of) {
    std::lock_guard guard{mutex};
    std::erase_if(links, [&](const link& x) {
      if (&x.handle.home_system() != &of)
        return false;
      end_actor(caf::actor_cast<caf::strong_actor_ptr>(x.handle));
      return true;
    });
  }

  /// Links that have ended are forgotten here and there.
  void forget_dead_links() {
    std::erase_if(links, [](const link& x) {
      return is_terminated(caf::actor_cast<caf::strong_actor_ptr>(x.handle));
    });
  }

  caf::actor_system* const system;   // null if each universe has its own
  const std::shared_ptr<clock> time; // may be null
  std::atomic<std::size_t> attempts{0};
  std::atomic<std::uint64_t> frames{0};
  std::mutex mutex; // protects all below
  random_source random;
  std::map<std::pair<std::string, std::string>, link_faults> faults;
  std::set<std::string> off;
  std::map<std::string, listener> servers;
  std::set<pair_of_names> cuts;
  std::set<std::string> frozen;
  std::vector<link> links;
};

namespace {

// -- the LINK actor -----------------------------------------------------------

struct link_config {
  std::shared_ptr<network::state> net;
  std::string from;
  std::string to;
  peer_actor peer;
  server_actor server; // null until there is a connection
  /// Counts the attempt to connect while its outcome is not known.
  std::shared_ptr<const void> attempt;
};

std::shared_ptr<const void>
count_attempt(const std::shared_ptr<network::state>& net) {
  ++net->attempts;
  return {net.get(), [net](const void*) { --net->attempts; }};
}

/// Carries frames both ways, in order, unless an end is frozen or the network
/// has faults.
struct link_state : actor_state {
  static inline const char* name = "galaxycache.link";

  /// What is under way in one direction, by when it is due.
  struct direction {
    std::multimap<mono_time, frame> held;
    mono_time last_due{};
  };

  link_actor::pointer self = nullptr;
  link_config config;
  monitors ends;
  direction to_server;
  direction to_peer;

  mono_time now() const {
    auto& time = config.net->time;
    return time ? time->now() : mono_time{};
  }

  void pass(direction& way, frame x) {
    if (&way == &to_server)
      return send_to(self, config.server, std::move(x));
    if (x.bodies.size() == 1)
      if (auto placed = put_in_place(x.header, x.bodies.front().bytes()))
        x.bodies.front() = std::move(*placed);
    send_to(self, config.peer, std::move(x));
  }

  void end_with(const caf::strong_actor_ptr& whom) {
    ends.watch(self, whom, [this](const caf::error&) {
      self->quit(caf::exit_reason::remote_link_unreachable);
    });
  }

  void connected(connection x) {
    if (x.server) {
      config.server = caf::actor_cast<server_actor>(x.server);
      end_with(caf::actor_cast<caf::strong_actor_ptr>(config.server));
      auto here = caf::actor_cast<link_actor>(self);
      std::lock_guard guard{config.net->mutex};
      for (auto& each : config.net->links)
        if (each.handle == here)
          each.remote = config.server;
      x.server = caf::actor_cast<wire_actor>(here);
    }
    send_to(self, config.peer, std::move(x));
    config.attempt.reset();
    if (!config.server)
      self->quit();
  }

  void take(frame x) {
    ++config.net->frames;
    auto from_peer = self->current_sender()
                     == caf::actor_cast<caf::strong_actor_ptr>(config.peer);
    auto& way = from_peer ? to_server : to_peer;
    auto ends = std::pair{config.from, config.to};
    if (!from_peer)
      std::swap(ends.first, ends.second);
    auto& net = *config.net;
    std::unique_lock guard{net.mutex};
    if (net.is_off(config.from, config.to))
      return;
    auto frozen = net.is_frozen(config.from, config.to);
    auto f = net.faults.find(ends);
    if (f == net.faults.end()) {
      guard.unlock();
      if (frozen || !way.held.empty())
        hold(way, std::max(now(), way.last_due), std::move(x));
      else
        pass(way, std::move(x));
      return;
    }
    auto& faults = f->second;
    auto copies = net.random.chance(faults.drop)        ? 0
                  : net.random.chance(faults.duplicate) ? 2
                                                        : 1;
    auto range = (faults.delay_max - faults.delay_min).count();
    std::vector<mono_time> dues;
    for (; copies > 0; --copies) {
      auto extra = net.random.below(static_cast<std::uint64_t>(range) + 1);
      auto due = now() + faults.delay_min
                 + std::chrono::nanoseconds{static_cast<std::int64_t>(extra)};
      if (!faults.reorder)
        due = std::max(due, way.last_due);
      dues.push_back(due);
    }
    guard.unlock();
    for (auto due : dues)
      hold(way, due, x);
    flush();
  }

  void hold(direction& way, mono_time due, frame x) {
    way.held.emplace(due, std::move(x));
    way.last_due = std::max(way.last_due, due);
    if (due > now())
      config.net->time->call_at(
        due, [weak = caf::actor_cast<caf::weak_actor_ptr>(self)] {
          if (auto strong = weak.lock())
            post(caf::actor_cast<link_actor>(strong), flush_atom_v);
        });
  }

  bool is_frozen() {
    std::lock_guard guard{config.net->mutex};
    return config.net->is_frozen(config.from, config.to);
  }

  void flush() {
    if (is_frozen())
      return;
    for (auto* way : {&to_server, &to_peer}) {
      while (!way->held.empty() && way->held.begin()->first <= now()) {
        auto next = way->held.extract(way->held.begin());
        pass(*way, std::move(next.mapped()));
      }
    }
  }
};

link_actor::behavior_type link(link_actor::stateful_pointer<link_state> self,
                               link_config config) {
  auto& state = state_of(self);
  state.self = self;
  state.config = std::move(config);
  harden(self, state, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a link crashed"});
  });
  state.end_with(caf::actor_cast<caf::strong_actor_ptr>(state.config.peer));
  if (state.config.server)
    state.end_with(caf::actor_cast<caf::strong_actor_ptr>(state.config.server));
  return {
    [&state](frame& x) { state.take(std::move(x)); },
    [&state](connection& x) { state.connected(std::move(x)); },
    [&state](flush_atom) { state.flush(); },
  };
}

// -- there and back -----------------------------------------------------------

/// Tells when all who hold it are gone.
struct home_coming {
  std::promise<void> all;

  ~home_coming() {
    all.set_value();
  }
};

struct traveller_state : actor_state {
  static inline const char* name = "galaxycache.traveller";

  monitors ends;
  std::shared_ptr<home_coming> home;
};

/// Asks a remote server for what it does for nobody from elsewhere, and ends
/// with the answer.
void traveller(caf::stateful_actor<traveller_state>* self, server_actor server,
               std::shared_ptr<home_coming> home) {
  state_of(self).destroy_with(self);
  state_of(self).home = std::move(home);
  state_of(self).ends.watch(self, server,
                            [self](const caf::error&) { self->quit(); });
  request(self, server, flush_atom_v)
    .then([self] { self->quit(); }, [self](caf::error&) { self->quit(); });
}

// -- the transport ------------------------------------------------------------

class inproc_transport : public transport {
public:
  /// Without a `way`, all are in the same system.
  inproc_transport(std::shared_ptr<network::state> net, std::string name,
                   caf::actor_system& system,
                   std::shared_ptr<transport> way = nullptr, uri where = {})
    : net_(std::move(net)),
      name_(std::move(name)),
      system_(system),
      way_(std::move(way)),
      where_(std::move(where)) {
    // nop
  }

  std::string_view scheme() const noexcept override {
    return "inproc";
  }

  std::variant<uri, failure> listen(const server_actor& server,
                                    const uri& where) override {
    if (where.host != name_)
      return failure{errc::invalid_argument,
                     "'" + name_ + "' cannot listen as '" + where.host + "'"};
    std::unique_lock guard{net_->mutex};
    if (is_taken())
      return failure{errc::address_in_use, to_string(where)};
    network::state::listener added{server, where_};
    if (way_) {
      guard.unlock(); // it may block
      auto bound = way_->listen(server, where_);
      if (std::holds_alternative<failure>(bound))
        return bound;
      added.where = std::get<uri>(std::move(bound));
      guard.lock();
    }
    net_->servers[name_] = std::move(added);
    return where;
  }

  void unlisten(const server_actor& server, const uri&) override {
    std::lock_guard guard{net_->mutex};
    auto i = net_->servers.find(name_);
    if (i == net_->servers.end() || i->second.server != server)
      return;
    if (way_)
      way_->unlisten(server, i->second.where);
    net_->servers.erase(i);
  }

  void connect(const peer_actor& peer, std::uint64_t attempt,
               const uri& where) override {
    connection result;
    result.attempt = attempt;
    std::unique_lock guard{net_->mutex};
    auto i = net_->servers.find(where.host);
    if (net_->is_off(name_, where.host)) {
      result.error = {errc::peer_failed, "nobody is there"};
    } else if (net_->is_cut(name_, where.host)) {
      result.error = {errc::peer_failed, "the link is cut"};
    } else if (i == net_->servers.end()) {
      result.error = {errc::peer_failed, "nobody listens there"};
    } else {
      net_->forget_dead_links();
      link_config config{net_, name_, where.host, peer, {}, {}};
      if (way_)
        config.attempt = count_attempt(net_);
      else
        config.server = i->second.server;
      auto handle = system_.spawn<caf::hidden>(link, std::move(config));
      net_->links.push_back({name_, where.host, handle, {}});
      if (way_) {
        auto there = i->second.where;
        guard.unlock();
        // The outcome comes to the link, and the link to the peer.
        return way_->connect(caf::actor_cast<peer_actor>(handle), attempt,
                             there);
      }
      result.server = caf::actor_cast<wire_actor>(handle);
    }
    post(peer, std::move(result));
  }

  void disconnect(const wire_actor& server) override {
    caf::anon_send_exit(server, caf::exit_reason::kill);
  }

private:
  /// Whether somebody listens by this name. One that crashed has not said that
  /// it leaves.
  bool is_taken() const {
    auto i = net_->servers.find(name_);
    return i != net_->servers.end()
           && !is_terminated(
             caf::actor_cast<caf::strong_actor_ptr>(i->second.server));
  }

  std::shared_ptr<network::state> net_;
  std::string name_;
  caf::actor_system& system_;
  std::shared_ptr<transport> way_;
  uri where_;
};

/// Links are hidden, so a system that goes has to be made to end them.
void end_links_with(caf::actor_system& system,
                    const std::shared_ptr<network::state>& net) {
  at_system_end(system, [weak = std::weak_ptr<network::state>{net}, &system] {
    if (auto strong = weak.lock())
      strong->end_links(system);
  });
}

} // namespace

transport::~transport() {
  // nop
}

bool transport::is_private(const uri&) const noexcept {
  return true;
}

std::optional<failure> transport::why_unusable() const {
  return std::nullopt;
}

void transport::disconnect(const wire_actor&) {
  // nop
}

// -- the network --------------------------------------------------------------

network::network(caf::actor_system& system) : network(system, nullptr, 0) {
  // nop
}

network::network(caf::actor_system& system, std::shared_ptr<clock> time,
                 std::uint64_t seed)
  // Not with make_shared: what waits for the system's end holds a weak pointer,
  // which must not hold the memory.
  : state_(new state(&system, std::move(time), seed)) {
  end_links_with(system, state_);
}

network::network(std::shared_ptr<clock> time, std::uint64_t seed)
  : state_(new state(nullptr, std::move(time), seed)) {
  // nop
}

std::shared_ptr<transport> network::join(std::string name) {
  if (!state_->system)
    throw exception{{errc::invalid_argument,
                     "this network is for universes in systems of their own"}};
  return std::make_shared<inproc_transport>(state_, std::move(name),
                                            *state_->system);
}

std::shared_ptr<transport>
network::join(std::string name, caf::actor_system& system,
              std::shared_ptr<transport> way, uri where) {
  end_links_with(system, state_);
  return std::make_shared<inproc_transport>(state_, std::move(name), system,
                                            std::move(way), std::move(where));
}

void network::cut(const std::string& a, const std::string& b) {
  std::lock_guard guard{state_->mutex};
  state_->cuts.insert(unordered_pair(a, b));
  for (auto& x : state_->links)
    if (unordered_pair(x.from, x.to) == unordered_pair(a, b))
      caf::anon_send_exit(x.handle, caf::exit_reason::kill);
}

void network::heal() {
  std::lock_guard guard{state_->mutex};
  state_->cuts.clear();
  state_->frozen.clear();
  state_->faults.clear();
  for (auto& x : state_->links)
    post(x.handle, flush_atom_v);
}

void network::set_faults(const std::string& from, const std::string& to,
                         link_faults faults) {
  using std::chrono::nanoseconds;
  if (!state_->time && faults.delay_max > nanoseconds{0})
    throw exception{{errc::invalid_argument, "a network without a clock cannot "
                                             "delay anything"}};
  faults.delay_min = std::max(faults.delay_min, nanoseconds{0});
  faults.delay_max = std::max(faults.delay_max, faults.delay_min);
  std::lock_guard guard{state_->mutex};
  state_->faults[{from, to}] = faults;
}

void network::take_off(const std::string& name) {
  std::lock_guard guard{state_->mutex};
  state_->off.insert(name);
}

void network::put_back(const std::string& name) {
  std::lock_guard guard{state_->mutex};
  state_->off.erase(name);
}

void network::freeze(const std::string& name) {
  std::lock_guard guard{state_->mutex};
  state_->frozen.insert(name);
}

void network::thaw(const std::string& name) {
  std::lock_guard guard{state_->mutex};
  state_->frozen.erase(name);
  for (auto& x : state_->links)
    post(x.handle, flush_atom_v);
}

std::size_t network::attempts() const {
  return state_->attempts;
}

std::uint64_t network::frames() const {
  return state_->frames;
}

bool network::is_connected(const std::string& name) const {
  std::lock_guard guard{state_->mutex};
  state_->forget_dead_links();
  return std::ranges::any_of(state_->links, [&](auto& x) {
    return x.from == name || x.to == name;
  });
}

bool network::go_around(std::chrono::nanoseconds patience) const {
  auto home = std::make_shared<home_coming>();
  auto all = home->all.get_future();
  {
    std::lock_guard guard{state_->mutex};
    for (auto& x : state_->links)
      if (x.remote)
        x.handle.home_system().spawn<caf::hidden>(traveller, x.remote, home);
  }
  home.reset();
  return all.wait_for(patience) == std::future_status::ready;
}

} // namespace galaxycache
