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
install(FILES "${PROJECT_SOURCE_DIR}/tests/kit/cluster.hpp"
  DESTINATION "${include_root}/testing")

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

# -- pkg-config ----------------------------------------------------------------

foreach(folder IN ITEMS libdir includedir)
  string(TOUPPER "${folder}" var)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${var}}")
    set(pc_${folder} "${CMAKE_INSTALL_${var}}")
  else()
    set(pc_${folder} "\${prefix}/${CMAKE_INSTALL_${var}}")
  endif()
endforeach()
# Wherever it is moved to, as with CMake's package.
set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  file(RELATIVE_PATH pc_up
    "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
  set(pc_prefix "\${pcfiledir}/${pc_up}")
endif()
# Static archives bring their needs along.
set(pc_requires Requires)
if(BUILD_SHARED_LIBS)
  set(pc_requires Requires.private)
endif()
# CAF has no pkg-config file. The system's needs no folder named.
set(pc_cflags "")
set(pc_caf_libs " -lcaf_openssl -lcaf_io -lcaf_core")
if(GALAXYCACHE_CAF_PREFIX)
  set(pc_cflags " -I${GALAXYCACHE_CAF_PREFIX}/include")
  set(pc_caf_libs " -L${GALAXYCACHE_CAF_PREFIX}/lib -Wl,-rpath,${GALAXYCACHE_CAF_PREFIX}/lib${pc_caf_libs}")
endif()
if(GALAXYCACHE_FIRST_TYPE_ID)
  # Flags are told apart by spaces.
  string(REPLACE " " "" pc_first "${GALAXYCACHE_FIRST_TYPE_ID}")
  string(APPEND pc_cflags " -DGALAXYCACHE_FIRST_TYPE_ID=${pc_first}")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/galaxycache.pc.in"
  "${PROJECT_BINARY_DIR}/galaxycache.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/galaxycache.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
