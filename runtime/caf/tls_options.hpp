#pragma once

#include "galaxycache/runtime/caf/version.hpp"
#include "galaxycache/runtime/tls.hpp"

namespace caf {
class actor_system_config;
} // namespace caf

namespace galaxycache {

/// What the names of CAF's options for OpenSSL begin with.
#if GALAXYCACHE_CAF_1
inline constexpr const char* tls_option_prefix = "caf.openssl.";
#else
inline constexpr const char* tls_option_prefix = "openssl.";
#endif

/// Has the command line and the configuration file understand those options.
/// CAF 0.17 always does, CAF 1.x only if its OpenSSL module is loaded, which we
/// do not need.
void add_tls_options(caf::actor_system_config& cfg);

/// Sets the options.
void set_tls_files(caf::actor_system_config& cfg, const tls_files& files);

/// What the options say.
tls_files tls_files_of(const caf::actor_system_config& cfg);

} // namespace galaxycache
