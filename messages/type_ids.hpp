#pragma once

#include "galaxycache/messages/error.hpp"
#include "galaxycache/messages/frame.hpp"
#include "galaxycache/messages/internal.hpp"
#include "galaxycache/messages/types.hpp"
#include "galaxycache/runtime/caf/types.hpp"

#include <vector>

// Our block of CAF's type ids. For an application whose own block reaches this
// far (500 types), build the library with -DGALAXYCACHE_FIRST_TYPE_ID=... in
// CMake, which makes it part of the installed package. All members of a ring
// that use CAF 1.x must agree on it.
#ifndef GALAXYCACHE_FIRST_TYPE_ID
#  define GALAXYCACHE_FIRST_TYPE_ID first_custom_type_id + 500
#endif

CAF_BEGIN_TYPE_ID_BLOCK(galaxycache, GALAXYCACHE_FIRST_TYPE_ID)

  // What may cross a process boundary. Only ever append: CAF 1.x sends numbers.
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::frame))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::value))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::errc))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::fetch_mode))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::hit_level))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::peer_state))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::get_options))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::loaded))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::answer))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::get_result))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::peer_info))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::peer_status))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::cache_stats))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::galaxy_stats))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::name_list))
  CAF_ADD_TYPE_ID(galaxycache, (std::vector<galaxycache::value>) )
  CAF_ADD_TYPE_ID(galaxycache, (std::vector<galaxycache::get_result>) )
  CAF_ADD_TYPE_ID(galaxycache, (std::vector<galaxycache::peer_info>) )
  CAF_ADD_TYPE_ID(galaxycache, (std::vector<galaxycache::peer_status>) )

  // What stays in the process.
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::ticket))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::questions))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::answers))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::load_order))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::landed))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::fetch))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::fetches))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::fetched))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::load_result))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::work_done))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::peer_changed))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::connection))
  CAF_ADD_TYPE_ID(galaxycache, (galaxycache::sought))

  CAF_ADD_ATOM(galaxycache, galaxycache, load_atom, "gcload")
  CAF_ADD_ATOM(galaxycache, galaxycache, stats_atom, "gcstats")
  CAF_ADD_ATOM(galaxycache, galaxycache, stop_atom, "gcstop")
  CAF_ADD_ATOM(galaxycache, galaxycache, drain_atom, "gcdrain")
  CAF_ADD_ATOM(galaxycache, galaxycache, set_atom, "gcset")
  CAF_ADD_ATOM(galaxycache, galaxycache, self_atom, "gcself")
  CAF_ADD_ATOM(galaxycache, galaxycache, list_atom, "gclist")

CAF_END_TYPE_ID_BLOCK(galaxycache)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::ticket)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::questions)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::answers)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::load_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::landed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::fetch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::fetches)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::fetched)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::load_result)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::work_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::peer_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::connection)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(galaxycache::sought)

namespace galaxycache {

// Atoms of CAF's own that our interfaces use.
using caf::flush_atom;
using caf::flush_atom_v;
using caf::get_atom;
using caf::get_atom_v;
using caf::join_atom;
using caf::join_atom_v;
using caf::leave_atom;
using caf::leave_atom_v;
using caf::put_atom;
using caf::put_atom_v;
using caf::tick_atom;
using caf::tick_atom_v;

} // namespace galaxycache
