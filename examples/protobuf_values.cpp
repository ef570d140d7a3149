// Protobuf messages as values: include one header, and each of them has a
// codec.

#include "protobuf_values.pb.h"

#include "galaxycache/actors/typed_galaxy.hpp"
#include "galaxycache/galaxycache.hpp"
#include "galaxycache/runtime/protobuf_codec.hpp"

#include <caf/scoped_actor.hpp>

#include <iostream>

using namespace galaxycache;
using protobuf_values::Route;

typed_load_result<Route> find_route(const std::pair<int, int>& from_to) {
  auto [from, to] = from_to;
  if (from < 0 || to < 0)
    return errc::not_found;
  Route result;
  for (auto stop = from; stop != to; stop += from < to ? 1 : -1)
    result.add_stops("stop " + std::to_string(stop));
  result.add_stops("stop " + std::to_string(to));
  result.set_minutes(4 * static_cast<std::uint32_t>(result.stops_size() - 1));
  // Tomorrow there may be another timetable.
  return typed_loaded<Route>{std::move(result), std::chrono::system_clock::now()
                                                  + std::chrono::hours{24}};
}

int main() {
  config cfg;
  caf::actor_system system{cfg};
  universe here{system, {.self = "node-1"}};
  auto routes = add_typed_galaxy(
    here, "routes", 64 << 20,
    typed_backend<std::pair<int, int>, Route>::in_place(find_route));
  caf::scoped_actor self{system};
  for (auto key : {std::pair{7, 5}, std::pair{7, 5}, std::pair{7, -1}})
    routes.get(self, key).receive(
      [&](const typed_answer<Route>& x) {
        std::cout << key.first << " to " << key.second << ", from "
                  << to_string(x.level) << ":";
        if (x.found())
          std::cout << ' ' << x.data->ShortDebugString();
        std::cout << '\n';
      },
      [](const caf::error& why) { std::cout << describe(why) << '\n'; });
}
