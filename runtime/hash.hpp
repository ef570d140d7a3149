#pragma once

#include <cstdint>
#include <string_view>

/// Hash functions that answer the same on every machine and in every process:
/// none depends on byte order, on the standard library or on an address. None
/// withstands an adversary who picks the keys; where that matters, give hash64
/// a seed nobody knows. All are pure and may be called from any thread.
namespace galaxycache {

/// CRC-32 as in IEEE 802.3, zlib and Go's hash/crc32: reflected polynomial
/// 0xEDB88320, all ones before and after. This is galaxycache's ring hash.
std::uint32_t crc32_ieee(std::string_view bytes) noexcept;

/// FNV-1a with 32 bits (Fowler, Noll, Vo; the IETF draft of the same name):
/// galaxycache's alternative ring hash.
std::uint32_t fnv1a_32(std::string_view bytes) noexcept;

/// A fast hash whose 64 bits are all good: take any of them, in any number.
/// It is wyhash, final version 4.2, by Wang Yi (public domain,
/// github.com/wangyi-fudan/wyhash), and gives its published test vectors.
/// Different seeds give unrelated hashes of the same bytes; code that stores
/// or sends a result must fix its seed, for example to a constant of its own.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0) noexcept;

/// Scrambles a number so that every bit of the result depends on every bit of
/// `x`. A bijection with mix64(0) == 0: David Stafford's variant 13 of
/// MurmurHash3's finalizer, as SplitMix64 uses it.
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// The 128 bits of a product.
struct wide_product {
  std::uint64_t low;
  std::uint64_t high;
};

constexpr wide_product multiply(std::uint64_t a, std::uint64_t b) noexcept {
#ifdef __SIZEOF_INT128__
  __extension__ using wide = unsigned __int128;
  const auto product = static_cast<wide>(a) * b;
  return {static_cast<std::uint64_t>(product),
          static_cast<std::uint64_t>(product >> 64)};
#else
  const auto a_high = a >> 32, a_low = a & 0xffffffffu;
  const auto b_high = b >> 32, b_low = b & 0xffffffffu;
  const auto middle = a_high * b_low + (a_low * b_low >> 32);
  const auto carry = (middle & 0xffffffffu) + a_low * b_high;
  return {a * b, a_high * b_high + (middle >> 32) + (carry >> 32)};
#endif
}

/// The upper 64 bits of the 128-bit product.
constexpr std::uint64_t mul_high(std::uint64_t a, std::uint64_t b) noexcept {
  return multiply(a, b).high;
}

} // namespace galaxycache
