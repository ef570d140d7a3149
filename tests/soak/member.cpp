#include "member.hpp"

#include "workload.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/runtime/caf/startup.hpp"

#include <caf/actor_system.hpp>

#include <malloc.h>

#include <iostream>
#include <sstream>
#include <stdexcept>

extern "C" [[gnu::weak]] std::size_t __sanitizer_get_current_allocated_bytes();

namespace galaxycache::soak {

namespace {

struct member_config : config {
  member_config() {
    set_caf_option(*this, "scheduler.max-threads", std::size_t{2});
  }
};

universe_options options_of(const std::string& id) {
  universe_options result;
  result.self = id;
  result.listen = "caf://127.0.0.1:0";
  result.verbosity = log_level::error;
  return result;
}

/// What this process has allocated and not freed. The sanitizer's allocator
/// has an account of its own, and keeps for long what it was given.
std::size_t live_bytes() {
  if (__sanitizer_get_current_allocated_bytes)
    return __sanitizer_get_current_allocated_bytes();
  auto x = mallinfo2();
  return x.uordblks + x.hblkhd;
}

std::string obey(universe& home, workload& work, const std::string& line) {
  std::istringstream words{line};
  std::string verb;
  words >> verb;
  if (verb == "ring") {
    std::vector<peer_info> members;
    for (peer_info x; words >> x.id >> x.uri;)
      members.push_back(x);
    home.set_peers(std::move(members));
  } else if (verb == "tally") {
    return to_string(work.so_far());
  } else if (verb == "up") {
    std::size_t up = 0;
    for (auto& x : home.peers())
      up += x.state == peer_state::up || x.state == peer_state::self;
    return std::to_string(up);
  } else if (verb == "memory") {
    return std::to_string(live_bytes());
  } else if (verb == "calm") {
    work.calm();
  } else if (verb == "finish") {
    work.finish();
  } else {
    throw std::runtime_error{"no such command: " + verb};
  }
  return "ok";
}

} // namespace

int serve(const std::vector<std::string>& arguments) {
  member_config cfg;
  caf::actor_system system{cfg};
  universe home{system, options_of(arguments.at(0))};
  workload work{system, home, std::stoull(arguments.at(1)),
                std::stod(arguments.at(2))};
  std::cout << home.uri() << std::endl;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << obey(home, work, line) << std::endl;
  return 0;
}

} // namespace galaxycache::soak
