#pragma once

#include "galaxycache/runtime/caf/version.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/io/middleman.hpp>
#include <caf/timespan.hpp>

#include <string>

namespace galaxycache {

// What an application does before it has an actor system.

/// Announces a block of message types to the process, CAF's own included.
template <class Block>
void announce() {
#if GALAXYCACHE_CAF_1
  static const bool once = [] {
    caf::core::init_global_meta_objects();
    caf::io::middleman::init_global_meta_objects();
    caf::init_global_meta_objects<Block>();
    return true;
  }();
  static_cast<void>(once);
#endif
}

/// Announces a block of message types to one configuration.
template <class Block>
void announce_to([[maybe_unused]] caf::actor_system_config& cfg) {
#if !GALAXYCACHE_CAF_1
  cfg.add_message_types<Block>();
#endif
}

/// Sets one of CAF's own options; `key` has no "caf." prefix.
template <class T>
void set_caf_option(caf::actor_system_config& cfg, const std::string& key,
                    T value) {
#if GALAXYCACHE_CAF_1
  cfg.set("caf." + key, std::move(value));
#else
  cfg.set(key, std::move(value));
#endif
}

} // namespace galaxycache
