#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace galaxycache {

/// What went wrong. The numbers are part of the wire protocol: they only grow.
enum class errc : std::uint8_t {
  none = 0,
  /// The backend (or a peek) knows no such key. As the outcome of a get this
  /// is an answer, not an error; backends use the code to say so.
  not_found = 1,
  /// A bound was reached: too many loads, waiters or bytes in flight.
  overloaded = 2,
  /// The get's own deadline passed before there was an answer.
  deadline_exceeded = 3,
  /// The backend threw, died, or said no.
  backend_failed = 4,
  /// The peer that owns the key did not answer usefully.
  peer_failed = 5,
  /// The cache actor is being restarted, or its galaxy has failed.
  unavailable = 6,
  /// The universe is shutting down and starts no new loads.
  draining = 7,
  /// A promise of ours was broken; a bug worth reporting.
  internal_error = 8,
  /// Longer than 64 KiB.
  key_too_long = 9,
  /// The backend's value is larger than the galaxy allows.
  value_too_large = 10,
  /// The peer has no galaxy of that name.
  unknown_galaxy = 11,
  /// An option, address or name makes no sense; the text says which.
  invalid_argument = 12,
  /// The address to listen on is taken.
  address_in_use = 13,
  /// Who answered at a peer's address is no peer of this protocol.
  incompatible_peer = 14,
  /// Bytes did not decode, or a value did not encode.
  codec_error = 15,
};

/// Whose doing an error is, and so who can mend it.
enum class fault : std::uint8_t { nobody, caller, backend, peer, cache };

/// The constant name of a code, e.g. "deadline_exceeded".
std::string_view name_of(errc code) noexcept;

/// One sentence for a human, without a trailing period.
std::string_view describe(errc code) noexcept;

/// Whose fault an error with this code is.
fault fault_of(errc code) noexcept;

/// Whether the same get may succeed when tried again a little later.
bool retryable(errc code) noexcept;

/// The code with this number, or `internal_error` for a number from a newer
/// version.
errc errc_from(std::uint8_t number) noexcept;

/// An error code and the reason in words. Reasons never hold a value's bytes.
struct failure {
  errc code = errc::none;
  std::string reason;
};

/// What the functions of `universe` throw when they are asked for what cannot
/// be: a bad option, an address in use. `what()` says what to do about it. Any
/// thread may read it.
class exception : public std::runtime_error {
public:
  explicit exception(const failure& why);

  errc code() const noexcept {
    return code_;
  }

private:
  errc code_;
};

} // namespace galaxycache
