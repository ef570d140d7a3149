#include "galaxycache/runtime/codec.hpp"

#include "galaxycache/runtime/json_codec.hpp"
#include "galaxycache/runtime/protobuf_codec.hpp"
#include "galaxycache/runtime/typed_load_result.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>

using namespace galaxycache;

namespace {

/// Comes back as it was.
template <class T>
bool survives(const T& x) {
  auto bytes = try_encode<T>(x);
  auto back = try_decode<T>(std::get<value>(bytes));
  return std::get<0>(back) == x;
}

template <class T>
std::string encoded(T x) {
  auto bytes = try_encode<T>(std::move(x));
  return std::string{std::get<value>(bytes).bytes()};
}

/// Why bytes do not decode; empty if they do.
template <class T>
std::string complaint(std::string_view bytes) {
  auto result = try_decode<T>(value::copy(bytes));
  auto* why = std::get_if<1>(&result);
  if (why == nullptr)
    return {};
  BOOST_TEST((why->code == errc::codec_error));
  return why->reason;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A type with a codec of its own, that needs no default.
struct celsius {
  explicit celsius(int x) : degrees(x) {
    // nop
  }

  int degrees;

  friend bool operator==(const celsius&, const celsius&) = default;
};

/// What can be moved only.
using box = std::unique_ptr<int>;

/// A type whose codec throws.
struct bomb {
  bool text = true;
};

struct employee {
  std::string name;
  int age = 0;

  friend bool operator==(const employee&, const employee&) = default;
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(employee, name, age)

/// What the codec uses of a Protobuf message: a required number.
struct fake_message {
  std::optional<std::string> number;

  bool IsInitialized() const {
    return number.has_value();
  }

  std::string InitializationErrorString() const {
    return "number";
  }

  bool SerializePartialToString(std::string* out) const {
    *out = number.value_or("");
    return *out != "too large";
  }

  bool ParsePartialFromArray(const void* data, int size) {
    std::string bytes{static_cast<const char*>(data),
                      static_cast<std::size_t>(size)};
    if (!bytes.empty())
      number = bytes;
    return bytes != "garbage";
  }
};

struct without_codec {};

} // namespace

template <>
struct galaxycache::codec<celsius> {
  static value encode(const celsius& x) {
    return codec<int>::encode(x.degrees);
  }

  static std::optional<celsius> decode(std::string_view bytes) {
    auto degrees = codec<int>::decode(bytes);
    if (!degrees || *degrees < -273)
      return std::nullopt;
    return celsius{*degrees};
  }
};

template <>
struct galaxycache::codec<box> {
  static value encode(const box& x) {
    return codec<int>::encode(*x);
  }

  static std::optional<box> decode(std::string_view bytes) {
    auto content = codec<int>::decode(bytes);
    return content ? std::optional{std::make_unique<int>(*content)}
                   : std::nullopt;
  }
};

template <>
struct galaxycache::codec<bomb> {
  static value encode(const bomb& x) {
    if (x.text)
      throw std::runtime_error{"tick"};
    throw 42;
  }

  static std::optional<bomb> decode(std::string_view bytes) {
    encode({bytes.empty()});
    return std::nullopt;
  }
};

template <>
struct galaxycache::codec<employee> : galaxycache::json_codec<employee> {};

template <>
struct galaxycache::codec<std::map<std::string, int>>
  : galaxycache::json_codec<std::map<std::string, int>> {};

BOOST_AUTO_TEST_SUITE(codec)

BOOST_AUTO_TEST_CASE(types_have_codecs_or_have_not) {
  static_assert(has_codec<value>);
  static_assert(has_codec<std::string>);
  static_assert(has_codec<std::vector<std::byte>>);
  static_assert(has_codec<int> && has_codec<std::uint64_t>);
  static_assert(has_codec<celsius> && has_codec<box> && has_codec<bomb>);
  static_assert(has_codec<nlohmann::json> && has_codec<employee>);
  static_assert(has_codec<fake_message>);
  static_assert(!has_codec<without_codec>);
  static_assert(!has_codec<bool> && !has_codec<char>);
  static_assert(!has_codec<std::string_view> && !has_codec<const char*>);
}

BOOST_AUTO_TEST_CASE(values_are_never_copied) {
  const auto data = value::copy("data");
  auto bytes = try_encode<value>(data);
  BOOST_TEST(std::get<0>(bytes).shares_bytes_with(data));
  auto back = try_decode<value>(std::get<0>(bytes));
  BOOST_TEST(std::get<0>(back).shares_bytes_with(data));
}

BOOST_AUTO_TEST_CASE(a_string_is_adopted) {
  std::string text(1000, 'x');
  const auto* where = text.data();
  auto bytes = try_encode<std::string>(std::move(text));
  BOOST_TEST(std::get<0>(bytes).bytes().data() == where);
}

BOOST_AUTO_TEST_CASE(bytes_and_strings_may_hold_anything) {
  BOOST_TEST(survives(std::string{}));
  BOOST_TEST(survives(std::string{"a\0b\xff", 4}));
  BOOST_TEST(survives(std::vector<std::byte>{}));
  BOOST_TEST(survives(std::vector{std::byte{0}, std::byte{255}}));
  BOOST_TEST(encoded(std::vector{std::byte{'h'}, std::byte{'i'}}) == "hi");
}

BOOST_AUTO_TEST_CASE(numbers_are_decimal_text) {
  BOOST_TEST(encoded(42) == "42");
  BOOST_TEST(encoded(-7L) == "-7");
  BOOST_TEST(encoded(std::uint8_t{200}) == "200");
  BOOST_TEST(encoded(std::int8_t{-100}) == "-100");
  BOOST_TEST(survives(std::numeric_limits<std::int64_t>::min()));
  BOOST_TEST(survives(std::numeric_limits<std::uint64_t>::max()));
  BOOST_TEST(survives(std::numeric_limits<std::int8_t>::min()));
}

BOOST_AUTO_TEST_CASE(only_one_text_stands_for_a_number) {
  for (auto bytes : {"", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "0x1",
                     "2147483648", "twelve"})
    BOOST_TEST(!complaint<int>(bytes).empty(), bytes);
  BOOST_TEST(!complaint<unsigned>("-1").empty());
  BOOST_TEST(!complaint<std::uint8_t>("256").empty());
  BOOST_TEST(complaint<int>("2147483647").empty());
}

BOOST_AUTO_TEST_CASE(a_type_of_ones_own_needs_two_functions) {
  BOOST_TEST(survives(celsius{-5}));
  BOOST_TEST(complaint<celsius>("-300")
             == "a value of 4 bytes is not of the expected type");
}

BOOST_AUTO_TEST_CASE(a_type_need_not_be_copyable) {
  auto bytes = try_encode<box>(std::make_unique<int>(3));
  auto back = try_decode<box>(std::get<value>(bytes));
  BOOST_TEST(*std::get<0>(back) == 3);
}

BOOST_AUTO_TEST_CASE(a_codec_that_throws_is_a_codec_error) {
  auto failed = std::get<1>(try_encode<bomb>(bomb{}));
  BOOST_TEST((failed.code == errc::codec_error));
  BOOST_TEST(failed.reason == "a value did not encode: tick");
  failed = std::get<1>(try_encode<bomb>(bomb{false}));
  BOOST_TEST((failed.code == errc::codec_error));
  BOOST_TEST(failed.reason == "a value did not encode: an unknown exception");
  BOOST_TEST(complaint<bomb>("") == "a value did not decode: tick");
  BOOST_TEST(complaint<bomb>("x")
             == "a value did not decode: an unknown exception");
}

// -- JSON ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(json_is_any_document_or_any_type_with_conversions) {
  BOOST_TEST(survives(nlohmann::json{{"a", {1, 2.5, nullptr}}, {"b", "ü"}}));
  BOOST_TEST(survives(nlohmann::json{}));
  BOOST_TEST(survives(employee{"Ada", 36}));
  BOOST_TEST(encoded(employee{"Ada", 36}) == R"({"age":36,"name":"Ada"})");
  BOOST_TEST(survives(std::map<std::string, int>{{"a", 1}, {"b", 2}}));
}

BOOST_AUTO_TEST_CASE(json_that_does_not_fit_says_what_is_missing) {
  BOOST_TEST(contains(complaint<employee>(R"({"age":36})"), "key 'name'"));
  BOOST_TEST(contains(complaint<employee>(R"({"age":"x","name":"Ada"})"),
                      "type must be number, but is string"));
}

BOOST_AUTO_TEST_CASE(no_json_error_holds_bytes_of_the_value) {
  BOOST_TEST(complaint<nlohmann::json>("{\"password\":hunter2}")
             == "a value did not decode: JSON error 101 at byte 13");
  for (auto bytes :
       {"", "hunter2", "\"hunter2", "{\"hunter2\"}", "[hunter2]",
        "{\"name\":\"hunter2\"}", "{\"name\":7,\"age\":\"hunter2\"}",
        "\"hunter2\"", "[\"hunter2\"]", "{\"hunter2\":\"\xff\"}", "1hunter2"}) {
    auto why = complaint<employee>(bytes);
    BOOST_TEST(!why.empty(), bytes);
    BOOST_TEST(!contains(why, "hunter2"), why);
  }
  auto invalid = try_encode<nlohmann::json>(nlohmann::json("hunter2\xff"));
  BOOST_TEST(std::get<1>(invalid).reason
             == "a value did not encode: JSON error 316");
}

// -- Protobuf -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_protobuf_message_needs_its_required_fields) {
  BOOST_TEST(encoded(fake_message{"12"}) == "12");
  auto back = try_decode<fake_message>(value::copy("12"));
  BOOST_TEST(std::get<0>(back).number.value() == "12");
  auto missing = "required Protobuf fields are missing: number";
  auto failed = try_encode<fake_message>(fake_message{});
  BOOST_TEST(contains(std::get<1>(failed).reason, missing));
  BOOST_TEST(contains(complaint<fake_message>(""), missing));
}

BOOST_AUTO_TEST_CASE(what_protobuf_refuses_is_a_codec_error) {
  auto failed = try_encode<fake_message>(fake_message{"too large"});
  BOOST_TEST((std::get<1>(failed).code == errc::codec_error));
  BOOST_TEST(complaint<fake_message>("garbage")
             == "a value of 7 bytes is not of the expected type");
}

// -- results of typed backends ------------------------------------------------

BOOST_AUTO_TEST_CASE(a_typed_load_encodes_what_there_is) {
  auto result = typed_load_result<int>{12}.encode();
  BOOST_TEST(result.found());
  BOOST_TEST(result.content().data.bytes() == "12");
  BOOST_TEST((result.content().expiry == never_expires));
  const wall_time expiry{std::chrono::hours{1}};
  result = typed_load_result<int>{typed_loaded<int>{12, expiry}}.encode();
  BOOST_TEST((result.content().expiry == expiry));
  result = typed_load_result<int>{std::optional{12}}.encode();
  BOOST_TEST(result.content().data.bytes() == "12");
}

BOOST_AUTO_TEST_CASE(a_typed_load_of_nothing_is_not_found) {
  BOOST_TEST(typed_load_result<int>{std::nullopt}.encode().not_found());
  BOOST_TEST(typed_load_result<int>{std::optional<int>{}}.encode().not_found());
  BOOST_TEST(typed_load_result<int>{errc::not_found}.encode().not_found());
}

BOOST_AUTO_TEST_CASE(a_typed_load_that_failed_says_why) {
  auto result
    = typed_load_result<int>{failure{errc::backend_failed, "no disk"}}.encode();
  BOOST_TEST((result.error().code == errc::backend_failed));
  BOOST_TEST(result.error().reason == "no disk");
  result = typed_load_result<bomb>{bomb{}}.encode();
  BOOST_TEST((result.error().code == errc::codec_error));
}

BOOST_AUTO_TEST_CASE(a_typed_load_of_json_takes_json_for_a_value) {
  // nlohmann::json converts from and to nearly everything.
  using json_result = typed_load_result<nlohmann::json>;
  json_result found = nlohmann::json{{"a", 1}};
  BOOST_TEST(std::move(found).encode().content().data.bytes() == R"({"a":1})");
  json_result absent = errc::not_found;
  BOOST_TEST(std::move(absent).encode().not_found());
  json_result failed = failure{errc::backend_failed, "no"};
  BOOST_TEST(std::move(failed).encode().failed());
}

BOOST_AUTO_TEST_SUITE_END()
