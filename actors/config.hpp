#pragma once

#include <caf/actor_system_config.hpp>

namespace galaxycache {

namespace detail {

/// A base that is built before CAF's configuration is.
struct announced_first {
  announced_first();
};

} // namespace detail

/// A configuration for applications that have none of their own: announces our
/// message types, has our options (see app_options.hpp), loads CAF's middleman,
/// and switches its heartbeats on, so that a frozen peer is noticed.
/// Not thread-safe, as all of CAF's configurations.
class config : private detail::announced_first,
               public caf::actor_system_config {
public:
  config();
};

} // namespace galaxycache
