// Three members of a ring in one process and one actor system, connected by a
// network object instead of sockets. So a test can have a cluster, and take it
// apart.

#include "galaxycache/galaxycache.hpp"

#include <caf/scoped_actor.hpp>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <thread>

using namespace galaxycache;

universe_options member_of(network& net, const std::string& id) {
  universe_options result;
  result.self = id;
  result.listen = "inproc://" + id;
  result.transports = {net.join(id)};
  return result;
}

// Waits until a universe has reached all of its peers.
void await_peers(const universe& u) {
  auto reached = [](const peer_status& x) {
    return x.state == peer_state::self || x.state == peer_state::up;
  };
  while (!std::ranges::all_of(u.peers(), reached))
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
}

int main() {
  config cfg;
  caf::actor_system system{cfg};
  network net{system};

  std::atomic<int> loads = 0;
  auto source = backend::in_place([&loads](std::string_view key) {
    ++loads;
    return value::copy("the meaning of " + std::string{key});
  });
  const std::vector<std::string> ids{"red", "green", "blue"};
  std::vector<universe> universes;
  std::vector<galaxy> galaxies;
  std::vector<peer_info> ring;
  for (auto& id : ids) {
    auto& u = universes.emplace_back(system, member_of(net, id));
    galaxies.push_back(u.add_galaxy("words", 1 << 20, source));
    ring.push_back({id, u.uri()});
  }
  for (auto& u : universes)
    u.set_peers(ring);
  for (auto& u : universes)
    await_peers(u);

  caf::scoped_actor self{system};
  auto ask = [&](std::size_t who, const std::string& key) {
    galaxies[who].get(self, key).receive(
      [&](const answer& x) { std::cout << ids[who] << ": " << x.bytes(); },
      [&](const caf::error& why) { std::cout << describe(why); });
    std::cout << "; loads so far: " << loads << '\n';
  };

  // However many ask, it is loaded once, by its owner.
  for (std::size_t who = 0; who < ids.size(); ++who)
    ask(who, "ring");

  // Nobody can reach anybody: whoever asks for a new key loads it alone.
  for (auto& a : ids)
    for (auto& b : ids)
      if (a < b)
        net.cut(a, b);
  for (std::size_t who = 0; who < ids.size(); ++who)
    ask(who, "tide");

  // What a member has, it has, whoever owns it.
  for (std::size_t who = 0; who < ids.size(); ++who)
    ask(who, "ring");
}
