#pragma once

#include "checker.hpp"
#include "closure.hpp"
#include "reporter.hpp"

#include "galaxycache/galaxycache.hpp"

#include <caf/behavior.hpp>
#include <caf/stateful_actor.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace packages {

struct walker_config {
  galaxycache::galaxy records;
  std::shared_ptr<const provider_table> providers;
  std::shared_ptr<reporter> out;
  std::shared_ptr<checker> finished;
};

/// The WALKER actor's state: the closures being walked.
struct walker_state {
  static inline const char* name = "walker";

  struct walk {
    closure keys;
    finished_walk result;
    size_t outstanding = 0;
    /// Gets are being made: answers that come at once must not make more.
    bool stepping = false;
    /// A tick is on its way.
    bool ticking = false;
  };

  /// Set from the start.
  std::optional<walker_config> config;
  std::map<uint64_t, walk> walks;
};

/// Walks closures with regular gets, many at a time.
///     (put_atom, item, root)   start to walk
///     (tick_atom, item)        go on
///     (close_atom)             quit
caf::behavior walker(caf::stateful_actor<walker_state>* self,
                     walker_config config);

} // namespace packages
