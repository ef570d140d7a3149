#pragma once

#include "galaxycache/runtime/caf/version.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/config_option_adder.hpp>
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

/// Adds options to any configuration, also from outside of its class.
class option_group {
public:
  option_group(caf::actor_system_config& cfg, const std::string& category)
    : adder_(cfg.*&opened::custom_options_, category) {
    // nop
  }

  template <class T>
  option_group& add(const std::string& name, const std::string& description) {
    adder_.template add<T>(name, description);
    return *this;
  }

private:
  /// Names a member that CAF keeps for derived classes.
  struct opened : caf::actor_system_config {
    using caf::actor_system_config::custom_options_;
  };

  caf::config_option_adder adder_;
};

/// Whether the command line asked for help, which CAF has then printed: such a
/// program has nothing more to do.
inline bool printed_help(const caf::actor_system_config& cfg) {
#if GALAXYCACHE_CAF_1
  return cfg.helptext_printed();
#else
  return cfg.cli_helptext_printed;
#endif
}

/// The value of an option, or a standard one.
template <class T>
T option_or(const caf::actor_system_config& cfg, const std::string& name,
            T standard) {
#if GALAXYCACHE_CAF_1
  return caf::get_or<T>(cfg, name, std::move(standard));
#else
  return caf::get_or(cfg, name, std::move(standard));
#endif
}

/// The same for one of CAF's own options; `key` has no "caf." prefix.
template <class T>
T caf_option_or(const caf::actor_system_config& cfg, const std::string& key,
                T standard) {
#if GALAXYCACHE_CAF_1
  return option_or(cfg, "caf." + key, std::move(standard));
#else
  return option_or(cfg, key, std::move(standard));
#endif
}

} // namespace galaxycache
