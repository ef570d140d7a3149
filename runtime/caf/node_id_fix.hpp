#pragma once

namespace galaxycache {

/// Does nothing: a library that holds node_id_fix.cpp and calls this brings it
/// into each program, in whatever order that links its libraries.
void link_node_id_fix();

} // namespace galaxycache
