#include "galaxycache/runtime/hash.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace galaxycache {

namespace {

// Reads `Count` bytes, lowest first, whatever the machine's byte order.
template <std::size_t Count>
std::uint64_t load(const char* bytes) noexcept {
  std::uint64_t result = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&result, bytes, Count);
  } else {
    for (std::size_t i = 0; i < Count; ++i)
      result |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return result;
}

// Slicing-by-8 (Kounavis and Berry, 2005): table k advances the CRC of one byte
// over k more zero bytes, so that eight bytes take eight independent look-ups.
constexpr auto crc_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    auto crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k)
    for (std::size_t byte = 0; byte < 256; ++byte) {
      auto crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  return tables;
}();

// wyhash's default secret, `_wyp`.
constexpr std::array<std::uint64_t, 4> secret{0x2d358dccaa6c78a5u,
                                              0x8bb84b93962eacc9u,
                                              0x4b33a62ed433d4a3u,
                                              0x4d5a2da51de1aa47u};

std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = multiply(a, b);
  return product.low ^ product.high;
}

} // namespace

std::uint32_t crc32_ieee(std::string_view bytes) noexcept {
  const auto& t = crc_tables;
  std::uint32_t crc = 0xffffffffu;
  auto at = bytes.data();
  auto left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    auto x = load<8>(at) ^ crc;
    crc = t[7][x & 0xff] ^ t[6][x >> 8 & 0xff] ^ t[5][x >> 16 & 0xff]
          ^ t[4][x >> 24 & 0xff] ^ t[3][x >> 32 & 0xff] ^ t[2][x >> 40 & 0xff]
          ^ t[1][x >> 48 & 0xff] ^ t[0][x >> 56];
  }
  for (; left > 0; ++at, --left)
    crc = (crc >> 8) ^ t[0][(crc ^ static_cast<unsigned char>(*at)) & 0xff];
  return ~crc;
}

std::uint32_t fnv1a_32(std::string_view bytes) noexcept {
  std::uint32_t hash = 0x811c9dc5u;
  for (auto byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x01000193u;
  }
  return hash;
}

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) noexcept {
  const auto size = bytes.size();
  auto at = bytes.data();
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  seed ^= fold(seed ^ secret[0], secret[1]);
  if (size > 16) {
    auto left = size;
    if (left >= 48) {
      auto seed_1 = seed;
      auto seed_2 = seed;
      for (; left >= 48; at += 48, left -= 48) {
        seed = fold(load<8>(at) ^ secret[1], load<8>(at + 8) ^ seed);
        seed_1 = fold(load<8>(at + 16) ^ secret[2], load<8>(at + 24) ^ seed_1);
        seed_2 = fold(load<8>(at + 32) ^ secret[3], load<8>(at + 40) ^ seed_2);
      }
      seed ^= seed_1 ^ seed_2;
    }
    for (; left > 16; at += 16, left -= 16)
      seed = fold(load<8>(at) ^ secret[1], load<8>(at + 8) ^ seed);
    // The last 16 bytes, which may overlap bytes read already.
    a = load<8>(at + left - 16);
    b = load<8>(at + left - 8);
  } else if (size >= 4) {
    const auto step = size >> 3 << 2;
    a = load<4>(at) << 32 | load<4>(at + step);
    b = load<4>(at + size - 4) << 32 | load<4>(at + size - 4 - step);
  } else if (size > 0) {
    a = load<1>(at) << 16 | load<1>(at + (size >> 1)) << 8
        | load<1>(at + size - 1);
  }
  a ^= secret[1];
  b ^= seed;
  const auto product = multiply(a, b);
  return fold(product.low ^ secret[0] ^ size, product.high ^ secret[1]);
}

} // namespace galaxycache
