#include "galaxycache/galaxycache.hpp"

#include <caf/scoped_actor.hpp>

#include <iostream>

int main() {
  using namespace galaxycache;
  config cfg;
  caf::actor_system system{cfg};
  universe here{system, {.self = "node-1"}};
  auto squares = here.add_galaxy("squares", 64 << 20,
                                 backend::function([](std::string_view key) {
                                   std::cout << "loading " << key << '\n';
                                   auto n = std::stol(std::string{key});
                                   return value::take(std::to_string(n * n));
                                 }));
  caf::scoped_actor self{system};
  for (auto key : {"12", "12", "twelve"})
    squares.get(self, key).receive(
      [&](const answer& x) { std::cout << key << " -> " << x.bytes() << '\n'; },
      [](const caf::error& why) { std::cout << describe(why) << '\n'; });
}
