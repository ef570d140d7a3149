#pragma once

#include "galaxycache/messages/error.hpp"
#include "galaxycache/runtime/caf/types.hpp"
#include "galaxycache/runtime/caf/value.hpp"
#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/load_result.hpp"
#include "galaxycache/runtime/stats.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace galaxycache {

/// How far a get may go for a value.
enum class fetch_mode : std::uint8_t {
  /// Own caches, then the owner, then the own backend.
  regular,
  /// Own caches, then the own backend: no peer is made to load anything.
  no_peer_backend,
  /// Own caches only.
  peek,
};

/// Where the answer to a get came from.
enum class hit_level : std::uint8_t {
  /// Nowhere: the key was not found.
  miss,
  hot,
  main,
  /// The previous owner's cache, peeked at.
  peek,
  /// The owner.
  peer,
  /// This process's own backend.
  backend,
};

/// The name as it is written here, for logs and tables.
std::string to_string(fetch_mode mode);
/// The same.
std::string to_string(hit_level level);

/// What a caller may ask for besides the key.
struct get_options {
  fetch_mode mode = fetch_mode::regular;
  /// Nanoseconds until the get is answered with `deadline_exceeded`; 0 stands
  /// for the galaxy's default.
  std::chrono::nanoseconds timeout{0};
};

/// The answer to a get: a value, or the knowledge that there is none.
struct answer {
  value data;
  wall_time expiry = never_expires;
  hit_level level = hit_level::miss;
  /// The id of the universe that owned the key when it was loaded for this
  /// answer; empty if the answer was in memory (see galaxy::owner_of).
  value owner;

  /// Whether the key exists.
  bool found() const noexcept {
    return level != hit_level::miss;
  }

  /// The value's bytes; valid while this answer or its `data` lives.
  std::string_view bytes() const noexcept {
    return data.bytes();
  }
};

/// One of the results of asking for many keys.
struct get_result {
  answer content;
  /// `errc::none`, or why there is no answer for this key.
  errc error = errc::none;
  std::string reason;

  bool ok() const noexcept {
    return error == errc::none;
  }
};

/// Keys, or ids of members.
struct name_list {
  std::vector<std::string> names;
};

/// A member of the ring.
struct peer_info {
  /// What placement hashes; unique in the ring.
  std::string id;
  /// Where its server listens; of no meaning for the universe itself.
  std::string uri;
  /// Its share of the keys relative to others; only rendezvous heeds it.
  std::uint32_t weight = 1;

  friend bool operator==(const peer_info&, const peer_info&) = default;
};

enum class peer_state : std::uint8_t { self, connecting, up, draining, down };

/// The name as it is written here.
std::string to_string(peer_state state);

/// A member of the ring and what this universe thinks of it.
struct peer_status {
  peer_info info;
  peer_state state = peer_state::connecting;
};

// -- inspection ---------------------------------------------------------------

GALAXYCACHE_INSPECT_ENUM(fetch_mode, peek)
GALAXYCACHE_INSPECT_ENUM(hit_level, backend)
GALAXYCACHE_INSPECT_ENUM(peer_state, down)

template <class Inspector>
auto inspect(Inspector& f, get_options& x) {
  return object(f, x, "get_options", field("mode", x.mode),
                field("timeout", x.timeout));
}

template <class Inspector>
auto inspect(Inspector& f, loaded& x) {
  return object(f, x, "loaded", field("data", x.data),
                field("expiry", x.expiry));
}

template <class Inspector>
auto inspect(Inspector& f, answer& x) {
  return object(f, x, "answer", field("data", x.data),
                field("expiry", x.expiry), field("level", x.level),
                field("owner", x.owner));
}

template <class Inspector>
auto inspect(Inspector& f, get_result& x) {
  return object(f, x, "get_result", field("content", x.content),
                field("error", x.error), field("reason", x.reason));
}

template <class Inspector>
auto inspect(Inspector& f, name_list& x) {
  return object(f, x, "name_list", field("names", x.names));
}

template <class Inspector>
auto inspect(Inspector& f, peer_info& x) {
  return object(f, x, "peer_info", field("id", x.id), field("uri", x.uri),
                field("weight", x.weight));
}

template <class Inspector>
auto inspect(Inspector& f, peer_status& x) {
  return object(f, x, "peer_status", field("info", x.info),
                field("state", x.state));
}

template <class Inspector>
auto inspect(Inspector& f, cache_stats& x) {
  return object(f, x, "cache_stats", field("bytes", x.bytes),
                field("entries", x.entries), field("evictions", x.evictions));
}

template <class Inspector>
auto inspect(Inspector& f, galaxy_stats& x) {
  return object(f, x, "galaxy_stats",
#define GALAXYCACHE_X(name, text) field(#name, x.name),
                GALAXYCACHE_COUNTERS(GALAXYCACHE_X)
#undef GALAXYCACHE_X
                  field("maincache", x.maincache),
                field("hotcache", x.hotcache),
                field("overhead_bytes", x.overhead_bytes),
                field("retired_bytes", x.retired_bytes),
                field("unused_bytes", x.unused_bytes),
                field("candidates", x.candidates), field("flights", x.flights),
                field("waiters", x.waiters));
}

} // namespace galaxycache
