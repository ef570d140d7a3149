# Installs BUILD_DIR into PREFIX, then builds the application beside this file
# against it in WORK_DIR, by way of CMake's package and of pkg-config, and runs
# both; and the test beside it, with the kit.

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result
    OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
endfunction()

# What is no longer installed must not be found.
file(REMOVE_RECURSE "${PREFIX}" "${WORK_DIR}")
run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${PREFIX}")
set(ENV{PKG_CONFIG_PATH} "${PREFIX}/${LIBDIR}/pkgconfig")
run("${CMAKE_COMMAND}" -G Ninja -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK_DIR}"
  "-DCMAKE_PREFIX_PATH=${PREFIX}" "-DCMAKE_BUILD_TYPE=Debug"
  "-DCMAKE_CXX_FLAGS_DEBUG=-O0")
run("${CMAKE_COMMAND}" --build "${WORK_DIR}")

set(expected "looking up soup
2 times a recipe for soup
3 times a recipe for soup
")
foreach(program IN ITEMS consumer consumer_pc)
  execute_process(COMMAND "${WORK_DIR}/${program}" --galaxycache.self=me
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0 OR NOT output STREQUAL expected OR errors)
    message(FATAL_ERROR "${program} ended with ${result}:\n${output}${errors}")
  endif()
  # A bad value: a sentence, and 2.
  execute_process(COMMAND "${WORK_DIR}/${program}" --galaxycache.self=me
      --galaxycache.listen=nowhere:x
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 2 OR NOT errors MATCHES "^--galaxycache.listen: .*\n$")
    message(FATAL_ERROR
      "${program} ended with ${result} instead of 2:\n${output}${errors}")
  endif()
endforeach()

execute_process(COMMAND "${WORK_DIR}/consumer_test"
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
if(NOT result EQUAL 0 OR NOT output STREQUAL "1 load\n1 load\n1 load\n")
  message(FATAL_ERROR "consumer_test ended with ${result}:\n${output}${errors}")
endif()
