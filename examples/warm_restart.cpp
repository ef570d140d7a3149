// A member of a ring restarts with an empty cache. Meanwhile another member has
// loaded its keys. With peeking it asks that one's cache before the backend.

#include "galaxycache/galaxycache.hpp"

#include <caf/scoped_actor.hpp>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <optional>
#include <thread>

using namespace galaxycache;
using namespace std::chrono_literals;

constexpr int keys = 1000;

// One run of a member: a universe and its galaxy.
struct run_of_member {
  run_of_member(caf::actor_system& system, network& net, const std::string& id)
    : u(system, options_for(net, id)),
      g(u.add_galaxy("numbers", 4 << 20,
                     backend::in_place(
                       [](std::string_view key) { return value::copy(key); }),
                     galaxy_options{.promote = make_never_promoter(),
                                    .peek = peek_options{5s, 1min}})) {
    u.set_peers({{"a", "inproc://a"}, {"b", "inproc://b"}});
  }

  static universe_options options_for(network& net, const std::string& id) {
    universe_options result;
    result.self = id;
    result.listen = "inproc://" + id;
    result.transports = {net.join(id)};
    return result;
  }

  // Waits until the other one is up.
  void await_peer() const {
    auto is_up = [](const peer_status& x) { return x.state == peer_state::up; };
    while (!std::ranges::any_of(u.peers(), is_up))
      std::this_thread::sleep_for(1ms);
  }

  void ask_for_all(caf::scoped_actor& self) const {
    for (int i = 0; i < keys; ++i)
      g.get(self, std::to_string(i))
        .receive([](const answer&) {},
                 [](const caf::error& why) {
                   std::cout << describe(why) << '\n';
                 });
  }

  universe u;
  galaxy g;
};

int main() {
  config cfg;
  caf::actor_system system{cfg};
  network net{system};
  caf::scoped_actor self{system};

  run_of_member a{system, net, "a"};
  std::optional<run_of_member> b{std::in_place, system, net, "b"};
  a.await_peer();
  b->await_peer();
  a.ask_for_all(self);
  auto before = a.g.stats().backend_loads + b->g.stats().backend_loads;
  std::cout << "loaded once: " << before << '\n';

  b.reset(); // peers are told
  a.ask_for_all(self);
  std::cout << "a now has all: " << a.g.stats().maincache.entries << '\n';

  b.emplace(system, net, "b");
  b->await_peer();
  b->ask_for_all(self);
  auto stats = b->g.stats();
  std::cout << "b has restarted: " << stats.gets << " gets, "
            << stats.backend_loads << " loads\n";
  std::cout << "its own keys came by peeks: " << std::boolalpha
            << (stats.peer_peeks > 0
                && stats.peer_peeks + stats.peer_loads == keys)
            << '\n';
}
