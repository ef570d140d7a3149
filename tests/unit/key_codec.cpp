#include "galaxycache/runtime/key_codec.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <set>

using namespace galaxycache;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

template <class T>
std::string encoded(const T& key) {
  auto bytes = try_encode_key<T>(key);
  return std::string{std::get<0>(bytes)};
}

template <class T>
bool survives(const T& key) {
  auto bytes = encoded(key);
  auto back = try_decode_key<T>(bytes);
  return std::get<0>(back) == key;
}

/// Whether no key has these bytes.
template <class T>
bool refused(std::string_view bytes) {
  auto result = try_decode_key<T>(bytes);
  auto* why = std::get_if<1>(&result);
  return why != nullptr && why->code == errc::codec_error;
}

enum class color { red, green };

struct bomb {};

struct without_codec {};

} // namespace

template <>
struct galaxycache::key_codec<color> {
  static std::string_view encode(color x) {
    return x == color::red ? "red" : "green";
  }

  static std::optional<color> decode(std::string_view key) {
    if (key == "red")
      return color::red;
    if (key == "green")
      return color::green;
    return std::nullopt;
  }
};

template <>
struct galaxycache::key_codec<bomb> {
  static std::string encode(const bomb&) {
    throw std::runtime_error{"tick"};
  }

  static std::optional<bomb> decode(std::string_view) {
    throw 42;
  }
};

BOOST_AUTO_TEST_SUITE(key_codec)

// Keys are hashed and compared in every process of a ring. Should one of these
// fail, a rolling upgrade would look for keys where they are not.
BOOST_AUTO_TEST_CASE(encodings_are_pinned) {
  using std::pair;
  using std::tuple;
  BOOST_TEST(encoded("a key"s) == "a key");
  BOOST_TEST(encoded("a key"sv) == "a key");
  BOOST_TEST(encoded(""s) == "");
  BOOST_TEST(encoded(42) == "42");
  BOOST_TEST(encoded(-7) == "-7");
  BOOST_TEST(encoded(std::uint8_t{200}) == "200");
  BOOST_TEST(encoded(std::numeric_limits<std::int64_t>::min())
             == "-9223372036854775808");
  BOOST_TEST(encoded(std::numeric_limits<std::uint64_t>::max())
             == "18446744073709551615");
  BOOST_TEST(encoded(pair{"de"s, 42})
             == "\x02"
                "de\0\x2a\0"s);
  BOOST_TEST(encoded(tuple{"de"sv, 42u})
             == "\x02"
                "de\0\x2a\0"s);
  BOOST_TEST(encoded(tuple{42}) == "\x2a\0"s);
  BOOST_TEST(encoded(tuple{""s}) == "\0\0"s);
  BOOST_TEST(encoded(pair{300, 0}) == "\xac\x02\0\0\0"s);
  BOOST_TEST(encoded(tuple{-1})
             == "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0"s);
  BOOST_TEST(encoded(tuple{std::int8_t{-1}}) == encoded(tuple{-1L}));
  BOOST_TEST(encoded(tuple{std::string(128, 'x')})
             == "\x80\x01" + std::string(128, 'x') + '\0');
  BOOST_TEST(encoded(tuple{"a"s, pair{1, "b"s}, 2})
             == "\x01"
                "a\0\x01\0\x01"
                "b\0\x02\0"s);
  BOOST_TEST(encoded(pair{color::red, 1}) == "\x03red\0\x01\0"s);
}

BOOST_AUTO_TEST_CASE(types_have_key_codecs_or_have_not) {
  static_assert(has_key_codec<std::string> && has_key_codec<std::string_view>);
  static_assert(has_key_codec<int> && has_key_codec<std::uint64_t>);
  static_assert(has_key_codec<std::pair<int, std::string>>);
  static_assert(has_key_codec<std::tuple<int, std::pair<int, color>>>);
  static_assert(has_key_codec<color>);
  static_assert(!has_key_codec<std::tuple<>>);
  static_assert(!has_key_codec<bool> && !has_key_codec<char>);
  static_assert(!has_key_codec<double> && !has_key_codec<without_codec>);
}

BOOST_AUTO_TEST_CASE(a_string_is_not_copied) {
  static_assert(std::same_as<encoded_key<std::string>, std::string_view>);
  const auto key = "key"s;
  auto bytes = try_encode_key(key);
  BOOST_TEST(std::get<0>(bytes).data() == key.data());
}

BOOST_AUTO_TEST_CASE(keys_come_back_as_they_were) {
  BOOST_TEST(survives("a\0b"s));
  BOOST_TEST(survives(""s));
  BOOST_TEST(survives(std::numeric_limits<std::int64_t>::min()));
  BOOST_TEST(survives(std::pair{""s, ""s}));
  BOOST_TEST(survives(std::pair{"\0\0"s, -1}));
  BOOST_TEST(survives(std::tuple{std::numeric_limits<std::int64_t>::min(),
                                 std::numeric_limits<std::uint64_t>::max(),
                                 std::numeric_limits<std::int8_t>::min()}));
  BOOST_TEST(survives(std::tuple{1, std::pair{"x"s, std::tuple{2, "y"s}}}));
  BOOST_TEST(survives(std::pair{color::green, color::red}));
  BOOST_TEST(survives(std::pair{std::string(1000, 'x'), 1}));
}

BOOST_AUTO_TEST_CASE(different_keys_have_different_bytes) {
  const std::vector parts{""s,  "\0"s,  "\0\0"s, "\1"s,    "\1\0"s,
                          "a"s, "a\0"s, "\1a"s,  "\1a\0"s, "\0\1a\0"s};
  std::set<std::string> seen;
  for (const auto& x : parts)
    for (const auto& y : parts)
      for (int z : {0, 1, 97, 128, -1})
        seen.insert(encoded(std::tuple{x, y, z}));
  BOOST_TEST(seen.size() == parts.size() * parts.size() * 5);
}

BOOST_AUTO_TEST_CASE(bytes_that_no_key_has_are_refused) {
  for (auto bytes : {""sv, "01"sv, "+1"sv, "-0"sv, "1 "sv, "x"sv, "128"sv})
    BOOST_TEST(refused<std::int8_t>(bytes), bytes);
  using key = std::pair<std::string, std::uint8_t>;
  BOOST_TEST(!refused<key>("\x02"
                           "de\0\x2a\0"sv));
  for (auto bytes : {
         ""sv,
         "de"sv,
         "\x02"
         "de\0\x2a"sv, // cut off
         "\x02"
         "de\0"sv, // a part is missing
         "\x02"
         "de\0\x2a\0\0"sv, // one byte too many
         "\x02"
         "de\0\x2a\x01"sv, // not closed
         "\x02"
         "dex\x2a\0"sv, // not closed
         "\x03"
         "de\0\x2a\0"sv, // longer than it is
         "\x02"
         "de\0\xaa\x00\0"sv, // more bytes than it needs
         "\x82\x00"
         "de\0\x2a\0"sv, // the same of a length
         "\x02"
         "de\0\xac\x02\0"sv, // 300 in a byte
         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
         "de\0\x2a\0"sv,
         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"
         "de\0\x2a\0"sv,
       })
    BOOST_TEST(refused<key>(bytes));
  BOOST_TEST(refused<color>("blue"));
  BOOST_TEST(refused<std::tuple<color>>("\x04"
                                        "blue\0"sv));
  BOOST_TEST(refused<std::tuple<int>>("\xff\xff\xff\xff\x7f\0"sv));
}

BOOST_AUTO_TEST_CASE(a_key_codec_that_throws_is_a_codec_error) {
  auto failed = std::get<1>(try_encode_key(bomb{}));
  BOOST_TEST((failed.code == errc::codec_error));
  BOOST_TEST(failed.reason == "a key did not encode: tick");
  failed = std::get<1>(try_decode_key<bomb>("x"));
  BOOST_TEST((failed.code == errc::codec_error));
  BOOST_TEST(failed.reason == "a key did not decode: an unknown exception");
}

BOOST_AUTO_TEST_SUITE_END()
