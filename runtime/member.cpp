#include "galaxycache/runtime/member.hpp"

#include "galaxycache/runtime/hash.hpp"

#include <algorithm>
#include <utility>

namespace galaxycache {

std::vector<member> in_order(std::vector<member> members) {
  // std::string compares as unsigned bytes, whatever the locale.
  std::stable_sort(members.begin(), members.end(),
                   [](const member& x, const member& y) {
                     return x.id < y.id;
                   });
  std::vector<member> result;
  result.reserve(members.size());
  for (auto& next : members) {
    next.weight = std::min(next.weight, weight_max);
    if (!result.empty() && result.back().id == next.id)
      result.back() = std::move(next);
    else
      result.push_back(std::move(next));
  }
  return result;
}

std::uint64_t digest_of(std::span<const member> members,
                        std::uint64_t seed) noexcept {
  auto digest = mix64(seed ^ members.size());
  for (const auto& each : members)
    digest = mix64(hash64(each.id, digest) ^ each.weight);
  return digest;
}

} // namespace galaxycache
