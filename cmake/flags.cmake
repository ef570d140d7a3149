# How our own targets are compiled: warnings, sanitizers, ccache, precompiled
# headers.

set(CMAKE_CXX_EXTENSIONS OFF)

set(galaxycache_warnings
  -Wall -Wextra -Wpedantic -Wextra-semi -Wnon-virtual-dtor -Woverloaded-virtual
  -Wsuggest-override -Wvla
  # Members left out of a designated initializer keep their defaults on purpose.
  -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms on std::string concatenation.
  list(APPEND galaxycache_warnings -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Meant for headers; through ccache every source looks like one.
  list(APPEND galaxycache_warnings -Wno-subobject-linkage)
endif()

if(GALAXYCACHE_SANITIZE)
  list(JOIN GALAXYCACHE_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${sanitizers})
  if("undefined" IN_LIST GALAXYCACHE_SANITIZE)
    # A CAF 0.17 header binds a reference to null where nobody reads it.
    add_compile_options(-fno-sanitize=null -fno-sanitize-recover=undefined)
  endif()
endif()

if(GALAXYCACHE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(CCACHE ccache)
  if(CCACHE)
    # The sloppiness is what ccache asks for to handle precompiled headers.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      "${CCACHE}")
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND GALAXYCACHE_PCH)
      add_compile_options(-fpch-preprocess)
    endif()
  endif()
endif()

# Gives a target of ours the language level and the warnings.
function(galaxycache_target target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE ${galaxycache_warnings}
    $<$<BOOL:${GALAXYCACHE_WERROR}>:-Werror>)
endfunction()

# The same for a library, with the include tree and its name after installation.
function(galaxycache_library target export_name)
  galaxycache_target(${target})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${galaxycache_include}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${export_name}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()

# Precompiles CAF's headers for a target. Programs take over what was precompiled
# for the library unless that one is compiled with other code-generation flags.
function(galaxycache_precompile target)
  if(NOT GALAXYCACHE_PCH)
    return()
  endif()
  if(target STREQUAL "galaxycache" OR BUILD_SHARED_LIBS OR CMAKE_POSITION_INDEPENDENT_CODE)
    target_precompile_headers(${target} PRIVATE
      "${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp")
  else()
    target_precompile_headers(${target} REUSE_FROM galaxycache)
  endif()
endfunction()

# A library needs a source: an empty one while the list of real ones is empty.
function(galaxycache_nonempty sources)
  if(NOT ${sources})
    set(empty "${PROJECT_BINARY_DIR}/empty_${sources}.cpp")
    file(CONFIGURE OUTPUT "${empty}" CONTENT "// No sources yet.\n")
    set(${sources} "${empty}" PARENT_SCOPE)
  endif()
endfunction()
