#pragma once

#include "galaxycache/runtime/hotness.hpp"
#include "galaxycache/runtime/ttl.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace galaxycache {

/// The longest key, in bytes. A key is an address, not a document.
inline constexpr std::size_t key_bytes_max = 64 * 1024;

/// The longest id of a peer: it is hashed with every view of the ring and sent
/// with every greeting.
inline constexpr std::size_t peer_id_bytes_max = 1024;

/// The most points a member may have on a hash ring: two thousand times as many
/// as galaxycache gives it. More take long to place and balance no better.
inline constexpr std::uint32_t segments_max = 100'000;

/// How long a value is kept for a peer that is down.
inline constexpr std::chrono::seconds gutter_ttl_max{10};

/// Asking the previous owner of a key for it while this process is young: its
/// cache is warm, ours is not.
struct peek_options {
  /// How long to wait for the peek before loading from the backend.
  std::chrono::nanoseconds timeout = std::chrono::milliseconds{10};
  /// For how long after the start of the universe to peek.
  std::chrono::nanoseconds warm_time = std::chrono::minutes{5};
};

/// What is particular to a galaxy. Durations are nanoseconds.
struct galaxy_options {
  /// Decides what the hot cache takes; null stands for all that is fetched.
  std::shared_ptr<promoter> promote{};
  /// Over budget, the hot cache gives way while it is larger than the main
  /// cache divided by this.
  std::size_t hot_ratio = 8;
  /// How many keys of other owners to keep statistics of.
  std::size_t candidates_max = 1024;
  /// A key idle for longer is counted anew.
  std::chrono::nanoseconds reset_idle_stats = std::chrono::minutes{1};
  /// How long values may live, whatever their source.
  ttl_cap get_ttl{};
  /// The same for values peeked at; where it sets no limit, `get_ttl` holds.
  ttl_cap peek_ttl{};
  /// Whether to peek at previous owners.
  std::optional<peek_options> peek{};

  /// The deadline of a get that brings none.
  std::chrono::nanoseconds default_timeout = std::chrono::seconds{5};
  /// A backend that takes longer has failed, though nobody may wait any more.
  std::chrono::nanoseconds load_timeout = std::chrono::minutes{1};
  /// Keys being loaded at once, waiting for a worker included.
  std::size_t loads_max = 65'536;
  /// Whether an owner that takes longer than nearly all fetches of late (95 %)
  /// gets company: its successor is asked, too, and the first answer counts.
  /// For at most 2 % of all fetches; a value is then loaded twice at times.
  bool hedge = false;
  /// Loads in a second for keys of peers when neither the owner nor its
  /// successor can be asked, so that an outage of the ring does not become one
  /// of the backend; more are `overloaded`.
  std::size_t fallbacks_per_second = 1000;
  /// Gets that wait for a load.
  std::size_t waiters_max = 1 << 20;
  /// A larger value is `value_too_large`.
  std::size_t value_bytes_max = 64 << 20;
  /// Cache actors and parts of the memory; 0 chooses by cores and capacity.
  std::size_t shards = 0;
  /// Whether to ask the system for huge pages once a shard has 2 MiB of
  /// entries: reads are faster then, and memory comes 2 MiB at a time.
  bool huge_pages = true;
};

/// How peers are watched over and how much may be asked of one. Durations are
/// nanoseconds.
struct peer_options {
  /// How often a peer is asked whether it is alive.
  std::chrono::nanoseconds heartbeat_interval = std::chrono::milliseconds{500};
  /// A peer that says nothing for this long is down: also the longest that
  /// connecting and greeting may take.
  std::chrono::nanoseconds heartbeat_timeout = std::chrono::seconds{3};
  /// The pause before connecting again, doubled with each failure, with a
  /// jitter of half of it.
  std::chrono::nanoseconds reconnect_min = std::chrono::milliseconds{100};
  std::chrono::nanoseconds reconnect_max = std::chrono::seconds{5};
  /// Fetches waiting for one peer's answers, and the bytes of their keys.
  std::size_t fetches_max = 65'536;
  std::size_t fetch_bytes_max = 64 << 20;
  /// A value travels in pieces of at most this many bytes, and in none together
  /// with others if it has more than a quarter of them. Of the two ends' sizes
  /// the smaller holds. 256 KiB take a tenth of a millisecond on loopback and
  /// stay in a processor's cache.
  std::size_t piece_bytes = 256 << 10;
  /// Pieces wait while as many bytes are under way to a peer that has not said
  /// that it took them; or while four times as many are, if nothing small has
  /// left for as long, which they could hold up. Small values may have one
  /// window more. Of the two ends' sizes the smaller holds. A network of 10
  /// Gb/s and 0.5 ms has less than a window under way.
  std::size_t window_bytes = 1 << 20;
  /// Bytes of values that wait for one peer to take them. More are answered
  /// `overloaded`, but there is always room for one.
  std::size_t answer_bytes_max = 256 << 20;
};

/// What is wrong with the options in one sentence, or nothing.
std::optional<std::string> validate(const galaxy_options& options);
/// The same.
std::optional<std::string> validate(const peer_options& options);

/// What is wrong with the name of a galaxy in one sentence, or nothing: 1 to
/// 255 printable ASCII characters.
std::optional<std::string> validate_galaxy_name(std::string_view name);

/// The part of a galaxy's bound that each of its shards has, rounded up; does
/// not overflow.
constexpr std::size_t part_of_shard(std::size_t total,
                                    std::size_t shards) noexcept {
  return total / shards + (total % shards != 0 ? 1 : 0);
}

/// How many shards a galaxy of this capacity gets by default.
std::size_t default_shards(const galaxy_options& options,
                           std::size_t capacity_bytes, std::size_t cores);

} // namespace galaxycache
