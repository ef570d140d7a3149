// With the cure, two systems of one process have ids of their own, as those of
// two containers with the same process id would.

#include "galaxycache/actors/config.hpp"

#include <caf/actor_system.hpp>

#include <iostream>

int main() {
  galaxycache::config cfg;
  caf::actor_system one{cfg};
  galaxycache::config other_cfg;
  caf::actor_system other{other_cfg};
  if (one.node() != other.node())
    return 0;
  std::cerr << "two actor systems have one node id\n";
  return 1;
}
