#include "galaxycache/runtime/hash_ring.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

namespace galaxycache {

namespace {

// What stands for the i-th replica of a key, i > 0.
std::string replica_key(std::string_view key, std::size_t i) {
  std::string result{key};
  result += "\xaa\xaa";
  for (; i >= 0x80; i >>= 7)
    result += static_cast<char>((i & 0x7f) | 0x80);
  result += static_cast<char>(i);
  return result;
}

} // namespace

hash_ring::hash_ring(std::vector<member> members, std::uint32_t segments,
                     hash_function hash)
  : members_(in_order(std::move(members))),
    segments_(segments),
    hash_(hash) {
  for (std::uint32_t owner = 0; owner < members_.size(); ++owner)
    if (members_[owner].weight > 0)
      for (std::uint32_t i = 0; i < segments_; ++i)
        points_.push_back(
          {hash_(std::to_string(i) + members_[owner].id), owner});
  if (points_.empty())
    return;
  std::sort(points_.begin(), points_.end(), [](const point& x, const point& y) {
    return x.hash != y.hash ? x.hash < y.hash : x.owner > y.owner;
  });
  points_.erase(std::unique(points_.begin(), points_.end()), points_.end());
  points_.shrink_to_fit();
  link();
  index();
}

std::optional<std::uint32_t>
hash_ring::owner(std::string_view key) const noexcept {
  if (points_.empty())
    return std::nullopt;
  return points_[find(hash_(key))].owner;
}

std::optional<std::uint32_t>
hash_ring::successor(std::string_view key) const noexcept {
  if (points_.empty())
    return std::nullopt;
  const auto at = find(hash_(key));
  const auto next = points_[next_other_[at]].owner;
  if (next == points_[at].owner)
    return std::nullopt;
  return next;
}

std::vector<std::uint32_t> hash_ring::replicated(std::string_view key,
                                                 std::size_t count) const {
  count = std::min(count, owners_);
  std::vector<std::uint32_t> result;
  result.reserve(count);
  std::vector<bool> taken(members_.size());
  for (std::size_t i = 0; i < count; ++i) {
    auto at = find(hash_(i == 0 ? key : replica_key(key, i)));
    // Ends, because fewer than owners_ members are taken.
    while (taken[points_[at].owner] || !owns(at))
      at = (at + 1) % points_.size();
    taken[points_[at].owner] = true;
    result.push_back(points_[at].owner);
  }
  return result;
}

std::uint64_t hash_ring::digest() const noexcept {
  // What the hash function makes of a word stands for the function.
  auto what = std::uint64_t{hash_("galaxycache")} << 32 | segments_;
  return digest_of(members_, mix64(what));
}

std::size_t hash_ring::find(std::uint32_t hash) const noexcept {
  const auto bucket = hash >> shift_;
  const auto first = points_.begin();
  const auto at = std::lower_bound(
    first + starts_[bucket], first + starts_[bucket + 1], hash,
    [](const point& x, std::uint32_t value) { return x.hash < value; });
  return at == points_.end() ? 0 : static_cast<std::size_t>(at - first);
}

bool hash_ring::owns(std::size_t at) const noexcept {
  return at == 0 || points_[at - 1].hash != points_[at].hash;
}

void hash_ring::link() {
  const auto size = points_.size();
  next_other_.resize(size);
  // Twice around, as the first time the end does not know the beginning yet.
  for (auto i = 2 * size; i-- > 0;) {
    const auto at = i % size;
    const auto next = (at + 1) % size;
    next_other_[at] = points_[at].owner == points_[next].owner
                        ? next_other_[next]
                        : static_cast<std::uint32_t>(next);
  }
  std::vector<bool> seen(members_.size());
  for (std::size_t at = 0; at < size; ++at)
    if (owns(at))
      seen[points_[at].owner] = true;
  owners_
    = static_cast<std::size_t>(std::count(seen.begin(), seen.end(), true));
}

void hash_ring::index() {
  // One point a bucket on average; 2^20 buckets are enough for any cluster.
  const auto bits = std::min(static_cast<int>(std::bit_width(points_.size())),
                             20);
  shift_ = 32 - bits;
  std::uint32_t at = 0;
  for (std::uint64_t bucket = 0; bucket <= 1u << bits; ++bucket) {
    while (at < points_.size() && points_[at].hash < bucket << shift_)
      ++at;
    starts_.push_back(at);
  }
}

} // namespace galaxycache
