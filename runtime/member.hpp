#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace galaxycache {

/// One peer as placement sees it.
struct member {
  /// Any bytes. Placement hashes the id, never an address, so that a peer may
  /// move without its keys doing so.
  std::string id;

  /// The member's share of the keys, relative to the others'. 0: it is known,
  /// but owns nothing. Above weight_max it counts as weight_max. The rings know
  /// no other weights than 0 and 1.
  std::uint32_t weight = 1;

  friend bool operator==(const member&, const member&) = default;
};

/// Enough for shares of a thousandth of a percent; in rendezvous, a share's
/// fixed-point inverse keeps its full precision up to here.
inline constexpr std::uint32_t weight_max = 65535;

/// Brings members into the one order that all machines agree on: by id,
/// bytewise. Of several with one id the last stays; weights are capped at
/// weight_max.
std::vector<member> in_order(std::vector<member> members);

/// A digest of members that are in order, the same on every machine.
/// `seed` stands for whatever else the caller wants to tell apart.
std::uint64_t digest_of(std::span<const member> members,
                        std::uint64_t seed) noexcept;

} // namespace galaxycache
