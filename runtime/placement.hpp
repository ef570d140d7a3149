#pragma once

#include "galaxycache/runtime/member.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace galaxycache {

/// What says which member of a cluster has a key. Members go by their index in
/// members(), which is the same on all machines that know the same members.
template <class T>
concept placement_like
  = requires(const T& place, std::string_view key, std::size_t count) {
  { place.owner(key) } -> std::same_as<std::optional<std::uint32_t>>;
  { place.successor(key) } -> std::same_as<std::optional<std::uint32_t>>;
  { place.replicated(key, count) } -> std::same_as<std::vector<std::uint32_t>>;
  { place.members() } -> std::same_as<const std::vector<member>&>;
  { place.size() } -> std::same_as<std::size_t>;
  { place.digest() } -> std::same_as<std::uint64_t>;
};

/// How keys find their owners.
enum class placement_kind : std::uint8_t {
  /// For clusters that are all ours; see class rendezvous.
  rendezvous,
  /// galaxycache's default ring, for clusters with its peers; see hash_ring.
  hash_ring_crc32,
  /// galaxycache's ring with its other hash.
  hash_ring_fnv1a,
};

/// Must be the same in all processes of a cluster.
struct placement_options {
  placement_kind kind = placement_kind::rendezvous;

  /// Points a member has on a ring; 50 is what galaxycache defaults to. With 0
  /// nobody owns anything. Rendezvous ignores it.
  std::uint32_t segments = 50;

  friend bool operator==(const placement_options&, const placement_options&)
    = default;
};

/// A placement of the kind asked for.
///
/// An immutable value: any thread may read it, and copies share what they
/// read, so that copying costs as much as copying a shared_ptr. One that was
/// moved from is empty. The order of the members given does not matter; of
/// several with one id the last counts; a member of weight 0 owns nothing.
class placement {
public:
  /// Of no members.
  placement() noexcept = default;

  /// Takes up to 0.1 s for 1,000 members: keep it off the hot path.
  /// Throws std::length_error for more members than the kind can have
  /// (rendezvous::members_max).
  explicit placement(std::vector<member> members,
                     placement_options options = {});

  /// By id, bytewise.
  const std::vector<member>& members() const noexcept;

  /// The number of members.
  std::size_t size() const noexcept;

  /// Where the member of this id is in members().
  std::optional<std::uint32_t> index_of(std::string_view id) const noexcept;

  const placement_options& options() const noexcept;

  /// Who has the key; nobody if no member owns anything.
  std::optional<std::uint32_t> owner(std::string_view key) const noexcept;

  /// Who would have the key if its owner were not a member; nobody if there is
  /// no second member that owns anything.
  std::optional<std::uint32_t> successor(std::string_view key) const noexcept;

  /// Up to `count` different members, the owner first, to keep the key; fewer
  /// if fewer own anything. On a ring the second one need not be the successor.
  std::vector<std::uint32_t> replicated(std::string_view key,
                                        std::size_t count) const;

  /// Tells placements apart that may differ in any owner: computed from ids,
  /// weights, kind and segments, the same on every machine.
  std::uint64_t digest() const noexcept;

  /// This placement less one member, if there is one of that id: the owner is
  /// then what successor() is here for keys that the member owned, and
  /// unchanged for all others. Costs as much as building a placement.
  placement without(std::string_view id) const;

private:
  struct state;

  const state& get() const noexcept;

  // Null for no members and default options.
  std::shared_ptr<const state> state_;
};

} // namespace galaxycache
