#include "galaxycache/runtime/options.hpp"

#include <algorithm>
#include <bit>

namespace galaxycache {

namespace {

// More cache actors than this wait for cores, not for each other.
constexpr std::size_t shards_max = 1024;

// A cache actor for each core, but for what would make smaller shards than
// this: capacity that one lacks lies idle in another.
constexpr std::size_t small_shard_bytes = 1 << 20;

// Some more, so that cores seldom wait for each other's cache actors, where a
// shard still has room for several of the largest values and many waiters.
constexpr std::size_t shards_per_core = 4;
constexpr std::size_t large_values_per_shard = 4;
constexpr std::size_t waiters_per_shard = 4096;

// No sum of two and of a time of the monotonic clock overflows.
constexpr std::chrono::nanoseconds wait_max = std::chrono::hours{24 * 365};

} // namespace

std::optional<std::string> validate(const galaxy_options& options) {
  using std::chrono::nanoseconds;
  if (options.hot_ratio == 0)
    return "hot_ratio must be at least 1";
  if (options.default_timeout <= nanoseconds{0})
    return "default_timeout must be positive";
  if (options.load_timeout <= nanoseconds{0})
    return "load_timeout must be positive";
  if (options.loads_max == 0)
    return "loads_max must be at least 1";
  if (options.waiters_max == 0)
    return "waiters_max must be at least 1";
  if (options.value_bytes_max == 0)
    return "value_bytes_max must be at least 1";
  if (options.shards > shards_max)
    return "shards must be at most " + std::to_string(shards_max);
  if (options.reset_idle_stats < nanoseconds{0})
    return "reset_idle_stats must not be negative";
  // galaxycache's own lower limit for peeks.
  if (options.peek && options.peek->timeout < std::chrono::microseconds{100})
    return "peek.timeout must be at least 100 microseconds";
  if (options.peek && options.peek->warm_time < nanoseconds{0})
    return "peek.warm_time must not be negative";
  return std::nullopt;
}

std::optional<std::string> validate(const peer_options& options) {
  if (options.heartbeat_interval < std::chrono::milliseconds{1})
    return "heartbeat_interval must be at least a millisecond";
  if (options.heartbeat_timeout / 2 < options.heartbeat_interval)
    return "heartbeat_timeout must be at least twice heartbeat_interval";
  if (options.heartbeat_timeout > wait_max || options.reconnect_max > wait_max)
    return "heartbeat_timeout and reconnect_max must be at most a year";
  if (options.reconnect_min < std::chrono::milliseconds{1})
    return "reconnect_min must be at least a millisecond";
  if (options.reconnect_max < options.reconnect_min)
    return "reconnect_max must not be less than reconnect_min";
  if (options.fetches_max == 0 || options.fetch_bytes_max == 0)
    return "fetches_max and fetch_bytes_max must be at least 1";
  if (options.piece_bytes == 0 || options.window_bytes == 0
      || options.answer_bytes_max == 0)
    return "piece_bytes, window_bytes and answer_bytes_max must be at least 1";
  return std::nullopt;
}

std::optional<std::string> validate_galaxy_name(std::string_view name) {
  auto printable = [](char c) { return c >= ' ' && c <= '~'; };
  if (name.empty() || name.size() > 255
      || !std::ranges::all_of(name, printable))
    return "a galaxy's name must have 1 to 255 printable ASCII characters";
  return std::nullopt;
}

std::size_t default_shards(const galaxy_options& options,
                           std::size_t capacity_bytes, std::size_t cores) {
  auto power_of_two = [](std::size_t x) {
    return std::bit_floor(std::max<std::size_t>(x, 1));
  };
  auto wanted = std::bit_ceil(std::max<std::size_t>(cores, 1));
  auto enough = std::min(wanted,
                         power_of_two(capacity_bytes / small_shard_bytes));
  auto large_values = capacity_bytes
                      / std::max<std::size_t>(options.value_bytes_max,
                                              small_shard_bytes);
  auto better
    = std::min({shards_per_core * wanted,
                power_of_two(large_values / large_values_per_shard),
                power_of_two(options.waiters_max / waiters_per_shard)});
  return std::min(std::max(enough, better), shards_max);
}

} // namespace galaxycache
