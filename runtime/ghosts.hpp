#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

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

  std::size_t bytes() const noexcept {
    return sets_.capacity() * sizeof(set);
  }

private:
  static constexpr std::size_t set_size = 8;

  /// Newest first; 0 for none.
  using set = std::array<std::uint32_t, set_size>;

  static std::uint32_t mark_of(std::uint64_t hash) noexcept {
    auto mark = static_cast<std::uint32_t>(hash);
    return mark + (mark == 0);
  }

  set& set_of(std::uint64_t hash) noexcept;

  std::vector<set> sets_;
};

} // namespace galaxycache
