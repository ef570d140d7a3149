#include "galaxycache/runtime/uri.hpp"

#include "galaxycache/runtime/printable.hpp"
#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

using namespace galaxycache;

namespace {

using address = galaxycache::uri;

std::optional<address> parse(std::string_view text) {
  std::string why;
  return parse_uri(text, why);
}

} // namespace

BOOST_AUTO_TEST_SUITE(uri)

BOOST_AUTO_TEST_CASE(addresses_are_taken_apart) {
  struct row {
    std::string_view text;
    address expected;
  };
  const row rows[] = {
    {"caf://host:4242", {"caf", "host", 4242}},
    {"host:4242", {"caf", "host", 4242}},
    {"host", {"caf", "host", 0}},
    {"http://cache-1.example.org:80", {"http", "cache-1.example.org", 80}},
    {"grpc://under_score:1", {"grpc", "under_score", 1}},
    {"sim2://Node7", {"sim2", "Node7", 0}},
    {"127.0.0.1:65535", {"caf", "127.0.0.1", 65535}},
    {"caf://localhost:0", {"caf", "localhost", 0}},
    {"caf://localhost:00080", {"caf", "localhost", 80}},
    {"caf://[::1]:4242", {"caf", "::1", 4242}},
    {"[2001:DB8::1]", {"caf", "2001:DB8::1", 0}},
    {"[::ffff:192.0.2.1]:7", {"caf", "::ffff:192.0.2.1", 7}},
    {"[fe80::1%eth0]:7", {"caf", "fe80::1%eth0", 7}},
  };
  for (const auto& x : rows)
    BOOST_TEST_CONTEXT(x.text) {
      const auto result = parse(x.text);
      BOOST_TEST_REQUIRE(result.has_value());
      BOOST_TEST(result->scheme == x.expected.scheme);
      BOOST_TEST(result->host == x.expected.host);
      BOOST_TEST(result->port == x.expected.port);
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused_with_a_reason) {
  const std::string_view rows[] = {
    "",
    "caf://",
    "://host:1",
    "CAF://host:1",
    "c af://host:1",
    "caf+tls://host:1",
    "caf://host:",
    "caf://host:65536",
    "caf://host:99999999999999999999",
    "caf://host:-1",
    "caf://host:+1",
    "caf://host: 1",
    "caf://host:1 ",
    "caf://host:0x10",
    "caf://host:80/path",
    "caf://host/path",
    "caf://user@host:1",
    "caf://ho st:1",
    "caf://h\xc3\xb6st:1",
    "caf://:1",
    "caf://::1",
    "caf://[::1",
    "caf://[]:1",
    "caf://[host]:1",
    "caf://[::1]x",
    "caf://[::1]80",
    "caf://[::g]:1",
    "caf://[fe80::1%]:1",
    "caf://[fe80::1%a%b]:1",
    "caf://[%eth0]:1",
    "caf://caf://host:1",
  };
  for (auto text : rows)
    BOOST_TEST_CONTEXT(text) {
      std::string why;
      BOOST_TEST(!parse_uri(text, why));
      BOOST_TEST(why.find("is no peer address") != std::string::npos);
      BOOST_TEST(why.find(printable(text, 255)) != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_host_has_at_most_255_characters) {
  BOOST_TEST(parse("caf://" + std::string(255, 'a') + ":1").has_value());
  BOOST_TEST(!parse("caf://" + std::string(256, 'a') + ":1"));
}

BOOST_AUTO_TEST_CASE(the_reason_stays_short_whatever_the_text) {
  std::string why;
  BOOST_TEST(!parse_uri(std::string(1'000'000, 'a'), why));
  BOOST_TEST(why.size() < 1'000u);
}

BOOST_AUTO_TEST_CASE(the_reason_holds_nothing_that_a_terminal_would_obey) {
  std::string why;
  BOOST_TEST(!parse_uri("caf://a\x1b[2J\nb:1", why));
  BOOST_TEST(why.find("caf://a\\x1b[2J\\x0ab:1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(text_is_made_that_parses_to_the_address) {
  BOOST_TEST(to_string({"caf", "host", 4242}) == "caf://host:4242");
  BOOST_TEST(to_string({"sim", "host", 0}) == "sim://host");
  BOOST_TEST(to_string({"caf", "::1", 80}) == "caf://[::1]:80");
}

// Strings of pieces that addresses are made of, and of any bytes.
BOOST_AUTO_TEST_CASE(whatever_parses_survives_the_way_through_text) {
  constexpr std::string_view pieces[] = {"caf", "://", "host", "[",   "]",
                                         ":",   "1",   "80",   "::1", "%",
                                         "f",   ".",   "/",    "",    "A"};
  constexpr std::uint64_t seed = 11;
  random_source random{seed};
  int parsed = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string text;
    for (auto n = random.below(9); n > 0; --n) {
      if (random.below(20) == 0)
        text += static_cast<char>(random.below(256));
      else
        text += pieces[random.below(std::size(pieces))];
    }
    std::string why;
    const auto first = parse_uri(text, why);
    if (!first) {
      BOOST_TEST_REQUIRE(!why.empty(), "seed " << seed << ": " << text);
      continue;
    }
    ++parsed;
    BOOST_TEST_REQUIRE((parse(to_string(*first)) == first),
                       "seed " << seed << ": " << text);
  }
  BOOST_TEST(parsed > 1'000);
}

BOOST_AUTO_TEST_CASE(random_bytes_do_no_harm) {
  random_source random{12};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto n = random.below(40); n > 0; --n)
      text += static_cast<char>(random.below(256));
    parse(text);
    parse("caf://" + text);
    parse("[" + text);
  }
}

BOOST_AUTO_TEST_CASE(loopback_is_this_machine_and_no_other) {
  for (auto* host : {"localhost", "127.0.0.1", "127.1.2.3", "::1"})
    BOOST_TEST(is_loopback(host), host);
  for (auto* host : {"", "0.0.0.0", "::", "10.0.0.1", "127.evil.example",
                     "localhost.example", "::ffff:127.0.0.1", "1270.0.0.1"})
    BOOST_TEST(!is_loopback(host), host);
}

BOOST_AUTO_TEST_SUITE_END()
