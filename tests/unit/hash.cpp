#include "galaxycache/runtime/hash.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace galaxycache;

namespace {

std::string random_bytes(random_source& random, std::size_t size) {
  std::string result;
  for (std::size_t i = 0; i < size; ++i)
    result += static_cast<char>(random.below(256));
  return result;
}

// The definition, bit by bit.
std::uint32_t slow_crc32(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (auto byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

// Bytes 0, 1, 2, ...
std::string counting(std::size_t size) {
  std::string result;
  for (std::size_t i = 0; i < size; ++i)
    result += static_cast<char>(i);
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(hash)

BOOST_AUTO_TEST_CASE(crc32_gives_the_published_values) {
  BOOST_TEST(crc32_ieee("") == 0u);
  BOOST_TEST(crc32_ieee("a") == 0xe8b7be43u);
  BOOST_TEST(crc32_ieee("123456789") == 0xcbf43926u);
  BOOST_TEST(crc32_ieee("The quick brown fox jumps over the lazy dog")
             == 0x414fa339u);
  BOOST_TEST(crc32_ieee(std::string(32, '\0')) == 0x190a55adu);
  BOOST_TEST(crc32_ieee(std::string(32, '\xff')) == 0xff6cab0bu);
}

BOOST_AUTO_TEST_CASE(crc32_is_right_at_every_length_and_alignment) {
  random_source random{1};
  const auto bytes = random_bytes(random, 400);
  for (std::size_t size = 0; size <= 300; ++size)
    for (std::size_t at : {0u, 1u, 3u, 7u}) {
      auto part = std::string_view{bytes}.substr(at, size);
      BOOST_REQUIRE_EQUAL(crc32_ieee(part), slow_crc32(part));
    }
}

BOOST_AUTO_TEST_CASE(fnv1a_gives_the_published_values) {
  BOOST_TEST(fnv1a_32("") == 0x811c9dc5u);
  BOOST_TEST(fnv1a_32("a") == 0xe40c292cu);
  BOOST_TEST(fnv1a_32("b") == 0xe70c2de5u);
  BOOST_TEST(fnv1a_32("foobar") == 0xbf9cf968u);
}

BOOST_AUTO_TEST_CASE(fnv1a_takes_bytes_as_unsigned) {
  BOOST_TEST(fnv1a_32("\xff") == (0x811c9dc5u ^ 0xffu) * 0x01000193u);
}

BOOST_AUTO_TEST_CASE(hash64_gives_the_published_values_of_wyhash) {
  const std::vector<std::pair<std::string, std::uint64_t>> vectors{
    {"", 0x93228a4de0eec5a2u},
    {"a", 0xc5bac3db178713c4u},
    {"abc", 0xa97f2f7b1d9b3314u},
    {"message digest", 0x786d1f1df3801df4u},
    {"abcdefghijklmnopqrstuvwxyz", 0xdca5a8138ad37c87u},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
     0xb9e734f117cfaf70u},
    {"1234567890123456789012345678901234567890"
     "1234567890123456789012345678901234567890",
     0x6cc5eab49a92d617u},
  };
  for (std::size_t seed = 0; seed < vectors.size(); ++seed)
    BOOST_TEST(hash64(vectors[seed].first, seed) == vectors[seed].second);
}

BOOST_AUTO_TEST_CASE(hash64_takes_each_of_its_ways_as_wyhash_does) {
  const std::vector<std::pair<std::size_t, std::uint64_t>> vectors{
    {1, 0x8e6d4af7d310c8c4u},  {2, 0x5121ba5bc9a828b5u},
    {3, 0x78c4aa0c972a522du},  {4, 0xe08aeeb68058fb32u},
    {5, 0x845a2c5da2318785u},  {7, 0x094e98feb6055cc6u},
    {8, 0xb4d6ac74d009e1d4u},  {9, 0xb42922e019b409beu},
    {15, 0x87edaf96d89a08efu}, {16, 0x305fdea0ed4a2619u},
    {17, 0xd29ffdd201a46f9au}, {23, 0x735a0e86527147f0u},
    {31, 0xebc13906e5018315u}, {32, 0x5b00c06ef7540f8fu},
    {33, 0x5e1a2536ff90cc32u},
  };
  for (const auto& [size, expected] : vectors)
    BOOST_TEST(hash64(counting(size)) == expected);
}

BOOST_AUTO_TEST_CASE(hash64_depends_on_nothing_but_bytes_and_seed) {
  random_source random{2};
  for (std::size_t size = 0; size <= 150; ++size) {
    const auto bytes = random_bytes(random, size);
    const auto moved = "x" + bytes + "y";
    BOOST_REQUIRE_EQUAL(hash64(bytes, size),
                        hash64(std::string_view{moved}.substr(1, size), size));
  }
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_flips_half_of_hash64) {
  random_source random{3};
  constexpr int trials = 400;
  for (std::size_t size : {1u, 3u, 8u, 16u, 24u, 61u})
    for (std::size_t bit = 0; bit<size * 8; bit += size> 8 ? 5 : 1) {
      std::array<int, 64> flips{};
      for (int i = 0; i < trials; ++i) {
        auto bytes = random_bytes(random, size);
        const auto seed = random.next();
        auto change = hash64(bytes, seed);
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
        change ^= hash64(bytes, seed);
        for (std::size_t j = 0; j < 64; ++j)
          flips[j] += static_cast<int>(change >> j & 1);
      }
      // Six standard deviations of 10 either way.
      for (auto count : flips) {
        BOOST_REQUIRE_GT(count, trials / 2 - 60);
        BOOST_REQUIRE_LT(count, trials / 2 + 60);
      }
    }
}

BOOST_AUTO_TEST_CASE(any_bits_of_hash64_spread_numbered_keys_evenly) {
  constexpr std::size_t buckets = 256;
  constexpr double mean = 400;
  for (int shift : {0, 13, 28, 41, 56})
    for (std::uint64_t seed : {0u, 1u}) {
      std::array<int, buckets> counts{};
      for (int i = 0; i < static_cast<int>(buckets * mean); ++i) {
        const auto key = "user:" + std::to_string(i);
        ++counts[hash64(key, seed) >> shift & (buckets - 1)];
      }
      double chi_squared = 0;
      for (auto count : counts)
        chi_squared += (count - mean) * (count - mean) / mean;
      // 255 degrees of freedom: a standard deviation is 22.6.
      BOOST_TEST(chi_squared > 255 - 4 * 22.6);
      BOOST_TEST(chi_squared < 255 + 4 * 22.6);
    }
}

BOOST_AUTO_TEST_CASE(mix64_is_the_finalizer_of_splitmix64) {
  BOOST_TEST(mix64(0) == 0u);
  BOOST_TEST(mix64(0x9e3779b97f4a7c15u) == 0xe220a8397b1dcdafu);
  BOOST_TEST(mix64(0x3c6ef372fe94f82au) == 0x6e789e6aa1b965f4u);
}

BOOST_AUTO_TEST_CASE(mix64_flips_half_of_the_bits) {
  random_source random{4};
  for (int bit = 0; bit < 64; ++bit) {
    int flips = 0;
    for (int i = 0; i < 100; ++i) {
      const auto x = random.next();
      flips += std::popcount(mix64(x) ^ mix64(x ^ std::uint64_t{1} << bit));
    }
    BOOST_TEST(flips > 3200 - 6 * 40);
    BOOST_TEST(flips < 3200 + 6 * 40);
  }
}

BOOST_AUTO_TEST_CASE(mul_high_is_the_upper_half_of_the_product) {
  constexpr auto max = std::numeric_limits<std::uint64_t>::max();
  BOOST_TEST(mul_high(max, max) == max - 1);
  BOOST_TEST(mul_high(max, 1) == 0u);
  BOOST_TEST(mul_high(max, 2) == 1u);
  BOOST_TEST(mul_high(std::uint64_t{1} << 63, 6) == 3u);
  BOOST_TEST(mul_high(0x123456789abcdef0u, 0xfedcba9876543210u)
             == 0x121fa00ad77d7422u);
}

BOOST_AUTO_TEST_SUITE_END()
