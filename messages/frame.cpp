#include "galaxycache/messages/frame.hpp"

#include "galaxycache/messages/wire.hpp"
#include "galaxycache/runtime/assembly.hpp"

namespace galaxycache {

namespace {

// Copying fewer bytes twice is cheaper than looking where they belong.
constexpr std::size_t placed_bytes_min = 4096;

} // namespace

std::optional<value> put_in_place(std::string_view header,
                                  std::string_view body) {
  auto message = wire::decode(header);
  if (!message)
    return std::nullopt;
  auto* piece = std::get_if<wire::piece>(&*message);
  if (!piece || piece->size == body.size()) // a whole value needs no place
    return std::nullopt;
  auto where = assembly::find(piece->assembly);
  if (!where)
    return std::nullopt;
  return where->place({piece->id, piece->number, piece->size, piece->offset},
                      body);
}

bool detail::read_frame(caf::binary_deserializer& f, frame& x) {
  auto header = read_sized_bytes(f);
  auto bodies = header ? read_size(f) : std::nullopt;
  if (!bodies)
    return false;
  x.header = *header;
  x.bodies.clear();
  for (std::size_t i = 0; i < *bodies; ++i) {
    auto bytes = read_sized_bytes(f);
    if (!bytes)
      return false;
    std::optional<value> placed;
    if (*bodies == 1 && bytes->size() >= placed_bytes_min)
      placed = put_in_place(x.header, *bytes);
    x.bodies.push_back(placed ? std::move(*placed) : value::copy(*bytes));
  }
  return true;
}

} // namespace galaxycache
