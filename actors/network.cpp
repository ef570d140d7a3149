#include "galaxycache/actors/network.hpp"

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/system_end.hpp"
#include "galaxycache/runtime/random.hpp"

#include <algorithm>
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

/// A connection between a peer actor and a server, both of this process.
using link_actor = typed_actor<
  // From either end: for the other.
  result<void>(frame),
  // INTERNAL: a member has been thawed.
  result<void>(flush_atom)>;

} // namespace

struct network::state {
  state(caf::actor_system& system, std::shared_ptr<clock> time,
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

  void end_links() {
    std::lock_guard guard{mutex};
    for (auto& x : std::exchange(links, {}))
      end_actor(caf::actor_cast<caf::strong_actor_ptr>(x.handle));
  }

  /// Links that have ended are forgotten here and there.
  void forget_dead_links() {
    std::erase_if(links, [](const link& x) {
      return is_terminated(caf::actor_cast<caf::strong_actor_ptr>(x.handle));
    });
  }

  caf::actor_system& system;
  const std::shared_ptr<clock> time; // may be null
  std::mutex mutex;                  // protects all below
  random_source random;
  std::map<std::pair<std::string, std::string>, link_faults> faults;
  std::set<std::string> off;
  std::map<std::string, server_actor> servers;
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
  server_actor server;
};

/// Carries frames both ways, in order, unless an end is frozen or the network
/// has faults.
struct link_state {
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
      send_to(self, config.server, std::move(x));
    else
      send_to(self, config.peer, std::move(x));
  }

  void take(frame x) {
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
  harden(self, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a link crashed"});
  });
  auto end = [self](const caf::error&) {
    self->quit(caf::exit_reason::remote_link_unreachable);
  };
  state.ends.watch(self, state.config.peer, end);
  state.ends.watch(self, state.config.server, end);
  return {
    [&state](frame& x) { state.take(std::move(x)); },
    [&state](flush_atom) { state.flush(); },
  };
}

// -- the transport ------------------------------------------------------------

class inproc_transport : public transport {
public:
  inproc_transport(std::shared_ptr<network::state> net, std::string name)
    : net_(std::move(net)),
      name_(std::move(name)) {
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
    std::lock_guard guard{net_->mutex};
    auto [i, added] = net_->servers.emplace(name_, server);
    if (!added) {
      // One that crashed has not said that it leaves.
      if (!is_terminated(caf::actor_cast<caf::strong_actor_ptr>(i->second)))
        return failure{errc::address_in_use, to_string(where)};
      i->second = server;
    }
    return where;
  }

  void unlisten(const server_actor& server, const uri&) override {
    std::lock_guard guard{net_->mutex};
    auto i = net_->servers.find(name_);
    if (i != net_->servers.end() && i->second == server)
      net_->servers.erase(i);
  }

  void connect(const peer_actor& peer, std::uint64_t attempt,
               const uri& where) override {
    connection result;
    result.attempt = attempt;
    std::lock_guard guard{net_->mutex};
    auto i = net_->servers.find(where.host);
    if (net_->is_off(name_, where.host)) {
      result.error = {errc::peer_failed, "nobody is there"};
    } else if (net_->is_cut(name_, where.host)) {
      result.error = {errc::peer_failed, "the link is cut"};
    } else if (i == net_->servers.end()) {
      result.error = {errc::peer_failed, "nobody listens there"};
    } else {
      net_->forget_dead_links();
      auto handle = net_->system.spawn<caf::hidden>(
        link, link_config{net_, name_, where.host, peer, i->second});
      net_->links.push_back({name_, where.host, handle});
      result.server = caf::actor_cast<wire_actor>(handle);
    }
    post(peer, std::move(result));
  }

  void disconnect(const wire_actor& server) override {
    caf::anon_send_exit(server, caf::exit_reason::kill);
  }

private:
  std::shared_ptr<network::state> net_;
  std::string name_;
};

} // namespace

transport::~transport() {
  // nop
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
  : state_(new state(system, std::move(time), seed)) {
  // The links are hidden, so a system that goes has to be made to end them.
  at_system_end(system, [weak = std::weak_ptr<state>{state_}] {
    if (auto strong = weak.lock())
      strong->end_links();
  });
}

std::shared_ptr<transport> network::join(std::string name) {
  return std::make_shared<inproc_transport>(state_, std::move(name));
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

} // namespace galaxycache
