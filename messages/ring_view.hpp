#pragma once

#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/placement.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace galaxycache {

/// What the ring actor publishes: who owns which key, and whom to ask.
/// Immutable, so any thread may use it.
struct ring_view {
  /// The members, self included if it is one.
  placement members;
  /// One per member of `members`, in its order; null for self.
  std::vector<peer_actor> peers;
  /// The ids of the members, counted, in the same order.
  std::vector<value> ids;
  /// Counts the views of this universe; never compared between universes.
  std::uint64_t version = 0;

  /// The remote owner of a key, or nothing if this universe answers for it:
  /// because it owns it or because there is nobody else.
  const peer_actor* remote_owner(std::string_view key) const;

  /// Who owns the key; empty if nobody does.
  value owner_id(std::string_view key) const;

  /// The peer that would own a key of ours if we were not in the ring, if
  /// there is one.
  const peer_actor* previous_owner(std::string_view key) const;

  /// Equal on all universes that see the same ring.
  std::uint64_t digest() const noexcept {
    return members.digest();
  }
};

} // namespace galaxycache
