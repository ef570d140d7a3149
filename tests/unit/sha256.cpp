#include "galaxycache/runtime/sha256.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace {

std::string hex(std::string_view bytes) {
  std::string result;
  for (auto byte : galaxycache::sha256(bytes))
    for (auto digit : {byte >> 4, byte & 0xf})
      result += "0123456789abcdef"[digit];
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(sha256)

// The examples of FIPS 180 and of NIST's collection of additional ones.
BOOST_AUTO_TEST_CASE(digests_are_the_published_ones) {
  BOOST_TEST(
    hex("")
    == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(
    hex("abc")
    == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(
    hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
    == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  BOOST_TEST(
    hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu")
    == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  BOOST_TEST(
    hex(std::string(1'000'000, 'a'))
    == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  BOOST_TEST(
    hex("\xbd")
    == "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
  BOOST_TEST(
    hex("\xc9\x8c\x8e\x55")
    == "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504");
  BOOST_TEST(
    hex(std::string(1'000, '\0'))
    == "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53");
  BOOST_TEST(
    hex(std::string(1'000, 'A'))
    == "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4");
  BOOST_TEST(
    hex(std::string(1'005, 'U'))
    == "f4d62ddec0f3dd90ea1380fa16a5ff8dc4c54b21740650f24afc4120903552b0");
}

// Where the length still fits into the last block, and where it does not.
BOOST_AUTO_TEST_CASE(the_edges_of_a_block_are_padded_right) {
  BOOST_TEST(
    hex(std::string(55, '\0'))
    == "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7");
  BOOST_TEST(
    hex(std::string(56, '\0'))
    == "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb");
  BOOST_TEST(
    hex(std::string(57, '\0'))
    == "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785");
  BOOST_TEST(
    hex(std::string(64, '\0'))
    == "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

// The digest of all digests, as another implementation computed it.
BOOST_AUTO_TEST_CASE(every_length_is_hashed_right) {
  std::string digests;
  for (std::size_t size = 0; size <= 300; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i)
      bytes += static_cast<char>(7 * i + size);
    for (auto byte : galaxycache::sha256(bytes))
      digests += static_cast<char>(byte);
  }
  BOOST_TEST(
    hex(digests)
    == "60d63ff40b5558727a9b786ac0be9300f7ca58fd9ddd3b2f3681b369018a87dc");
}

BOOST_AUTO_TEST_SUITE_END()
