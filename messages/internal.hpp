#pragma once

#include "galaxycache/messages/frame.hpp"
#include "galaxycache/messages/types.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace galaxycache {

// Messages that never leave the process: they carry pointers and times of the
// monotonic clock.

struct ring_view;

/// What a server looks like from outside: it takes frames and sends some back
/// to whoever sent them.
using wire_actor = typed_actor<result<void>(frame)>;

/// A get that has been counted and let in: what the cache actor needs to know.
struct ticket {
  fetch_mode mode = fetch_mode::regular;
  /// When the get is given up.
  mono_time deadline{};
  /// The key belongs to another peer that is down: keep the value only
  /// briefly.
  bool gutter = false;
};

/// A key somebody asks for, and the number under which they want the answer.
struct question {
  std::uint64_t id = 0;
  std::string key;
  ticket terms;
};

/// Many of something on their way to an actor, each with an `id`. Those it has
/// not taken when the message is destroyed, because the actor died first, are
/// reported lost.
template <class T>
struct sure_batch {
  std::vector<T> asked;
  /// How many of them the actor has taken.
  std::size_t taken = 0;
  std::function<void(std::uint64_t id)> lost;

  sure_batch() = default;
  sure_batch(const sure_batch&) = delete;
  sure_batch& operator=(const sure_batch&) = delete;

  ~sure_batch() {
    for (; taken < asked.size(); ++taken)
      lost(asked[taken].id);
  }
};

using question_batch = sure_batch<question>;

/// Keys that were looked for in vain, no two of them equal, with their hashes.
/// They go to one actor, which may take them.
struct sought {
  struct key_list {
    std::vector<std::string> names;
    std::vector<std::uint64_t> hashes;
  };

  std::shared_ptr<key_list> keys;
};

/// Many questions to one cache actor, answered as the answers are known.
struct questions {
  std::shared_ptr<question_batch> batch;
};

/// The answer to a question.
struct answered {
  std::uint64_t id = 0;
  answer content;
  failure error;
};

/// The answers to many. It goes to one actor, which may change it.
struct answers {
  using item = answered;

  std::shared_ptr<std::vector<answered>> all;
};

/// The two ways to get a value for a key; a flight may take both at once.
enum class leg_kind : std::uint8_t {
  /// Ask the owner.
  peer,
  /// Ask the previous owner's cache, then the own backend.
  local,
};

/// Whether an error says that a peer cannot be asked, and not what it thinks of
/// the key.
constexpr bool is_away(errc code) noexcept {
  return code == errc::peer_failed || code == errc::unavailable
         || code == errc::deadline_exceeded || code == errc::draining;
}

/// Whether an error says that a peer never loads for us: no outage, and no
/// fault of anybody's that waiting mends.
constexpr bool never_loads(errc code) noexcept {
  return code == errc::unknown_galaxy || code == errc::incompatible_peer;
}

/// What a loader is to do, and then what came of it. On the peer leg the owner
/// has been asked before, without success: `outcome` and `owner` say what came
/// of that. It goes to the loader and
/// comes back: whoever has it may change it. (A message with as much inside
/// would be larger than what glibc frees without a lock in a thread that did
/// not allocate it.)
struct load {
  leg_kind leg = leg_kind::local;
  std::string key;
  mono_time deadline{};
  bool gutter = false;
  /// Whether the previous owner's cache may have the value.
  bool peek_previous = false;
  /// The ring as it was when the flight began.
  std::shared_ptr<const ring_view> view;

  load_result outcome;
  hit_level level = hit_level::miss;
  value owner;
  /// Whether the owner was away and this process is its successor.
  bool stands_in = false;
};

/// Sends a loader on its way.
struct load_order {
  /// Which of the cache's loaders this is, and which of its loads.
  std::uint32_t slot = 0;
  std::uint64_t serial = 0;
  std::shared_ptr<load> what;
};

/// The load is over.
struct landed {
  std::uint32_t slot = 0;
  std::uint64_t serial = 0;
  std::shared_ptr<load> what;
};

/// A value to get from a peer.
struct fetch {
  value galaxy;
  std::string key;
  /// `no_peer_backend` or `peek`: a server never forwards.
  fetch_mode mode = fetch_mode::no_peer_backend;
  /// When to give this attempt up.
  mono_time deadline{};
  bool gutter = false;
};

/// A value to get from a peer, and the number under which somebody wants the
/// outcome.
struct numbered_fetch {
  std::uint64_t id = 0;
  fetch wanted;
};

/// Many fetches from one peer, whose outcomes come as they are known.
struct fetches {
  std::shared_ptr<sure_batch<numbered_fetch>> batch;
};

/// What came of a fetch.
struct fetch_outcome {
  std::uint64_t id = 0;
  load_result outcome;
};

/// What came of many. It goes to one actor, which may change it.
struct fetched {
  using item = fetch_outcome;

  std::shared_ptr<std::vector<fetch_outcome>> all;
};

/// A backend function has returned, or the backend has died.
struct work_done {
  std::uint64_t serial = 0;
  load_result outcome;
};

/// What a peer actor tells the ring.
struct peer_changed {
  std::string id;
  peer_state state = peer_state::connecting;
};

/// The outcome of an attempt to connect.
struct connection {
  /// Which attempt of the peer actor's this is.
  std::uint64_t attempt = 0;
  /// Where to send frames; null if there is no connection.
  wire_actor server;
  /// Why there is none.
  failure error;
};

} // namespace galaxycache
