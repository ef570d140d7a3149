#include "galaxycache/runtime/caf/handshake.hpp"

#include "galaxycache/runtime/caf/version.hpp"

#include <caf/io/basp/header.hpp>
#include <caf/io/basp/version.hpp>

namespace galaxycache {

namespace {

namespace basp = caf::io::basp;

// Node id, application names and interface of the server: some hundred bytes.
constexpr std::uint64_t payload_bytes_max = 64 * 1024;

/// The number in these bytes, the most significant first.
std::uint64_t number_in(std::string_view bytes) {
  std::uint64_t result = 0;
  for (auto c : bytes)
    result = result << 8 | static_cast<std::uint8_t>(c);
  return result;
}

std::string why_no_handshake(std::string_view head) {
  // Operation, two bytes of padding, flags, the size of what follows, the
  // version of the protocol, and two numbers of actors.
  constexpr auto operation
    = static_cast<std::uint8_t>(basp::message_type::server_handshake);
  auto size = number_in(head.substr(4, 4));
  auto version = number_in(head.substr(8, 8));
  auto zero = number_in(head.substr(1, 3)) | number_in(head.substr(16, 8))
              | number_in(head.substr(24, 8));
  if (number_in(head.substr(0, 1)) != operation || zero != 0 || size == 0
      || size > payload_bytes_max || version > 0xff)
    return "it is no CAF node";
  if (version != basp::version)
    return "it is a CAF node of another generation: it speaks version "
           + std::to_string(version) + " of CAF's protocol, not "
           + std::to_string(basp::version);
  return {};
}

} // namespace

first_words caf_handshake() {
  static_assert(basp::header_size == 32);
  return {basp::header_size, why_no_handshake};
}

} // namespace galaxycache
