# Runs PROGRAM and fails unless it succeeds and prints exactly what EXPECTED holds.

execute_process(COMMAND "${PROGRAM}"
  OUTPUT_VARIABLE actual
  RESULT_VARIABLE status)
file(READ "${EXPECTED}" expected)
if(NOT status STREQUAL "0")
  message(FATAL_ERROR "${PROGRAM} ended with ${status}, after printing:\n${actual}")
endif()
if(NOT actual STREQUAL expected)
  message(FATAL_ERROR
    "${PROGRAM} printed:\n${actual}\n-- but ${EXPECTED} expects:\n${expected}")
endif()
