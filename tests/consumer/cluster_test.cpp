// A test of somebody else's: the kit as installed, in all its worlds.

#include <galaxycache/testing/cluster.hpp>

#include <iostream>

using namespace galaxycache::testing;

int main() {
  for (auto kind : {world::simulated, world::threads, world::sockets}) {
    cluster c{{.nodes = 3, .kind = kind}};
    c.add_galaxy("things");
    for (std::size_t node = 0; node < c.size(); ++node)
      if (c.get(node, "things", "key").text() != "value of key")
        return 1;
    std::cout << c.calls_so_far() << " load\n";
  }
}
