#pragma once

namespace caf {
class actor_system_config;
} // namespace caf

namespace galaxycache {

/// Announces our message types to CAF. With a configuration class of one's
/// own, call it before building a configuration (CAF 1.x wants that);
/// `galaxycache::config` does it by itself. Calling it again does nothing.
/// Other blocks of types are announced as always.
void init();

/// Announces our message types to a configuration (CAF 0.17 wants that).
void add_message_types(caf::actor_system_config& cfg);

} // namespace galaxycache
