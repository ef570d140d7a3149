#include "galaxycache/runtime/ghosts.hpp"

#include "galaxycache/runtime/hash.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace galaxycache {

void ghosts::release::operator()(set* sets) const noexcept {
  std::free(sets);
}

ghosts::set& ghosts::set_of(std::uint64_t hash) noexcept {
  // Bits of their own: the hash's upper ones choose the shard.
  return sets_[mul_high(mix64(hash), set_count_)];
}

void ghosts::add(std::uint64_t hash, std::size_t wanted) {
  auto sets = (wanted + set_size - 1) / set_size;
  if (sets == 0)
    return;
  if (sets > 2 * set_count_ || 4 * sets < set_count_) {
    // Zeroed by the system as it is used: zeroing it here would take long.
    auto* fresh = static_cast<set*>(std::calloc(sets, sizeof(set)));
    if (!fresh)
      throw std::bad_alloc{};
    sets_.reset(fresh);
    set_count_ = sets;
    sets_used_ = 0;
  }
  auto& here = set_of(hash);
  sets_used_ += here.front() == 0;
  auto mark = mark_of(hash);
  auto known = std::ranges::find(here, mark);
  auto last = known == here.end() ? std::prev(here.end()) : known;
  std::move_backward(here.begin(), last, std::next(last));
  here.front() = mark;
}

std::optional<double> ghosts::take(std::uint64_t hash) noexcept {
  if (!sets_)
    return std::nullopt;
  auto& here = set_of(hash);
  auto known = std::ranges::find(here, mark_of(hash));
  if (known == here.end())
    return std::nullopt;
  const auto newer = static_cast<double>(known - here.begin());
  std::move(std::next(known), here.end(), known);
  here.back() = 0;
  sets_used_ -= here.front() == 0;
  return (newer + 0.5) / set_size;
}

void ghosts::clear() noexcept {
  sets_.reset();
  set_count_ = 0;
  sets_used_ = 0;
}

} // namespace galaxycache
