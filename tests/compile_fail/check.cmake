# Fails unless SOURCE compiles; or, with a MISTAKE defined, unless it does not,
# because of a static assertion that says what is EXPECTED.

separate_arguments(arguments UNIX_COMMAND "${FLAGS}")
list(APPEND arguments ${STANDARD} -fsyntax-only)
list(REMOVE_ITEM INCLUDES ${IMPLICIT})
foreach(folder IN LISTS INCLUDES)
  list(APPEND arguments -isystem "${folder}")
endforeach()
foreach(definition IN LISTS DEFINITIONS)
  list(APPEND arguments "-D${definition}")
endforeach()
if(MISTAKE)
  list(APPEND arguments "-D${MISTAKE}")
endif()

# Messages in English, and on one line each.
set(ENV{LC_ALL} C)
execute_process(COMMAND "${COMPILER}" ${arguments} "${SOURCE}"
  OUTPUT_VARIABLE said
  ERROR_VARIABLE said
  RESULT_VARIABLE status)

if(NOT MISTAKE)
  if(NOT status STREQUAL "0")
    message(FATAL_ERROR "${SOURCE} does not compile:\n${said}")
  endif()
  return()
endif()
if(status STREQUAL "0")
  message(FATAL_ERROR "${SOURCE} compiles with ${MISTAKE}")
endif()
string(REGEX MATCHALL "error: static[ _]assert[^\n]*" assertions "${said}")
string(FIND "${assertions}" "${EXPECTED}" at)
if(at LESS 0)
  message(FATAL_ERROR "${SOURCE} does not compile with ${MISTAKE}, but no "
    "static assertion says: ${EXPECTED}\n${said}")
endif()
