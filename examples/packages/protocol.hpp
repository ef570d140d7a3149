#pragma once

#include "histogram.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// What driver and nodes say to each other: JSON objects, one a line.
///
/// The driver says what to `do`:
///     peers   {view, peers: {id: uri}}  these are the members from now on
///     walk    {item, root}              get the closure of this package
///     stop    {}                        finish and exit
/// A node says what `is`:
///     ready      {uri}                  it listens
///     connected  {view}                 it reached all members of that view
///     figures    {figures}              several times a second: it is alive
///     walked     {item, found, absent, figures}
///                                       a closure is complete and compared;
///                                       the keys this node had not named yet
///     trouble    {text}                 an answer was wrong or an error
///     stopped    {figures}              the last line
namespace packages {

using json = nlohmann::json;

/// What a node has done since it was started.
struct figures {
  /// Gets answered to this node's walks, by value, not found or error.
  uint64_t gets = 0;
  /// Of those, the ones that a cache of this node answered.
  uint64_t main_hits = 0;
  uint64_t hot_hits = 0;
  /// Fetches from a peer that returned a value.
  uint64_t peer_fetches = 0;
  /// Loads from the database that returned a value, on whose behalf ever.
  uint64_t backend_loads = 0;
  /// Gets that waited for a load another get had started.
  uint64_t coalesced = 0;
  /// Answers that differ from the database.
  uint64_t wrong = 0;
  /// Gets that were answered with an error.
  uint64_t failed = 0;
  /// From get to answer.
  histogram latency;

  void add(const figures& other) {
    gets += other.gets;
    main_hits += other.main_hits;
    hot_hits += other.hot_hits;
    peer_fetches += other.peer_fetches;
    backend_loads += other.backend_loads;
    coalesced += other.coalesced;
    wrong += other.wrong;
    failed += other.failed;
    latency.add(other.latency);
  }
};

inline void to_json(json& j, const histogram& h) {
  j = h.buckets();
}

inline void from_json(const json& j, histogram& h) {
  h = histogram{};
  for (auto& bucket : j)
    h.add(bucket.at(0).get<size_t>(), bucket.at(1).get<uint64_t>());
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(figures, gets, main_hits, hot_hits,
                                   peer_fetches, backend_loads, coalesced,
                                   wrong, failed, latency)

} // namespace packages
