#pragma once

#include "galaxycache/runtime/member.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace galaxycache {

/// Highest-random-weight placement (Thaler and Ravishankar, 1998), the default
/// for clusters that are all ours.
///
/// A key falls into one of slot_count slots. In each slot the members race:
/// each has an arrival time that depends on nothing but its id, its weight and
/// the slot, and the first to arrive owns the slot's keys. So a member that
/// joins takes keys, and one that leaves gives up keys, but no key ever moves
/// between two others; and the second to arrive is the owner once the first has
/// left, and was the owner before it joined.
///
/// Arrivals are exponentially distributed with the weight as their rate, so
/// that shares are proportional to weights. They are not independent: within a
/// block of 4,096 slots every member holds each rank once, by a permutation of
/// its own. That halves the variance of the shares, and lets the table be built
/// from everybody's best ranks, turned back into slots: about ten arrivals a
/// slot, however many members there are.
///
/// Immutable: any thread may read it. All integer arithmetic: every machine
/// computes the same owners.
class rendezvous {
public:
  /// Fixed for ever: clusters of any size must agree on it. With 2^20 slots the
  /// fullest of 1,000 equal members holds about 1.07 of the mean, the fullest
  /// of 32 about 1.008; half as many give 1.11 and 1.011.
  static constexpr std::uint32_t slot_count = 1u << 20;

  /// The table keeps a member's index in 16 bits.
  static constexpr std::size_t members_max = 65535;

  /// Up to this many members with a weight, no table is kept: the race is run
  /// for each key, which takes some 8 ns a member. Beyond, the table takes
  /// 4 MiB, and 25 to 50 ms to build for up to 1,000 members: keep that off the
  /// hot path.
  static constexpr std::size_t tableless_max = 8;

  /// Takes the members in any order, see in_order().
  /// Throws std::length_error for more than members_max members.
  explicit rendezvous(std::vector<member> members = {});

  /// All members, those of weight 0 included, by id. What the functions below
  /// return are indexes into it.
  const std::vector<member>& members() const noexcept {
    return members_;
  }

  std::size_t size() const noexcept {
    return members_.size();
  }

  /// Nobody if no member has a weight.
  std::optional<std::uint32_t> owner(std::string_view key) const noexcept;

  /// The owner if the present owner were not there; nobody if fewer than two
  /// members have a weight.
  std::optional<std::uint32_t> successor(std::string_view key) const noexcept;

  /// The first `count` owners, each the successor of those before it, or as
  /// many as there are. Takes time linear in the number of members.
  std::vector<std::uint32_t> replicated(std::string_view key,
                                        std::size_t count) const;

  /// Equal for equal members, on every machine.
  std::uint64_t digest() const noexcept;

private:
  // A member of positive weight.
  struct runner {
    std::uint64_t seed;     // stands for the id
    std::uint64_t slowness; // 2^64 / weight
    std::uint64_t index;    // into members_
  };

  // The arrivals of the first two. An arrival is a time with its last 16 bits
  // replaced by the index of whose it is; lowest is first.
  struct podium {
    std::uint64_t first;
    std::uint64_t second;

    void offer(std::uint64_t arrival) noexcept;
  };

  static std::uint64_t arrival(const runner& who, std::uint32_t slot) noexcept;

  podium race(std::uint32_t slot) const noexcept;

  void race_block(std::uint32_t block, std::vector<podium>& slots) const;

  std::vector<member> members_;
  std::vector<runner> runners_;
  // By slot: the indexes of the first two. Empty if tableless.
  std::vector<std::uint16_t> first_;
  std::vector<std::uint16_t> second_;
};

} // namespace galaxycache
