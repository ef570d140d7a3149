#include "galaxycache/runtime/sha256.hpp"

#include <bit>
#include <cstddef>

namespace galaxycache {

namespace {

constexpr std::size_t block_bytes = 64;

// At the end of the last block stands the length in bits.
constexpr std::size_t length_bytes = 8;

// The first 32 bits of the fractional parts of the square roots of the first 8
// primes, and of the cube roots of the first 64.
using state = std::array<std::uint32_t, 8>;

constexpr state initial{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

constexpr std::array<std::uint32_t, 64> constants{
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
  0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
  0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
  0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
  0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
  0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t big_endian(const char* at) noexcept {
  std::uint32_t result = 0;
  for (int i = 0; i < 4; ++i)
    result = result << 8 | static_cast<unsigned char>(at[i]);
  return result;
}

void compress(state& h, const char* block) noexcept {
  using std::rotr;
  std::array<std::uint32_t, 64> w;
  for (std::size_t t = 0; t < 16; ++t)
    w[t] = big_endian(block + 4 * t);
  for (std::size_t t = 16; t < 64; ++t) {
    auto s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
    auto s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, last] = h;
  for (std::size_t t = 0; t < 64; ++t) {
    auto sum1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    auto choice = (e & f) ^ (~e & g);
    auto t1 = last + sum1 + choice + constants[t] + w[t];
    auto sum0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    auto majority = (a & b) ^ (a & c) ^ (b & c);
    last = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + sum0 + majority;
  }
  const state step{a, b, c, d, e, f, g, last};
  for (std::size_t i = 0; i < h.size(); ++i)
    h[i] += step[i];
}

} // namespace

std::array<std::uint8_t, 32> sha256(std::string_view bytes) noexcept {
  auto h = initial;
  auto bits = static_cast<std::uint64_t>(bytes.size()) * 8;
  for (; bytes.size() >= block_bytes; bytes.remove_prefix(block_bytes))
    compress(h, bytes.data());
  // What is left, a one bit, zeros, and the length: one block or two.
  std::array<char, 2 * block_bytes> tail{};
  bytes.copy(tail.data(), bytes.size());
  tail[bytes.size()] = '\x80';
  auto end = bytes.size() < block_bytes - length_bytes ? block_bytes
                                                       : 2 * block_bytes;
  for (std::size_t i = 1; i <= length_bytes; ++i, bits >>= 8)
    tail[end - i] = static_cast<char>(bits & 0xff);
  for (std::size_t at = 0; at < end; at += block_bytes)
    compress(h, tail.data() + at);
  std::array<std::uint8_t, 32> result;
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<std::uint8_t>(h[i / 4] >> (24 - 8 * (i % 4)));
  return result;
}

} // namespace galaxycache
