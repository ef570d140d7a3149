#pragma once

// Bugs on purpose, to see whether the simulation finds them. Built only with
// -DGALAXYCACHE_PLANTED_BUGS=ON; in every other build GALAXYCACHE_PLANTED(x) is
// the constant false.

#ifdef GALAXYCACHE_PLANTED_BUGS

// One row per bug: its name, and what it does.
#  define GALAXYCACHE_BUGS(X)                                                  \
    X(lost_answer, "a server drops some answers to peers")                     \
    X(double_answer, "a question is answered twice")                           \
    X(leaked_flight, "some flights are not closed")                            \
    X(wrong_owner_after_leave, "a member that left goes on owning keys")       \
    X(expiry_off_by_one, "a value is answered at the moment it expires")       \
    X(byte_miscount, "an entry removed leaves a byte behind")                  \
    X(missed_down_message, "the end of a connection is not noticed")           \
    X(stale_view, "every other change of the ring is not published")           \
    X(wrong_correlation, "a reply is matched to its neighbour's key")          \
    X(waits_for_peer_phase, "a get of a peer waits for a peer")                \
    X(peeked_forever, "a value peeked at never expires")                       \
    X(inherited_deadline, "who joins a flight gets its deadline")              \
    X(late_deadline, "deadlines pass 20 ms late")                              \
    X(cached_absence, "not found is cached as an empty value")                 \
    X(no_fallback, "a failed fetch is not made up for locally")                \
    X(load_twice, "a backend is asked twice")                                  \
    X(hit_counted_twice, "hot hits count twice")                               \
    X(over_capacity, "a shard keeps an eighth more than it may")               \
    X(no_reconnect, "a peer gives up after three failures")                    \
    X(lost_expiry, "a value from a peer has lost its expiry")                  \
    X(leaked_waiter, "a get that gives up is not counted out")                 \
    X(promoted_gutter, "a value of a stand-in becomes hot")                    \
    X(promoted_hedge, "a value of a slow owner's successor becomes hot")       \
    X(lost_piece, "a piece that is lost is not missed")                        \
    X(swapped_pieces, "a piece of one value is sent as one of another")

namespace galaxycache {

enum class bug {
  none,
#  define GALAXYCACHE_X(name, text) name,
  GALAXYCACHE_BUGS(GALAXYCACHE_X)
#  undef GALAXYCACHE_X
};

/// The bug that this process has. Set before anything else runs.
inline bug planted_bug = bug::none;

} // namespace galaxycache

#  define GALAXYCACHE_PLANTED(name)                                            \
    (::galaxycache::planted_bug == ::galaxycache::bug::name)

#else

#  define GALAXYCACHE_PLANTED(name) false

#endif
