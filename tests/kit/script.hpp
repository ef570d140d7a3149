#pragma once

#include "galaxycache/testing/cluster.hpp"

#include <mutex>

namespace galaxycache::testing {

/// What the backends of a cluster do and have done. Thread-safe as far as its
/// functions go.
struct script_book {
  mutable std::mutex mutex; // protects all below
  cluster::backend_script script;
  std::vector<backend_call> calls;
  std::size_t first = 0; // the number of the first that is not forgotten

  void follow(cluster::backend_script f);

  /// Writes a call down and returns its number, and what to do with it.
  std::pair<std::size_t, cluster::backend_script> begin(backend_call x);

  void end(std::size_t number, mono_time now, const load_result& result);

  void forget();
};

/// What a backend is made with.
struct backend_setup {
  std::shared_ptr<script_book> book;
  std::shared_ptr<clock> time;
  std::size_t node = 0;
  std::string galaxy;
};

/// Spawns a backend that follows the script.
caf::actor spawn_backend(caf::actor_system& system, backend_setup setup);

} // namespace galaxycache::testing
