# Runs the packages example on a few records, in FOLDER, and checks what it says
# of itself. KILL: whether one of its nodes is killed on the way.

set(arguments --source "${RECORDS}" --database "${FOLDER}/packages.sqlite"
  --json "${FOLDER}/result.json" --roots 60)
if(NOT KILL)
  list(APPEND arguments --no-kill)
endif()
file(MAKE_DIRECTORY "${FOLDER}")
execute_process(COMMAND "${PROGRAM}" ${arguments}
  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
if(NOT status STREQUAL "0")
  message(FATAL_ERROR "it ended with ${status}, after printing:\n${output}")
endif()
file(READ "${FOLDER}/result.json" result)
foreach(name gets unique_keys absent backend_loads wrong failed)
  string(JSON ${name} GET "${result}" ${name})
endforeach()
string(JSON nodes LENGTH "${result}" nodes)
if(NOT wrong EQUAL 0 OR NOT failed EQUAL 0 OR NOT nodes EQUAL 3)
  message(FATAL_ERROR "wrong ${wrong}, failed ${failed}, nodes ${nodes}")
endif()
if(gets LESS 1000 OR unique_keys LESS 50)
  message(FATAL_ERROR "only ${gets} gets of ${unique_keys} keys")
endif()
if(NOT KILL AND NOT backend_loads EQUAL unique_keys)
  message(FATAL_ERROR
    "${unique_keys} keys were loaded ${backend_loads} times")
endif()
