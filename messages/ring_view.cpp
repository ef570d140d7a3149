#include "galaxycache/messages/ring_view.hpp"

namespace galaxycache {

const peer_actor* ring_view::remote_owner(std::string_view key) const {
  auto index = members.owner(key);
  return index && peers[*index] ? &peers[*index] : nullptr;
}

value ring_view::owner_id(std::string_view key) const {
  auto index = members.owner(key);
  return index ? ids[*index] : value{};
}

const peer_actor* ring_view::previous_owner(std::string_view key) const {
  auto index = members.successor(key);
  return index && peers[*index] ? &peers[*index] : nullptr;
}

} // namespace galaxycache
