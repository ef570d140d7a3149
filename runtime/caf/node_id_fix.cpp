// Gives every actor system of CAF 0.17 a node id of its own. That version makes
// one of the host's network addresses, its disk and the process id, which two
// containers may have in common; they then cannot connect to each other. Here
// the one of these that CAF asks a function for is random instead. CAF 1.x
// needs no cure, and gets none.
//
// Linked by those who want it: the object replaces a function of CAF's library.

#include "galaxycache/runtime/caf/node_id_fix.hpp"

#include "galaxycache/runtime/caf/version.hpp"

#if !GALAXYCACHE_CAF_1

#  include <caf/detail/get_root_uuid.hpp>

#  include <random>

std::string caf::detail::get_root_uuid() {
  std::random_device random;
  std::string result;
  for (int i = 0; i < 8; ++i)
    result += std::to_string(random());
  return result;
}

#endif

void galaxycache::link_node_id_fix() {
  // nop
}
