#pragma once

#include "galaxycache/actors/universe.hpp"

#include <caf/actor.hpp>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

namespace galaxycache::soak {

/// What a node's gets have come to.
struct tally {
  std::uint64_t gets = 0; // that are over
  std::uint64_t found = 0;
  std::uint64_t absent = 0;
  std::uint64_t backend_failed = 0;
  std::uint64_t deadline_exceeded = 0;
  std::uint64_t overloaded = 0;
  std::uint64_t from_peers = 0;
  std::uint64_t hits = 0;
  /// The latest that a get was answered after its deadline, in milliseconds.
  std::int64_t latest_ms = 0;
  /// What should never be.
  std::uint64_t violations = 0;
  std::string first_violation;

  tally& operator+=(const tally& x);
};

std::string to_string(const tally& x);

/// The reverse. Throws `std::runtime_error` for what is none.
tally tally_from(const std::string& text);

struct observer;

/// Galaxies with all kinds of backends, and gets of them that go on until this
/// object's end, each watched. Its backends fail and dawdle at times. A value
/// follows from its key alone. Thread-safe.
class workload {
public:
  /// `gets` are begun per second.
  workload(caf::actor_system& system, universe& home, std::uint64_t seed,
           double gets);

  workload(const workload&) = delete;
  workload& operator=(const workload&) = delete;

  ~workload();

  /// Backends do not fail any more.
  void calm();

  /// Begins no more gets and waits for the answers; one that does not come is
  /// a violation.
  void finish();

  tally so_far() const;

private:
  void keep_pace(const std::stop_token& stop, double gets);

  std::shared_ptr<observer> watch_; // shared with actors
  caf::actor asker_;
  caf::actor source_;
  std::jthread pace_;
};

} // namespace galaxycache::soak
