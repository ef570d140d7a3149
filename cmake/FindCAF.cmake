# Finds a CAF that comes without a CMake package of its own, such as the 0.17.6 of
# Debian and Ubuntu.
#
# Components: core, io, openssl. Defines CAF::core, CAF::io, CAF::openssl,
# CAF_FOUND, CAF_VERSION and CAF_INCLUDE_DIR. CAF_ROOT names a prefix to prefer.

find_path(CAF_INCLUDE_DIR caf/config.hpp)
mark_as_advanced(CAF_INCLUDE_DIR)

unset(CAF_VERSION)
if(CAF_INCLUDE_DIR)
  # 0.17: one decimal number, 1706 for 0.17.6.
  file(STRINGS "${CAF_INCLUDE_DIR}/caf/config.hpp" caf_line
    REGEX "^#define CAF_VERSION [0-9]+$")
  if(caf_line MATCHES "CAF_VERSION ([0-9]+)")
    math(EXPR caf_major "${CMAKE_MATCH_1} / 10000")
    math(EXPR caf_minor "${CMAKE_MATCH_1} / 100 % 100")
    math(EXPR caf_patch "${CMAKE_MATCH_1} % 100")
    set(CAF_VERSION "${caf_major}.${caf_minor}.${caf_patch}")
  elseif(EXISTS "${CAF_INCLUDE_DIR}/caf/detail/build_config.hpp")
    # Later: three macros.
    foreach(part IN ITEMS MAJOR MINOR PATCH)
      file(STRINGS "${CAF_INCLUDE_DIR}/caf/detail/build_config.hpp" caf_line
        REGEX "^#define CAF_${part}_VERSION [0-9]+")
      if(caf_line MATCHES "_VERSION ([0-9]+)")
        list(APPEND CAF_VERSION "${CMAKE_MATCH_1}")
      endif()
    endforeach()
    list(JOIN CAF_VERSION "." CAF_VERSION)
  endif()
endif()

foreach(component IN ITEMS core io openssl)
  find_library(CAF_${component}_LIBRARY NAMES caf_${component})
  mark_as_advanced(CAF_${component}_LIBRARY)
  if(CAF_${component}_LIBRARY
      AND EXISTS "${CAF_INCLUDE_DIR}/caf/${component}/all.hpp"
      OR component STREQUAL "core" AND CAF_core_LIBRARY)
    set(CAF_${component}_FOUND TRUE)
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF
  REQUIRED_VARS CAF_INCLUDE_DIR CAF_core_LIBRARY
  VERSION_VAR CAF_VERSION
  HANDLE_COMPONENTS)

if(CAF_FOUND)
  find_package(Threads QUIET)
  set(caf_core_needs Threads::Threads)
  set(caf_io_needs CAF::core)
  set(caf_openssl_needs CAF::io)
  foreach(component IN ITEMS core io openssl)
    if(CAF_${component}_FOUND AND NOT TARGET CAF::${component})
      add_library(CAF::${component} UNKNOWN IMPORTED)
      set_target_properties(CAF::${component} PROPERTIES
        IMPORTED_LOCATION "${CAF_${component}_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES "${caf_${component}_needs}")
    endif()
  endforeach()
endif()
