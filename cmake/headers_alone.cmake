# headers_alone: compiles every public header as a translation unit of its own,
# without precompiled headers. Not part of "all".

file(GLOB_RECURSE public_headers RELATIVE "${PROJECT_SOURCE_DIR}" CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/actors/*.hpp"
  "${PROJECT_SOURCE_DIR}/messages/*.hpp"
  "${PROJECT_SOURCE_DIR}/runtime/*.hpp"
  "${PROJECT_SOURCE_DIR}/tests/kit/*.hpp")

set(header_stubs "")
foreach(header IN LISTS public_headers)
  string(REGEX REPLACE "^tests/kit/" "testing/" name "${header}")
  string(REGEX REPLACE "^actors/galaxycache.hpp$" "galaxycache.hpp" name "${name}")
  set(stub "${PROJECT_BINARY_DIR}/headers_alone/${name}.cpp")
  file(CONFIGURE OUTPUT "${stub}" CONTENT "#include <galaxycache/${name}>\n")
  list(APPEND header_stubs "${stub}")
endforeach()
galaxycache_nonempty(header_stubs)

add_library(headers_alone OBJECT EXCLUDE_FROM_ALL ${header_stubs})
galaxycache_target(headers_alone)
target_link_libraries(headers_alone PRIVATE galaxycache)
