#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace galaxycache {

/// SHA-256 (FIPS 180-4) of `bytes`. Pure and thread-safe.
///
/// The jitter of key epochs is all it is for. OpenSSL has it too, but CAF needs
/// of that only the shared library, and whoever builds galaxycache or links it
/// statically would need the development package as well, for one function.
std::array<std::uint8_t, 32> sha256(std::string_view bytes) noexcept;

} // namespace galaxycache
