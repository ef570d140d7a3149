#include "galaxycache/runtime/ghosts.hpp"

#include "galaxycache/runtime/hash.hpp"

#include <algorithm>

namespace galaxycache {

ghosts::set& ghosts::set_of(std::uint64_t hash) noexcept {
  // Bits of their own: the hash's upper ones choose the shard.
  return sets_[mul_high(mix64(hash), sets_.size())];
}

void ghosts::add(std::uint64_t hash, std::size_t wanted) {
  auto sets = (wanted + set_size - 1) / set_size;
  if (sets == 0)
    return;
  if (sets > 2 * sets_.size() || 4 * sets < sets_.size())
    std::vector<set>(sets).swap(sets_);
  auto& here = set_of(hash);
  auto mark = mark_of(hash);
  auto known = std::ranges::find(here, mark);
  auto last = known == here.end() ? std::prev(here.end()) : known;
  std::move_backward(here.begin(), last, std::next(last));
  here.front() = mark;
}

std::optional<double> ghosts::take(std::uint64_t hash) noexcept {
  if (sets_.empty())
    return std::nullopt;
  auto& here = set_of(hash);
  auto known = std::ranges::find(here, mark_of(hash));
  if (known == here.end())
    return std::nullopt;
  const auto newer = static_cast<double>(known - here.begin());
  std::move(std::next(known), here.end(), known);
  here.back() = 0;
  return (newer + 0.5) / set_size;
}

void ghosts::clear() noexcept {
  std::vector<set>{}.swap(sets_);
}

} // namespace galaxycache
