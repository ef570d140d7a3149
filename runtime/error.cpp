#include "galaxycache/runtime/error.hpp"

#include <array>

namespace galaxycache {

namespace {

struct row {
  std::string_view name;
  std::string_view text;
  fault whose;
  bool retry;
};

constexpr std::array table{
  row{"none", "no error", fault::nobody, false},
  row{"not_found", "the key does not exist", fault::nobody, false},
  row{"overloaded", "too much is in flight", fault::cache, true},
  row{"deadline_exceeded", "no answer before the deadline", fault::cache, true},
  row{"backend_failed", "the backend failed", fault::backend, true},
  row{"peer_failed", "the peer failed", fault::peer, true},
  row{"unavailable", "the cache is restarting or gone", fault::cache, true},
  row{"draining", "the universe is shutting down", fault::cache, true},
  row{"internal_error", "a promise of the cache was broken", fault::cache,
      true},
  row{"key_too_long", "the key is longer than 64 KiB", fault::caller, false},
  row{"value_too_large", "the value is larger than allowed", fault::backend,
      false},
  row{"unknown_galaxy", "no such galaxy", fault::caller, false},
  row{"invalid_argument", "an argument makes no sense", fault::caller, false},
  row{"address_in_use", "the address is already in use", fault::caller, false},
  row{"incompatible_peer", "not a peer of this protocol", fault::peer, false},
  row{"codec_error", "a codec failed", fault::caller, false},
};

const row& row_of(errc code) noexcept {
  auto index = static_cast<std::size_t>(code);
  return table[index < table.size()
                 ? index
                 : static_cast<std::size_t>(errc::internal_error)];
}

} // namespace

std::string_view name_of(errc code) noexcept {
  return row_of(code).name;
}

std::string_view describe(errc code) noexcept {
  return row_of(code).text;
}

fault fault_of(errc code) noexcept {
  return row_of(code).whose;
}

bool retryable(errc code) noexcept {
  return row_of(code).retry;
}

exception::exception(const failure& why)
  : std::runtime_error(why.reason.empty() ? std::string{describe(why.code)}
                                          : why.reason),
    code_(why.code) {
  // nop
}

errc errc_from(std::uint8_t number) noexcept {
  return number < table.size() ? static_cast<errc>(number)
                               : errc::internal_error;
}

} // namespace galaxycache
