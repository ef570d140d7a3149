#pragma once

#include <caf/config.hpp>

#include <string>

// Two generations of CAF are supported: 0.17 (what Debian and Ubuntu ship) and
// 1.x. Always test CAF_MAJOR_VERSION: CAF_VERSION is 1706 for 0.17.6 but the
// octal number 0100 for 1.1.0.
#if CAF_MAJOR_VERSION >= 1
#  define GALAXYCACHE_CAF_1 1
#elif CAF_MAJOR_VERSION == 0 && CAF_MINOR_VERSION == 17
#  define GALAXYCACHE_CAF_1 0
#else
#  error "galaxycache needs CAF 0.17 or CAF 1.x"
#endif

namespace galaxycache {

/// The version of CAF in use, as "0.17.6".
inline std::string caf_version() {
  return std::to_string(CAF_MAJOR_VERSION) + "."
         + std::to_string(CAF_MINOR_VERSION) + "."
         + std::to_string(CAF_PATCH_VERSION);
}

} // namespace galaxycache
