// The headers of frames: what is encoded comes back, and whatever bytes come
// do no harm.

#include "galaxycache/messages/wire.hpp"

#include "fixtures/ledger.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

template <class T>
constexpr T most = std::numeric_limits<T>::max();

/// A year, the longest budget there is.
constexpr auto budget_max = std::chrono::hours{365 * 24};

std::string all_bytes() {
  std::string result;
  for (int i = 0; i < 256; ++i)
    result += static_cast<char>(i);
  return result;
}

template <class T>
T pass(const T& x) {
  auto back = wire::decode(wire::encode(x));
  BOOST_REQUIRE(back.has_value());
  BOOST_REQUIRE(std::holds_alternative<T>(*back));
  return std::get<T>(*back);
}

template <class T>
T decode_as(const std::string& bytes) {
  auto x = wire::decode(bytes);
  BOOST_REQUIRE(x.has_value());
  BOOST_REQUIRE(std::holds_alternative<T>(*x));
  return std::get<T>(*x);
}

// -- Protobuf by hand ---------------------------------------------------------

std::string varint(std::uint64_t x) {
  std::string result;
  for (; x >= 0x80; x >>= 7)
    result += static_cast<char>(x | 0x80);
  return result + static_cast<char>(x);
}

std::string number(std::uint32_t field, std::uint64_t x) {
  return varint(field << 3) + varint(x);
}

std::string bytes(std::uint32_t field, const std::string& x) {
  return varint(field << 3 | 2) + varint(x.size()) + x;
}

/// Fields that no version has had yet, of each type.
std::string from_the_future() {
  return number(15, 1) + number(1000, most<std::uint64_t>) + bytes(16, "new")
         + varint(17 << 3 | 1) + "8 bytes." + varint(18 << 3 | 5) + "four";
}

// The numbers of the oneof in wire.proto, and of some repeated fields.
constexpr std::uint32_t hello_field = 1;
constexpr std::uint32_t fetches_field = 3;
constexpr std::uint32_t fetched_field = 4;
constexpr std::uint32_t ping_field = 5;
constexpr std::uint32_t galaxy_names_field = 2;
constexpr std::uint32_t fetch_field = 3;

/// A batch of one fetch with these fields.
std::string batch_of(const std::string& fetch) {
  return bytes(fetches_field,
               bytes(galaxy_names_field, "things") + bytes(fetch_field, fetch));
}

// -- a bit of everything ------------------------------------------------------

std::vector<wire::message> samples() {
  wire::hello hello;
  hello.id = "here";
  hello.to = "there";
  hello.incarnation = 1;
  hello.ring_digest = 2;
  hello.attempt = 3;
  hello.window_bytes = 30;
  hello.piece_bytes = 31;
  hello.sent = 32;
  hello.ring_kind = 33;
  hello.segments = 34;
  wire::welcome welcome;
  static_cast<wire::greeting&>(welcome) = hello;
  wire::fetch_batch batch;
  batch.ring_digest = 4;
  batch.galaxies = {"things", "others"};
  batch.fetches.push_back({1, 0, "key", fetch_mode::peek, 1s, false});
  batch.fetches.push_back(
    {2, 1, all_bytes(), fetch_mode::no_peer_backend, 2s, true});
  wire::fetched_batch answers;
  answers.fetched.push_back({1, errc::none, "", 0, never_expires});
  answers.fetched.push_back(
    {2, errc::overloaded, "too many", 0, wall_time{1s}});
  return {hello,
          welcome,
          batch,
          answers,
          wire::ping{5, 50},
          wire::pong{6, 60},
          wire::goodbye{},
          wire::piece{7, 70, 700, wall_time{1s}, 7000},
          wire::taken{8},
          wire::unknown{}};
}

/// Decodes and, if there is a message, encodes it again and back.
void try_decode(const std::string& input) {
  auto x = wire::decode(input);
  if (!x)
    return;
  if (auto* batch = std::get_if<wire::fetch_batch>(&*x)) {
    for (auto& item : batch->fetches) {
      BOOST_REQUIRE(item.galaxy < batch->galaxies.size());
      BOOST_REQUIRE(item.budget >= 0s);
      BOOST_REQUIRE(item.budget <= budget_max);
      BOOST_REQUIRE(item.mode != fetch_mode::regular);
      BOOST_REQUIRE(item.mode <= fetch_mode::peek);
    }
  }
  if (auto* batch = std::get_if<wire::fetched_batch>(&*x))
    for (auto& item : batch->fetched)
      BOOST_REQUIRE(item.code
                    == errc_from(static_cast<std::uint8_t>(item.code)));
  auto again = wire::decode(wire::encode(*x));
  BOOST_REQUIRE(again.has_value());
  BOOST_REQUIRE(again->index() == x->index());
  BOOST_REQUIRE(wire::encode(*again) == wire::encode(*x));
}

} // namespace

BOOST_AUTO_TEST_SUITE(wire)

namespace wire = galaxycache::wire;

BOOST_AUTO_TEST_CASE(greetings_come_back_as_they_were) {
  wire::hello x;
  BOOST_TEST(pass(x).version == wire::version);
  BOOST_TEST(pass(x).oldest_version == wire::oldest_version);
  x.version = most<std::uint32_t>;
  x.oldest_version = 0;
  x.features = most<std::uint64_t>;
  x.id = all_bytes();
  x.to = std::string(100'000, '\0');
  x.incarnation = most<std::uint64_t>;
  x.ring_digest = most<std::uint64_t> - 1;
  x.attempt = most<std::uint64_t> - 2;
  x.window_bytes = most<std::uint64_t> - 3;
  x.piece_bytes = most<std::uint64_t> - 4;
  x.sent = most<std::uint64_t> - 5;
  x.ring_kind = most<std::uint32_t> - 1;
  x.segments = most<std::uint32_t> - 2;
  x.assembly = most<std::uint64_t> - 6;
  wire::welcome answer;
  static_cast<wire::greeting&>(answer) = x;
  for (const wire::greeting& back :
       {static_cast<wire::greeting>(pass(x)),
        static_cast<wire::greeting>(pass(answer))}) {
    BOOST_TEST(back.version == x.version);
    BOOST_TEST(back.oldest_version == x.oldest_version);
    BOOST_TEST(back.features == x.features);
    BOOST_TEST((back.id == x.id));
    BOOST_TEST((back.to == x.to));
    BOOST_TEST(back.incarnation == x.incarnation);
    BOOST_TEST(back.ring_digest == x.ring_digest);
    BOOST_TEST(back.attempt == x.attempt);
    BOOST_TEST(back.window_bytes == x.window_bytes);
    BOOST_TEST(back.piece_bytes == x.piece_bytes);
    BOOST_TEST(back.sent == x.sent);
    BOOST_TEST(back.ring_kind == x.ring_kind);
    BOOST_TEST(back.segments == x.segments);
    BOOST_TEST(back.assembly == x.assembly);
  }
}

BOOST_AUTO_TEST_CASE(batches_of_fetches_come_back_as_they_were) {
  wire::fetch_batch x;
  BOOST_TEST(pass(x).fetches.empty());
  x.ring_digest = most<std::uint64_t>;
  x.galaxies = {"", all_bytes(), "things"};
  x.fetches.push_back({0, 0, "", fetch_mode::peek, 0s, false});
  x.fetches.push_back({most<std::uint64_t>, 2, all_bytes(),
                       fetch_mode::no_peer_backend, budget_max, true});
  for (std::uint64_t i = 0; i < 1000; ++i)
    x.fetches.push_back({i, 1, std::to_string(i), fetch_mode::peek, 1us, true});
  auto back = pass(x);
  BOOST_TEST(back.ring_digest == x.ring_digest);
  BOOST_TEST((back.galaxies == x.galaxies));
  BOOST_REQUIRE(back.fetches.size() == x.fetches.size());
  for (std::size_t i = 0; i < x.fetches.size(); ++i) {
    auto& was = x.fetches[i];
    auto& is = back.fetches[i];
    BOOST_REQUIRE(is.id == was.id);
    BOOST_REQUIRE(is.galaxy == was.galaxy);
    BOOST_REQUIRE((is.key == was.key));
    BOOST_REQUIRE((is.mode == was.mode));
    BOOST_REQUIRE((is.budget == was.budget));
    BOOST_REQUIRE(is.gutter == was.gutter);
  }
}

BOOST_AUTO_TEST_CASE(a_budget_that_is_used_up_is_none) {
  wire::fetch_batch x;
  x.galaxies = {"things"};
  x.fetches.push_back({1, 0, "key", fetch_mode::peek, -1s, false});
  x.fetches.push_back(
    {2, 0, "key", fetch_mode::peek, std::chrono::nanoseconds::min(), false});
  x.fetches.push_back(
    {3, 0, "key", fetch_mode::peek, std::chrono::nanoseconds::max(), false});
  auto back = pass(x);
  BOOST_TEST((back.fetches[0].budget == 0s));
  BOOST_TEST((back.fetches[1].budget == 0s));
  BOOST_TEST((back.fetches[2].budget == budget_max));
}

BOOST_AUTO_TEST_CASE(batches_of_answers_come_back_as_they_were) {
  wire::fetched_batch x;
  BOOST_TEST(pass(x).fetched.empty());
  for (std::uint8_t code = 0; code <= 15; ++code)
    x.fetched.push_back(
      {code, static_cast<errc>(code), "because", 0, never_expires});
  x.fetched.push_back({most<std::uint64_t>, errc::backend_failed, all_bytes(),
                       most<std::uint32_t>, wall_time::max()});
  x.fetched.push_back({0, errc::none, "", 1, wall_time::min()});
  x.heard = 3;
  x.sent = most<std::uint64_t>;
  auto back = pass(x);
  BOOST_TEST(back.heard == x.heard);
  BOOST_TEST(back.sent == x.sent);
  BOOST_REQUIRE(back.fetched.size() == x.fetched.size());
  for (std::size_t i = 0; i < x.fetched.size(); ++i) {
    auto& was = x.fetched[i];
    auto& is = back.fetched[i];
    BOOST_TEST(is.id == was.id);
    BOOST_TEST(is.code == was.code);
    BOOST_TEST((is.reason == was.reason));
    BOOST_TEST(is.body == was.body);
    BOOST_TEST((is.expiry == was.expiry));
  }
}

BOOST_AUTO_TEST_CASE(small_messages_come_back_as_they_were) {
  for (auto n : {std::uint64_t{0}, std::uint64_t{1}, most<std::uint64_t>}) {
    BOOST_TEST(pass(wire::ping{n}).number == n);
    BOOST_TEST(pass(wire::ping{1, n}).taken == n);
    BOOST_TEST(pass(wire::pong{n}).number == n);
    BOOST_TEST(pass(wire::pong{1, n}).sent == n);
    BOOST_TEST(pass(wire::taken{n}).bytes == n);
    auto back
      = pass(wire::piece{n, n / 2, n / 3, wall_time{5s}, n / 4, n / 5, n / 6});
    BOOST_TEST(back.id == n);
    BOOST_TEST(back.size == n / 2);
    BOOST_TEST(back.offset == n / 3);
    BOOST_TEST((back.expiry == wall_time{5s}));
    BOOST_TEST(back.sent == n / 4);
    BOOST_TEST(back.assembly == n / 5);
    BOOST_TEST(back.number == n / 6);
  }
  pass(wire::goodbye{});
  pass(wire::unknown{});
}

BOOST_AUTO_TEST_CASE(what_is_not_there_has_its_default) {
  auto hello = decode_as<wire::hello>(bytes(hello_field, ""));
  BOOST_TEST(hello.version == 0u);
  BOOST_TEST(hello.oldest_version == 0u);
  BOOST_TEST(hello.id == "");
  auto batch = decode_as<wire::fetch_batch>(batch_of(""));
  BOOST_REQUIRE(batch.fetches.size() == 1u);
  BOOST_TEST(batch.ring_digest == 0u);
  BOOST_TEST(batch.fetches[0].id == 0u);
  BOOST_TEST(batch.fetches[0].key == "");
  BOOST_TEST((batch.fetches[0].mode == fetch_mode::no_peer_backend));
  BOOST_TEST((batch.fetches[0].budget == 0s));
  BOOST_TEST(!batch.fetches[0].gutter);
  auto answers
    = decode_as<wire::fetched_batch>(bytes(fetched_field, bytes(1, "")));
  BOOST_REQUIRE(answers.fetched.size() == 1u);
  BOOST_TEST(answers.fetched[0].code == errc::none);
  BOOST_TEST(answers.fetched[0].body == 0u);
  BOOST_TEST((answers.fetched[0].expiry == never_expires));
  BOOST_TEST(decode_as<wire::ping>(bytes(ping_field, "")).number == 0u);
}

BOOST_AUTO_TEST_CASE(fields_of_the_future_are_ignored) {
  auto future = from_the_future();
  BOOST_TEST(
    decode_as<wire::ping>(bytes(ping_field, number(1, 7) + future) + future)
      .number
    == 7u);
  auto batch
    = decode_as<wire::fetch_batch>(batch_of(number(1, 8) + future) + future);
  BOOST_REQUIRE(batch.fetches.size() == 1u);
  BOOST_TEST(batch.fetches[0].id == 8u);
  for (auto& x : samples())
    BOOST_TEST((wire::decode(wire::encode(x) + future)->index() == x.index()));
}

BOOST_AUTO_TEST_CASE(kinds_of_the_future_are_unknown) {
  decode_as<wire::unknown>("");
  decode_as<wire::unknown>(from_the_future());
  decode_as<wire::unknown>(bytes(100, "a new kind"));
  decode_as<wire::unknown>(bytes(99, wire::encode(wire::ping{1})));
}

BOOST_AUTO_TEST_CASE(of_several_kinds_in_one_header_the_last_counts) {
  auto two = wire::encode(wire::ping{1}) + wire::encode(wire::goodbye{});
  decode_as<wire::goodbye>(two);
}

BOOST_AUTO_TEST_CASE(numbers_out_of_range_become_what_is_harmless) {
  // No server forwards, whatever it is asked for.
  for (auto mode : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{258},
                    most<std::uint64_t>}) {
    auto batch = decode_as<wire::fetch_batch>(batch_of(number(4, mode)));
    BOOST_TEST((batch.fetches[0].mode == fetch_mode::no_peer_backend));
  }
  for (auto budget : {std::uint64_t{1} << 55, most<std::uint64_t>}) {
    auto batch = decode_as<wire::fetch_batch>(batch_of(number(5, budget)));
    BOOST_TEST((batch.fetches[0].budget == budget_max));
  }
  for (auto code : {std::uint64_t{16}, std::uint64_t{255}, std::uint64_t{256},
                    std::uint64_t{most<std::uint32_t>}}) {
    auto answers = decode_as<wire::fetched_batch>(
      bytes(fetched_field, bytes(1, number(2, code))));
    BOOST_TEST(answers.fetched[0].code == errc::internal_error);
  }
}

BOOST_AUTO_TEST_CASE(a_galaxy_that_the_batch_does_not_name_is_nonsense) {
  for (auto galaxy : {std::uint64_t{1}, std::uint64_t{most<std::uint32_t>}})
    BOOST_TEST(!wire::decode(batch_of(number(2, galaxy))));
  BOOST_TEST(!wire::decode(bytes(fetches_field, bytes(fetch_field, ""))));
}

BOOST_AUTO_TEST_CASE(text_that_is_not_utf8_passes) {
  auto odd = all_bytes() + "\xc3\x28\xff\xfe";
  wire::hello hello;
  hello.id = odd;
  BOOST_TEST((pass(hello).id == odd));
  wire::fetched_batch answers;
  answers.fetched.push_back({1, errc::backend_failed, odd, 0, never_expires});
  BOOST_TEST((pass(answers).fetched[0].reason == odd));
}

BOOST_AUTO_TEST_CASE(headers_cut_short_do_no_harm) {
  for (auto& x : samples()) {
    auto whole = wire::encode(x);
    for (std::size_t size = 0; size < whole.size(); ++size)
      try_decode(whole.substr(0, size));
  }
}

BOOST_AUTO_TEST_CASE(lengths_that_lie_are_nonsense) {
  for (auto size : {std::uint64_t{1000}, std::uint64_t{1} << 31,
                    std::uint64_t{1} << 40, most<std::uint64_t>}) {
    auto lie = varint(hello_field << 3 | 2) + varint(size) + "few";
    BOOST_TEST(!wire::decode(lie));
    BOOST_TEST(!wire::decode(bytes(hello_field, lie)));
  }
}

BOOST_AUTO_TEST_CASE(random_bytes_do_no_harm) {
  random_source random{1};
  for (int i = 0; i < 200'000; ++i) {
    std::string input(random.below(64), '\0');
    for (auto& c : input)
      c = static_cast<char>(random.next());
    try_decode(input);
  }
}

BOOST_AUTO_TEST_CASE(headers_with_errors_do_no_harm) {
  random_source random{2};
  std::vector<std::string> good;
  for (auto& x : samples())
    good.push_back(wire::encode(x));
  for (int i = 0; i < 300'000; ++i) {
    auto input = good[random.below(good.size())];
    for (auto errors = 1 + random.below(4); errors > 0; --errors) {
      auto at = random.below(input.size() + 1);
      auto byte = static_cast<char>(random.next());
      auto& other = good[random.below(good.size())];
      switch (random.below(5)) {
        case 0:
          if (at < input.size())
            input[at] = byte;
          break;
        case 1:
          input.insert(at, 1, byte);
          break;
        case 2:
          input.erase(at, 1 + random.below(4));
          break;
        case 3:
          if (at < input.size())
            input[at] ^= static_cast<char>(1 << random.below(8));
          break;
        default:
          input.insert(at, other, random.below(other.size() + 1));
      }
    }
    try_decode(input);
  }
}

BOOST_AUTO_TEST_CASE(a_batch_has_its_bound_on_both_sides) {
  wire::fetch_batch fetches;
  fetches.galaxies = {"g"};
  wire::fetched_batch answers;
  for (std::size_t i = 0; i <= wire::batch_items_max; ++i) {
    auto fits = i <= wire::batch_items_max;
    BOOST_TEST(wire::decode(wire::encode(fetches)).has_value() == fits);
    BOOST_TEST(wire::decode(wire::encode(answers)).has_value() == fits);
    fetches.fetches.emplace_back();
    answers.fetched.emplace_back();
  }
  BOOST_TEST(!wire::decode(wire::encode(fetches)));
  BOOST_TEST(!wire::decode(wire::encode(answers)));
}

BOOST_AUTO_TEST_SUITE_END()
