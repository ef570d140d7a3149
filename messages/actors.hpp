#pragma once

#include "galaxycache/messages/frame.hpp"
#include "galaxycache/messages/internal.hpp"
#include "galaxycache/messages/type_ids.hpp"
#include "galaxycache/messages/types.hpp"

namespace galaxycache {

// The catalogue: who there is and what they understand. Messages marked
// INTERNAL are for the actors of one universe.

/// Whoever asks many questions, and takes the answers as they are known.
using asker_actor = typed_actor<
  // INTERNAL: a cache actor answers some questions.
  result<void>(answers)>;

/// Whoever fetches many values from a peer.
using fetcher_actor = typed_actor<
  // INTERNAL: what came of some fetches.
  result<void>(fetched)>;

/// The CACHE actor: the only writer of one shard of one galaxy. Never blocks.
using cache_actor = typed_actor<
  // INTERNAL: the value if present and unexpired, else a flight for it.
  // Errors: all but unknown_galaxy and address_in_use.
  result<answer>(get_atom, std::string, ticket),
  // INTERNAL: the same for many keys; the sender, an asker, gets the
  // answers as they are known.
  result<void>(questions),
  // INTERNAL: a loader has finished.
  result<void>(landed),
  // INTERNAL: what came of asking owners.
  result<void>(fetched),
  // INTERNAL: gathered fetches and answers leave now.
  result<void>(flush_atom),
  // INTERNAL: some deadline of the actor's may have passed.
  result<void>(tick_atom),
  // INTERNAL: answer all waiters `draining` and end.
  result<void>(stop_atom)>;

/// The LOADER actor: takes one load at a time from its cache actor through its
/// course: previous owner and backend, or whoever is asked when an owner is
/// away.
using loader_actor = typed_actor<
  // INTERNAL: the cache wants a key loaded; answered with `landed`.
  result<void>(load_order),
  // INTERNAL: nobody waits for the load of this serial any more.
  result<void>(stop_atom, std::uint64_t),
  // INTERNAL: a worker has run the backend function, or the backend has died.
  result<void>(work_done)>;

/// The PEER actor: one per remote universe. Owns the connection to its server
/// and the fetches in flight.
using peer_actor = typed_actor<
  // INTERNAL: a cache actor wants values from this peer; the sender, a fetcher,
  // gets what comes of it as it is known.
  result<void>(fetches),
  // INTERNAL: a loader wants a value from this peer.
  // Outcome: value, not_found, or a failure: peer_failed, overloaded,
  // deadline_exceeded, draining, unknown_galaxy, incompatible_peer.
  result<load_result>(fetch),
  // The remote server says something.
  result<void>(frame),
  // INTERNAL: the transport has a connection, or the reason why not.
  result<void>(connection),
  // INTERNAL: queued fetches leave now.
  result<void>(flush_atom),
  // INTERNAL: the peer has moved to another address.
  result<void>(put_atom, peer_info),
  // INTERNAL: some deadline of the actor's may have passed.
  result<void>(tick_atom),
  // INTERNAL: fail what is in flight and end.
  result<void>(stop_atom)>;

/// The SERVER actor: answers peers; the only actor that is published. Never
/// forwards: own caches, then own backend.
using server_actor = typed_actor<
  // A peer says something: hello, a batch of fetches, what it has taken, a
  // ping.
  result<void>(frame),
  // INTERNAL: a cache actor answers some questions.
  result<void>(answers),
  // INTERNAL: gathered answers leave now.
  result<void>(flush_atom),
  // INTERNAL: time may be up for some answers that wait to leave.
  result<void>(tick_atom),
  // INTERNAL: tell the peers that this universe is leaving.
  result<void>(drain_atom),
  // INTERNAL: say goodbye and end.
  result<void>(stop_atom)>;

/// The RING actor: who is a member, and so who owns which key.
using ring_actor = typed_actor<
  // Replaces the members; self stays in the ring only if the list has it.
  // Errors: invalid_argument.
  result<void>(set_atom, std::vector<peer_info>),
  // Adds a member; a known id with a new address reconnects.
  // Errors: invalid_argument.
  result<void>(join_atom, peer_info),
  // Removes members; unknown ids are ignored.
  result<void>(leave_atom, name_list),
  // Says whether this universe itself owns keys.
  result<void>(self_atom, bool),
  // The members, and what this universe thinks of each.
  result<std::vector<peer_status>>(list_atom),
  // INTERNAL: a peer actor has changed its mind about its peer.
  result<void>(peer_changed),
  // INTERNAL: stop all peers and end.
  result<void>(stop_atom)>;

/// The GALAXY actor: one key space. Supervises its cache actors. This is the
/// handle to give to actors that know nothing of our classes.
using galaxy_actor = typed_actor<
  // The value of a key, or the knowledge that there is none.
  // Errors: key_too_long, overloaded, deadline_exceeded, backend_failed,
  // value_too_large, draining, unavailable, codec_error, internal_error.
  result<answer>(get_atom, std::string),
  result<answer>(get_atom, std::string, get_options),
  // The same for many keys at once: a result per key, in their order.
  result<std::vector<get_result>>(get_atom, name_list, get_options),
  // What the galaxy has done and holds.
  result<galaxy_stats>(stats_atom),
  // INTERNAL: the same for keys that the sender has looked for.
  result<std::vector<get_result>>(get_atom, sought, get_options),
  // INTERNAL: a cache actor answers some questions.
  result<void>(answers),
  // INTERNAL: stop the cache actors and end.
  result<void>(stop_atom)>;

/// The UNIVERSE actor: everything of one member of the ring; decides when it
/// starts and stops.
using universe_actor = typed_actor<
  // Drains for at most this many nanoseconds, then stops everything.
  result<void>(stop_atom, caf::timespan),
  // INTERNAL: look whether draining is over.
  result<void>(tick_atom)>;

/// A BACKEND written as an actor of the user's.
using backend_actor = typed_actor<
  // The value of a key. Errors: errc::not_found if there is none; any other
  // error fails the load.
  result<loaded>(load_atom, std::string)>;

} // namespace galaxycache
