#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace galaxycache {

/// The keys that left last, by fingerprints of 32 bits: about as many as it is
/// told to remember, oldest out first, for four bytes each. One in 500 million
/// strangers is taken for one of them per place of a set. Not thread-safe.
///
/// Sets of eight, each its own queue: whoever is as old as the whole leaves
/// about when it would leave one long queue.
class ghosts {
public:
  /// Remembers the key with this hash. `wanted` is how many to remember; when
  /// that is far from what there is room for, everything is forgotten.
  void add(std::uint64_t hash, std::size_t wanted);

  /// Forgets a key. Says, if it was there, about what share of those that are
  /// remembered left after it.
  std::optional<double> take(std::uint64_t hash) noexcept;

  void clear() noexcept;

  /// What it costs in memory, not counting sets that have none yet: a cache is
  /// not to make room for all of them at once.
  std::size_t bytes() const noexcept {
    return sets_used_ * sizeof(set);
  }

private:
  static constexpr std::size_t set_size = 8;

  /// Newest first; 0 for none.
  using set = std::array<std::uint32_t, set_size>;

  static std::uint32_t mark_of(std::uint64_t hash) noexcept {
    auto mark = static_cast<std::uint32_t>(hash);
    return mark + (mark == 0);
  }

  struct release {
    void operator()(set* sets) const noexcept;
  };

  set& set_of(std::uint64_t hash) noexcept;

  std::unique_ptr<set[], release> sets_;
  std::size_t set_count_ = 0;
  std::size_t sets_used_ = 0;
};

} // namespace galaxycache
