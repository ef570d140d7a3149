#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#  define GALAXYCACHE_ADDRESS_SANITIZER
#elif defined(__has_feature) // as clang says it
#  if __has_feature(address_sanitizer)
#    define GALAXYCACHE_ADDRESS_SANITIZER
#  endif
#endif

#ifdef GALAXYCACHE_ADDRESS_SANITIZER
#  include <sanitizer/asan_interface.h>
#  include <sanitizer/lsan_interface.h>
#endif

namespace galaxycache {

// What the address sanitizer should know; nothing without it.

inline void may_be_used([[maybe_unused]] const void* at,
                        [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef GALAXYCACHE_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(at, bytes);
#endif
}

inline void must_not_be_used([[maybe_unused]] const void* at,
                             [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef GALAXYCACHE_ADDRESS_SANITIZER
  __asan_poison_memory_region(at, bytes);
#endif
}

/// What is named there has not leaked.
inline void may_own([[maybe_unused]] const void* at,
                    [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef GALAXYCACHE_ADDRESS_SANITIZER
  __lsan_register_root_region(at, bytes);
#endif
}

/// The contrary.
inline void owns_nothing([[maybe_unused]] const void* at,
                         [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef GALAXYCACHE_ADDRESS_SANITIZER
  __lsan_unregister_root_region(at, bytes);
#endif
}

} // namespace galaxycache
