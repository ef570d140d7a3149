#pragma once

#include "galaxycache/runtime/caf/read.hpp"
#include "galaxycache/runtime/caf/types.hpp"
#include "galaxycache/runtime/caf/value.hpp"

#include <optional>
#include <string>
#include <string_view>
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

bool read_frame(caf::binary_deserializer& f, frame& x);

} // namespace detail

template <class Inspector>
auto inspect(Inspector& f, frame& x) {
  return read_or(f, x, detail::read_frame, [&] {
    return object(f, x, "frame", field("header", x.header),
                  field("bodies", x.bodies));
  });
}

} // namespace galaxycache
