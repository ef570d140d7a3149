#include "galaxycache/messages/frame.hpp"

#include "galaxycache/messages/wire.hpp"
#include "galaxycache/runtime/assembly.hpp"

namespace galaxycache {

namespace {

// Copying fewer bytes twice is cheaper than looking where they belong.
constexpr std::size_t placed_bytes_min = 4096;

#if GALAXYCACHE_CAF_1

bool begin_sequence(caf::binary_deserializer& f, std::size_t& size) {
  return f.begin_sequence(size);
}

bool read_text(caf::binary_deserializer& f, std::string& x) {
  return f.value(x);
}

#else

bool begin_sequence(caf::binary_deserializer& f, std::size_t& size) {
  return !f.begin_sequence(size);
}

bool read_text(caf::binary_deserializer& f, std::string& x) {
  return !f(x);
}

#endif

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

// Neither CAF writes anything at the end of a sequence.
bool detail::read_frame(caf::binary_deserializer& f, frame& x) {
  std::size_t bodies = 0;
  if (!read_text(f, x.header) || !begin_sequence(f, bodies))
    return false;
  x.bodies.clear();
  for (std::size_t i = 0; i < bodies; ++i) {
    std::size_t size = 0;
    if (!begin_sequence(f, size))
      return false;
    auto bytes = read_bytes(f, size);
    if (!bytes)
      return false;
    std::optional<value> placed;
    if (bodies == 1 && size >= placed_bytes_min)
      placed = put_in_place(x.header, *bytes);
    x.bodies.push_back(placed ? std::move(*placed) : value::copy(*bytes));
  }
  return true;
}

} // namespace galaxycache
