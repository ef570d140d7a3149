# Fails unless each identifier in backticks in the second column of PAGE's tables
# occurs in a public header of SOURCE.

cmake_minimum_required(VERSION 3.25)

file(GLOB_RECURSE headers "${SOURCE}/actors/*.hpp" "${SOURCE}/messages/*.hpp"
  "${SOURCE}/runtime/*.hpp")
set(known "")
foreach(header IN LISTS headers)
  file(READ "${header}" text)
  # Names alone: neither comments nor what would break a CMake list.
  string(REGEX REPLACE "//[^\n]*" "" text "${text}")
  string(REGEX REPLACE "[^A-Za-z0-9_]+" " " text "${text}")
  string(APPEND known " ${text} ")
endforeach()

file(READ "${PAGE}" page)
string(REGEX REPLACE "[][;]" " " page "${page}")
string(REPLACE "\n" ";" lines "${page}")
set(count 0)
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^\\|[^|]*\\|([^|]*)\\|")
    continue()
  endif()
  string(REGEX MATCHALL "`[^`]*`" spans "${CMAKE_MATCH_1}")
  foreach(span IN LISTS spans)
    string(REGEX MATCHALL "[A-Za-z_][A-Za-z0-9_]*" names "${span}")
    foreach(name IN LISTS names)
      math(EXPR count "${count} + 1")
      string(FIND "${known}" " ${name} " at)
      if(at LESS 0)
        message(SEND_ERROR "${PAGE} names what no public header has: ${name}")
      endif()
    endforeach()
  endforeach()
endforeach()
if(count LESS 50)
  message(FATAL_ERROR "only ${count} names found in ${PAGE}")
endif()
