#pragma once

#include "galaxycache/messages/types.hpp"
#include "galaxycache/runtime/placement.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace galaxycache::wire {

// The headers of frames as plain structs; wire.proto says what the fields mean.

/// The protocol of this version of the library, and the oldest it still
/// speaks.
inline constexpr std::uint32_t version = 1;
inline constexpr std::uint32_t oldest_version = 1;

/// Bounds on one batch, so that neither side has to take more at once.
inline constexpr std::size_t batch_items_max = 1024;
inline constexpr std::size_t batch_bytes_max = 1 << 20;

/// Parts of the protocol that a server has told it can: it says which batches
/// it has heard.
inline constexpr std::uint64_t feature_heard = 1 << 0;

/// A server tells how far it has sent and cuts large values in pieces; a peer
/// tells how far it has taken that.
inline constexpr std::uint64_t feature_pieces = 1 << 1;

struct greeting {
  std::uint32_t version = wire::version;
  std::uint32_t oldest_version = wire::oldest_version;
  std::uint64_t features = 0;
  std::string id;
  std::string to;
  std::uint64_t incarnation = 0;
  std::uint64_t ring_digest = 0;
  std::uint64_t attempt = 0;
  std::uint64_t window_bytes = 0;
  std::uint64_t piece_bytes = 0;
  std::uint64_t sent = 0;
  std::uint32_t ring_kind = 0;
  std::uint32_t segments = 0;
  std::uint64_t assembly = 0;
};

/// Says in a greeting how its sender finds the owners of keys.
void tell_ring(const placement_options& own, greeting& x);

/// In what another's way to find owners differs from ours, in words to follow
/// its name; nothing if it does not, or has not been told.
std::optional<std::string> other_ring(const placement_options& own,
                                      const greeting& x);

struct hello : greeting {};

struct welcome : greeting {};

struct fetch_item {
  std::uint64_t id = 0;
  std::uint32_t galaxy = 0;
  std::string key;
  fetch_mode mode = fetch_mode::no_peer_backend;
  std::chrono::nanoseconds budget{0};
  bool gutter = false;
};

struct fetch_batch {
  std::uint64_t ring_digest = 0;
  std::uint64_t number = 0;
  std::vector<std::string> galaxies;
  std::vector<fetch_item> fetches;
};

struct fetched_item {
  std::uint64_t id = 0;
  errc code = errc::none;
  std::string reason;
  std::uint32_t body = 0;
  wall_time expiry = never_expires;
};

struct fetched_batch {
  std::uint64_t heard = 0;
  std::uint64_t sent = 0;
  std::vector<fetched_item> fetched;
};

struct piece {
  std::uint64_t id = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
  wall_time expiry = never_expires;
  std::uint64_t sent = 0;
  std::uint64_t assembly = 0;
  std::uint64_t number = 0;
};

struct taken {
  std::uint64_t bytes = 0;
};

struct ping {
  std::uint64_t number = 0;
  std::uint64_t taken = 0;
};

struct pong {
  std::uint64_t number = 0;
  std::uint64_t sent = 0;
};

struct goodbye {};

/// A header of a kind that only newer versions know.
struct unknown {};

using message = std::variant<unknown, hello, welcome, fetch_batch,
                             fetched_batch, ping, pong, goodbye, piece, taken>;

/// The header as bytes.
std::string encode(const message& x);

/// The message in a header, or nothing if the bytes make no sense. Takes any
/// bytes without harm.
std::optional<message> decode(std::string_view bytes);

} // namespace galaxycache::wire
