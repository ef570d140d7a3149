# Where CAF comes from: the CMake package of a current CAF if there is one, else
# the distribution's older CAF, which has none. Used by the build and by the
# installed package alike.

# Defines CAF::core, CAF::io and CAF::openssl, GALAXYCACHE_CAF_VERSION and
# GALAXYCACHE_CAF_ORIGIN. Without REQUIRED, says in GALAXYCACHE_CAF_PROBLEM why it
# could not. Respects GALAXYCACHE_CAF_PREFIX and CMAKE_PREFIX_PATH.
macro(galaxycache_find_caf)
  set(GALAXYCACHE_CAF_PROBLEM "")
  if(NOT "${GALAXYCACHE_CAF_PREFIX}" STREQUAL "${galaxycache_last_caf_prefix}")
    # What an earlier run found elsewhere no longer counts.
    foreach(galaxycache_var IN ITEMS CAF_DIR CAF_INCLUDE_DIR CAF_core_LIBRARY
        CAF_io_LIBRARY CAF_openssl_LIBRARY)
      unset(${galaxycache_var} CACHE)
    endforeach()
    set(galaxycache_last_caf_prefix "${GALAXYCACHE_CAF_PREFIX}" CACHE INTERNAL "")
  endif()

  if(GALAXYCACHE_CAF_PREFIX)
    set(galaxycache_caf_where PATHS "${GALAXYCACHE_CAF_PREFIX}" NO_DEFAULT_PATH)
  else()
    # Not in /opt, where CMake looks on its own: what lies there was put aside.
    set(galaxycache_caf_where PATHS /usr/local NO_CMAKE_SYSTEM_PATH)
  endif()
  # CAF's package names OpenSSL's targets without looking for them.
  find_package(OpenSSL QUIET)
  find_package(CAF 1 CONFIG QUIET COMPONENTS core io openssl ${galaxycache_caf_where})
  if(CAF_FOUND)
    set(GALAXYCACHE_CAF_ORIGIN "${CAF_DIR}")
    if(TARGET CAF::openssl AND NOT TARGET OpenSSL::SSL)
      set(GALAXYCACHE_CAF_PROBLEM
        "CAF ${CAF_VERSION} in ${CAF_DIR} needs OpenSSL's headers (libssl-dev).")
    endif()
  elseif(GALAXYCACHE_CAF_PREFIX)
    # Only there, not in the system's folders.
    find_path(CAF_INCLUDE_DIR caf/config.hpp
      PATHS "${GALAXYCACHE_CAF_PREFIX}/include" NO_DEFAULT_PATH)
    foreach(galaxycache_var IN ITEMS core io openssl)
      find_library(CAF_${galaxycache_var}_LIBRARY caf_${galaxycache_var}
        PATHS "${GALAXYCACHE_CAF_PREFIX}/lib" "${GALAXYCACHE_CAF_PREFIX}/lib64"
          "${GALAXYCACHE_CAF_PREFIX}/lib/${CMAKE_LIBRARY_ARCHITECTURE}"
        NO_DEFAULT_PATH)
    endforeach()
    if(CAF_INCLUDE_DIR AND CAF_core_LIBRARY)
      find_package(CAF MODULE QUIET COMPONENTS core io openssl)
      set(GALAXYCACHE_CAF_ORIGIN "${CAF_INCLUDE_DIR}")
    endif()
  else()
    find_package(CAF MODULE QUIET COMPONENTS core io openssl)
    set(GALAXYCACHE_CAF_ORIGIN "${CAF_INCLUDE_DIR}")
  endif()
  set(GALAXYCACHE_CAF_VERSION "${CAF_VERSION}")

  if(GALAXYCACHE_CAF_PROBLEM)
    # Said already.
  elseif(NOT TARGET CAF::core OR NOT TARGET CAF::io OR NOT TARGET CAF::openssl)
    if(GALAXYCACHE_CAF_PREFIX)
      set(GALAXYCACHE_CAF_PROBLEM
        "There is no CAF with core, io and openssl in ${GALAXYCACHE_CAF_PREFIX}, where GALAXYCACHE_CAF_PREFIX points.")
    else()
      set(GALAXYCACHE_CAF_PROBLEM
        "CAF (core, io and openssl) was not found. Install libcaf-dev (Debian, Ubuntu), or name the prefix of another CAF: -DGALAXYCACHE_CAF_PREFIX=/opt/caf.")
    endif()
  elseif(NOT CAF_VERSION MATCHES "^(1\\.|0\\.17\\.)")
    set(GALAXYCACHE_CAF_PROBLEM
      "CAF ${CAF_VERSION} in ${GALAXYCACHE_CAF_ORIGIN} does not fit: galaxycache needs 0.17 or 1.x.")
  endif()
  if(GALAXYCACHE_CAF_PROBLEM AND "${ARGV0}" STREQUAL "REQUIRED")
    message(FATAL_ERROR "${GALAXYCACHE_CAF_PROBLEM}")
  endif()
endmacro()
