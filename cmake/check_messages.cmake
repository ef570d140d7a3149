# Fails unless PAGE has a section for each actor in CATALOGUE, and in it a row for
# each message of that actor, and no others.

cmake_minimum_required(VERSION 3.25)

# Appends "ACTOR: SIGNATURE" to the list OUT for each signature in TEXT.
function(add_signatures out actor text)
  string(REGEX MATCHALL "result<[^()]*>\\([^()]*\\)" found "${text}")
  set(all ${${out}})
  foreach(signature IN LISTS found)
    string(REGEX REPLACE "[ \n]+" " " signature "${signature}")
    list(APPEND all "${actor}: ${signature}")
  endforeach()
  set(${out} ${all} PARENT_SCOPE)
endfunction()

# Reads the file WHERE and has the actors in it begin with a line of their own,
# "@NAME", without what would break a CMake list.
function(read_actors out where begin)
  file(READ "${where}" text)
  string(REGEX REPLACE "[][;@]" " " text "${text}")
  string(REGEX REPLACE "//[^\n]*" "" text "${text}")
  string(REGEX REPLACE "${begin}" "\n@\\1\n" text "${text}")
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

# The signatures of all actors of such a text, sorted.
function(list_signatures out text)
  string(REPLACE "\n@" ";" parts "${text}")
  list(REMOVE_AT parts 0)
  set(all "")
  foreach(part IN LISTS parts)
    string(REGEX MATCH "^[a-z_]+" actor "${part}")
    list(APPEND all "${actor}")
    add_signatures(all "${actor}" "${part}")
  endforeach()
  list(SORT all)
  set(${out} ${all} PARENT_SCOPE)
endfunction()

read_actors(catalogue "${CATALOGUE}" "using ([a-z_]+) = typed_actor<")
read_actors(page "${PAGE}" "\n## `([a-z_]+)`\n")
list_signatures(said "${catalogue}")
list_signatures(shown "${page}")

set(missing ${said})
list(REMOVE_ITEM missing ${shown})
set(unknown ${shown})
list(REMOVE_ITEM unknown ${said})
foreach(each IN LISTS missing)
  message(SEND_ERROR "${PAGE} lacks ${each}")
endforeach()
foreach(each IN LISTS unknown)
  message(SEND_ERROR "${PAGE} has what is not in ${CATALOGUE}: ${each}")
endforeach()
list(LENGTH said count)
if(count LESS 20)
  message(FATAL_ERROR "only ${count} actors and messages found in ${CATALOGUE}")
endif()
if(NOT missing AND NOT unknown AND NOT "${said}" STREQUAL "${shown}")
  message(FATAL_ERROR "${PAGE} has something twice")
endif()
