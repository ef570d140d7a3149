#pragma once

#include "galaxycache/testing/cluster.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace galaxycache::sim {

/// Something that happens in a run.
struct event {
  enum class kind : std::uint8_t {
    get,
    get_many,
    cut,
    heal,
    freeze,
    thaw,
    kill,
    stop,
    restart,
    link,
    skew,
    members,
  };

  kind what = kind::get;
  std::chrono::nanoseconds at{0}; // since the start of the run
  std::size_t a = 0;              // nodes
  std::size_t b = 0;
  std::string key;                  // get
  std::vector<std::string> keys;    // get_many
  get_options options;              // get
  link_faults faults;               // link
  std::chrono::nanoseconds by{0};   // skew
  std::vector<std::size_t> members; // members
};

std::string to_string(const event& x);

/// What backends do, as chances of each call.
struct backend_manners {
  double slow = 0;
  double fail = 0;
  double never = 0;
  std::chrono::nanoseconds slow_max{0};
  /// Of keys, not of calls: a value follows from its key.
  double absent = 0;
  double large = 0;
  /// Of values; 0 stands for ever.
  std::chrono::nanoseconds lifetime{0};
};

/// Whether it is load and not a fault.
inline bool is_load(const event& x) noexcept {
  return x.what == event::kind::get || x.what == event::kind::get_many;
}

/// All that a run does, drawn from its seed.
struct plan {
  std::uint64_t seed = 0;
  testing::cluster_options cluster;
  galaxy_options galaxy;
  std::size_t capacity_bytes = 0;
  backend_manners backend;
  /// By time.
  std::vector<event> events;
  std::chrono::nanoseconds length{0};
};

/// What is not left to the seed.
struct shape {
  std::size_t nodes = 0; // 0: 3 to 7
  std::size_t gets = 1000;
};

/// The plan of a seed. Each seed has its own subset of faults, load and
/// configuration.
plan draw(std::uint64_t seed, const shape& given = {});

/// A line on what is particular to it.
std::string describe(const plan& x);

} // namespace galaxycache::sim
