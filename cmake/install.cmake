# cmake --install: headers, libraries, and a package for find_package(galaxycache).

include(CMakePackageConfigHelpers)

set(include_root "${CMAKE_INSTALL_INCLUDEDIR}/galaxycache")
set(package_root "${CMAKE_INSTALL_LIBDIR}/cmake/galaxycache")

foreach(floor IN ITEMS actors messages runtime)
  if(IS_DIRECTORY "${PROJECT_SOURCE_DIR}/${floor}")
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/${floor}" DESTINATION "${include_root}"
      FILES_MATCHING PATTERN "*.hpp"
      PATTERN "actors/galaxycache.hpp" EXCLUDE)
  endif()
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/actors/galaxycache.hpp"
  DESTINATION "${include_root}" OPTIONAL)
if(IS_DIRECTORY "${PROJECT_SOURCE_DIR}/tests/kit")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/tests/kit/"
    DESTINATION "${include_root}/testing"
    FILES_MATCHING PATTERN "*.hpp")
endif()

install(TARGETS ${galaxycache_targets} EXPORT galaxycacheTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  OBJECTS DESTINATION "${CMAKE_INSTALL_LIBDIR}/galaxycache")
install(EXPORT galaxycacheTargets NAMESPACE galaxycache::
  DESTINATION "${package_root}")

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/galaxycacheConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/galaxycacheConfig.cmake"
  INSTALL_DESTINATION "${package_root}")
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/galaxycacheConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/galaxycacheConfig.cmake"
  "${PROJECT_BINARY_DIR}/galaxycacheConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/galaxycache_caf.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindCAF.cmake"
  DESTINATION "${package_root}")
