#include "galaxycache/runtime/ttl.hpp"

#include <algorithm>

namespace galaxycache {

namespace {

// Longer limits are cut to this, so that no sum of two and of a date in this
// century overflows.
constexpr std::chrono::nanoseconds longest = std::chrono::hours{24 * 365 * 50};

} // namespace

wall_time ttl_cap::apply(wall_time expiry, wall_time now,
                         random_source& random) const noexcept {
  using std::chrono::nanoseconds;
  if (!sets_limit())
    return expiry;
  auto most = std::min(max, longest);
  auto spread = std::clamp(jitter, nanoseconds{0}, most);
  if (expiry != never_expires && expiry <= now + most + spread)
    return expiry;
  auto early = random.below(static_cast<std::uint64_t>(spread.count()));
  return now + most - nanoseconds{static_cast<std::int64_t>(early)};
}

} // namespace galaxycache
