#pragma once

#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/member.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace galaxycache {

/// galaxycache's consistent hash ring, bit for bit, for clusters that mix its
/// peers and ours: every key has the owner that the Go code gives it.
///
/// A member's points on the ring of 32-bit hashes are hash(decimal i ++ id) for
/// i below `segments`. A key belongs to the first point at or after its hash,
/// past the last point to the first. Where points of two members coincide, the
/// bytewise larger id has it; the other's point comes back when that one
/// leaves. Weights are not known here, but a member of weight 0 has no points.
///
/// Immutable: any thread may read it. Plan for about 16 bytes a point.
class hash_ring {
public:
  /// A pure function; crc32_ieee and fnv1a_32 are those that galaxycache has.
  using hash_function = std::uint32_t (*)(std::string_view) noexcept;

  /// What galaxycache defaults to.
  static constexpr std::uint32_t segments_default = 50;

  /// Takes the members in any order, see in_order(). With no segments nobody
  /// owns anything, as in Go.
  explicit hash_ring(std::vector<member> members = {},
                     std::uint32_t segments = segments_default,
                     hash_function hash = crc32_ieee);

  /// All members, those without points included, by id. What the functions
  /// below return are indexes into it.
  const std::vector<member>& members() const noexcept {
    return members_;
  }

  std::size_t size() const noexcept {
    return members_.size();
  }

  /// Nobody if the ring has no points.
  std::optional<std::uint32_t> owner(std::string_view key) const noexcept;

  /// What owner() answers in the ring without the present owner; nobody if
  /// that ring has no points.
  std::optional<std::uint32_t> successor(std::string_view key) const noexcept;

  /// Go's GetReplicated. The i-th owner is that of key ++ AA AA ++ uvarint(i),
  /// the 0-th that of the key; from an owner found before, it goes on along the
  /// ring to the next. At most `count` owners, and no more than own anything:
  /// the Go code would search for ever for a member that lost every point.
  std::vector<std::uint32_t> replicated(std::string_view key,
                                        std::size_t count) const;

  /// Equal for equal members, segments and hash functions, on every machine.
  std::uint64_t digest() const noexcept;

private:
  struct point {
    std::uint32_t hash;
    std::uint32_t owner; // an index into members_

    friend bool operator==(const point&, const point&) = default;
  };

  // The point that a hash belongs to. There must be one.
  std::size_t find(std::uint32_t hash) const noexcept;

  // Whether a point is the one that counts of those in the same place.
  bool owns(std::size_t at) const noexcept;

  void link();

  void index();

  std::vector<member> members_;
  std::uint32_t segments_;
  hash_function hash_;
  // By rising hash; in one place by falling id, so that the first one counts.
  std::vector<point> points_;
  // For each point the next of another owner, or any if there is no other.
  std::vector<std::uint32_t> next_other_;
  // For each value of a hash's upper bits the first point not before it, and
  // the number of points.
  std::vector<std::uint32_t> starts_;
  int shift_ = 0;
  // How many members have a point that counts.
  std::size_t owners_ = 0;
};

} // namespace galaxycache
