#include "galaxycache/messages/types.hpp"

namespace galaxycache {

std::string to_string(fetch_mode mode) {
  switch (mode) {
    case fetch_mode::regular:
      return "regular";
    case fetch_mode::no_peer_backend:
      return "no_peer_backend";
    case fetch_mode::peek:
      return "peek";
  }
  return "?";
}

std::string to_string(hit_level level) {
  switch (level) {
    case hit_level::miss:
      return "miss";
    case hit_level::hot:
      return "hotcache";
    case hit_level::main:
      return "maincache";
    case hit_level::peek:
      return "peek";
    case hit_level::peer:
      return "peer";
    case hit_level::backend:
      return "backend";
  }
  return "?";
}

std::string to_string(peer_state state) {
  switch (state) {
    case peer_state::self:
      return "self";
    case peer_state::connecting:
      return "connecting";
    case peer_state::up:
      return "up";
    case peer_state::draining:
      return "draining";
    case peer_state::down:
      return "down";
  }
  return "?";
}

} // namespace galaxycache
