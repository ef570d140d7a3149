// A node of today with one that knows less, and with one that says more.

#include "fixtures/wire_rigs.hpp"

#include "galaxycache/messages/wire.pb.h"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace wire = galaxycache::wire;

namespace {

using header = wire::pb::Header;

std::string varint(std::uint64_t x) {
  std::string result;
  for (; x >= 0x80; x >>= 7)
    result += static_cast<char>(x | 0x80);
  return result + static_cast<char>(x);
}

/// A field that no version has, with some bytes.
std::string new_field(std::uint32_t number) {
  return varint(number << 3 | 2) + varint(3) + "new";
}

/// The header as a newer version would write it: fields that we do not know in
/// it, in its message and in the parts of that.
frame from_the_future(const wire::message& x, std::vector<value> bodies = {}) {
  header h;
  BOOST_REQUIRE(h.ParseFromString(wire::encode(x)));
  auto add = [](auto& message) {
    BOOST_REQUIRE(
      message.ParseFromString(message.SerializeAsString() + new_field(1000)));
  };
  if (h.has_hello())
    add(*h.mutable_hello());
  if (h.has_welcome())
    add(*h.mutable_welcome());
  if (h.has_fetches()) {
    for (auto& each : *h.mutable_fetches()->mutable_fetches())
      add(each);
    add(*h.mutable_fetches());
  }
  if (h.has_fetched()) {
    for (auto& each : *h.mutable_fetched()->mutable_fetched())
      add(each);
    add(*h.mutable_fetched());
  }
  if (h.has_piece())
    add(*h.mutable_piece());
  if (h.has_taken())
    add(*h.mutable_taken());
  add(h);
  // The new fields survive: they are really there.
  BOOST_REQUIRE(h.SerializeAsString().size() > wire::encode(x).size() + 5);
  return {h.SerializeAsString(), std::move(bodies)};
}

frame unknown_kind() {
  return {new_field(100), {}};
}

/// The header as the first version wrote it: without any field that came later.
frame from_the_past(const wire::message& x, std::vector<value> bodies = {}) {
  header h;
  BOOST_REQUIRE(h.ParseFromString(wire::encode(x)));
  BOOST_REQUIRE(!h.has_piece());
  BOOST_REQUIRE(!h.has_taken());
  for (auto* greeting : {h.has_hello() ? h.mutable_hello() : nullptr,
                         h.has_welcome() ? h.mutable_welcome() : nullptr})
    if (greeting) {
      greeting->clear_features();
      greeting->clear_window_bytes();
      greeting->clear_piece_bytes();
      greeting->clear_sent();
      greeting->clear_ring_kind();
      greeting->clear_segments();
      greeting->clear_assembly();
    }
  if (h.has_fetches())
    h.mutable_fetches()->clear_number();
  if (h.has_fetched()) {
    h.mutable_fetched()->clear_heard();
    h.mutable_fetched()->clear_sent();
  }
  return {h.SerializeAsString(), std::move(bodies)};
}

constexpr std::string_view ten = "0123456789";

} // namespace

BOOST_AUTO_TEST_SUITE(versions)

BOOST_AUTO_TEST_CASE(a_server_of_before_is_asked_and_answers_whole_values) {
  auto large = value::take(std::string(3 << 20, 'v'));
  peer_rig all{[=](const wire::message& x) -> std::vector<frame> {
    if (auto* hello = std::get_if<wire::hello>(&x))
      return {from_the_past(peer_rig::welcome_to(*hello))};
    auto* batch = std::get_if<wire::fetch_batch>(&x);
    if (!batch)
      return {};
    wire::fetched_batch answers;
    for (auto& each : batch->fetches)
      answers.fetched.push_back({each.id, errc::none, "", 0, never_expires});
    return {from_the_past(answers, {large})};
  }};
  for (int i = 0; i < 10; ++i) {
    auto got = all.get("key");
    BOOST_REQUIRE(got.found());
    BOOST_TEST(got.content().data.shares_bytes_with(large));
  }
  BOOST_TEST(all.server->count<wire::taken>() == 0u);
}

BOOST_AUTO_TEST_CASE(a_server_of_the_future_is_understood) {
  peer_rig all{[](const wire::message& x) -> std::vector<frame> {
    if (auto* hello = std::get_if<wire::hello>(&x)) {
      auto welcome = peer_rig::welcome_to(*hello);
      welcome.features |= 1ULL << 63;
      welcome.version = 7; // speaks ours, too
      return {unknown_kind(), from_the_future(welcome), unknown_kind()};
    }
    auto* batch = std::get_if<wire::fetch_batch>(&x);
    if (!batch)
      return {};
    std::vector<frame> result{unknown_kind()};
    for (auto& each : batch->fetches) {
      if (each.key == "large") {
        for (std::size_t at : {0, 5})
          result.push_back(from_the_future(wire::piece{each.id, 10, at},
                                           {value::copy(ten.substr(at, 5))}));
        continue;
      }
      wire::fetched_batch answers;
      answers.fetched.push_back({each.id, errc::none, "", 0, never_expires});
      result.push_back(from_the_future(answers, {value::copy(ten)}));
    }
    result.push_back(unknown_kind());
    return result;
  }};
  for (auto* key : {"small", "large", "small", "large"}) {
    auto got = all.get(key);
    BOOST_REQUIRE(got.found());
    BOOST_TEST(got.content().data.bytes() == ten);
  }
}

BOOST_AUTO_TEST_CASE(a_peer_of_before_gets_its_values_whole) {
  peer_options options;
  options.piece_bytes = 100;
  options.window_bytes = 1000;
  server_rig all{options};
  all.asker->say(all.server, from_the_past(server_rig::hello_in_pieces()));
  all.asker->await<wire::welcome>();
  const std::vector<std::string> keys(20, "5000");
  all.asker->say(all.server, from_the_past(server_rig::batch_of(1, keys)));
  // It says that it has taken one by answering, without knowing.
  eventually([&] { return all.answers().size() == keys.size(); });
  for (auto& [id, x] : all.answers())
    BOOST_TEST(x.second.bytes() == server_rig::bytes_of("5000"));
  BOOST_TEST(all.asker->count<wire::piece>() == 0u);
}

BOOST_AUTO_TEST_CASE(a_peer_of_the_future_is_served) {
  peer_options options;
  options.piece_bytes = 100;
  options.window_bytes = 1000;
  server_rig all{options};
  auto hello = server_rig::hello_in_pieces();
  hello.features |= 1ULL << 63;
  hello.version = 7;
  all.asker->say(all.server, unknown_kind());
  all.asker->say(all.server, from_the_future(hello));
  all.asker->await<wire::welcome>();
  all.asker->say(all.server, unknown_kind());
  all.asker->say(all.server,
                 from_the_future(server_rig::batch_of(1, {"20", "2000"})));
  eventually([&] { return all.bytes_in_pieces() >= 400; });
  while (all.bytes_in_pieces() < 2000) {
    auto before = all.bytes_in_pieces();
    all.asker->say(all.server,
                   from_the_future(wire::taken{
                     all.asker->all<wire::piece>().back().first.sent}));
    eventually([&] { return all.bytes_in_pieces() > before; });
  }
  BOOST_TEST(all.answers()[1].second.bytes() == server_rig::bytes_of("20"));
}

BOOST_AUTO_TEST_SUITE_END()
