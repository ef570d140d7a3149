#pragma once

#include "galaxycache/runtime/caf/types.hpp"
#include "galaxycache/runtime/caf/value.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace galaxycache {

/// What travels between a peer actor and a server: an encoded header (see
/// wire.proto) and the bytes of values beside it, which the header refers to
/// by index.
struct frame {
  std::string header;
  std::vector<value> bodies;
};

/// Copies the only body of a frame to its place in an `assembly`, and returns
/// it as it is there; nothing if it is no piece that belongs to one. For
/// whoever brings a frame from one node to another.
std::optional<value> put_in_place(std::string_view header,
                                  std::string_view body);

// -- inspection ---------------------------------------------------------------

namespace detail {

template <class Inspector>
auto inspect_frame(Inspector& f, frame& x) {
  return object(f, x, "frame", field("header", x.header),
                field("bodies", x.bodies));
}

/// Reads what `inspect_frame` has written; says whether all of it was there.
bool read_frame(caf::binary_deserializer& f, frame& x);

} // namespace detail

#if GALAXYCACHE_CAF_1

template <class Inspector>
bool inspect(Inspector& f, frame& x) {
  if constexpr (std::is_same_v<Inspector, caf::binary_deserializer>) {
    if (detail::read_frame(f, x))
      return true;
    f.emplace_error(caf::sec::end_of_stream);
    return false;
  } else {
    return detail::inspect_frame(f, x);
  }
}

#else

template <class Inspector>
auto inspect(Inspector& f, frame& x) {
  return detail::inspect_frame(f, x);
}

inline caf::error inspect(caf::deserializer& f, frame& x) {
  auto* binary = dynamic_cast<caf::binary_deserializer*>(&f);
  if (!binary)
    return detail::inspect_frame(f, x);
  if (!detail::read_frame(*binary, x))
    return caf::sec::end_of_stream;
  return caf::none;
}

#endif

} // namespace galaxycache
