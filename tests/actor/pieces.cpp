// Large values go in pieces, and a server has no more under way to a peer than
// that has room for.

#include "fixtures/wire_rigs.hpp"

#include "galaxycache/runtime/assembly.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace wire = galaxycache::wire;

namespace {

peer_options small_pieces() {
  peer_options result;
  result.piece_bytes = 100;
  result.window_bytes = 1000;
  return result;
}

/// What a server script answers the first fetch of a batch with.
wire_end::reaction
answering(std::function<std::vector<frame>(std::uint64_t id)> f) {
  return [f](const wire::message& x) -> std::vector<frame> {
    if (auto* hello = std::get_if<wire::hello>(&x))
      return {peer_rig::frame_of(peer_rig::welcome_to(*hello))};
    if (auto* batch = std::get_if<wire::fetch_batch>(&x))
      return f(batch->fetches.front().id);
    return {};
  };
}

frame piece_of(std::uint64_t id, std::string_view whole, std::size_t offset,
               std::size_t size, std::uint64_t sent = 0) {
  return peer_rig::frame_of(wire::piece{id, whole.size(), offset, never_expires,
                                        sent},
                            {value::copy(whole.substr(offset, size))});
}

errc code_of_outcome(const load_result& x) {
  return x.failed() ? x.error().code : errc::none;
}

constexpr std::string_view ten = "0123456789";

} // namespace

BOOST_AUTO_TEST_SUITE(pieces)

// -- the server ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_large_value_leaves_in_pieces_and_a_small_one_does_not) {
  auto options = small_pieces();
  options.window_bytes = 5000;
  server_rig all{options};
  all.greet(server_rig::hello_in_pieces());
  all.ask(1, {"25", "26", "100", "250"});
  eventually([&] {
    return all.asker->count<wire::piece>() == 5 && all.answers().size() == 1;
  });
  BOOST_TEST(all.answers()[1].second.bytes() == server_rig::bytes_of("25"));
  std::map<std::uint64_t, std::string> values;
  for (auto& [x, bodies] : all.asker->all<wire::piece>()) {
    BOOST_TEST(x.offset == values[x.id].size());
    BOOST_TEST(bodies.at(0).size() <= 100u);
    BOOST_TEST(x.size == (x.id == 2 ? 26u : x.id == 3 ? 100u : 250u));
    values[x.id] += bodies.at(0).bytes();
  }
  BOOST_TEST(values[2] == server_rig::bytes_of("26"));
  BOOST_TEST(values[3] == server_rig::bytes_of("100"));
  BOOST_TEST(values[4] == server_rig::bytes_of("250"));
}

BOOST_AUTO_TEST_CASE(pieces_share_the_bytes_of_the_cache) {
  server_rig all;
  all.greet(server_rig::hello_in_pieces());
  all.ask(1, {"1000000"});
  eventually([&] { return all.asker->count<wire::piece>() == 4; });
  auto cached = all.rig.g.find("1000000");
  BOOST_REQUIRE(cached.has_value());
  for (auto& [x, bodies] : all.asker->all<wire::piece>())
    BOOST_TEST(
      (bodies.at(0).bytes().data() == cached->bytes().data() + x.offset));
}

BOOST_AUTO_TEST_CASE(a_peer_that_takes_nothing_is_sent_a_window_and_no_more) {
  server_rig all;
  const peer_options standard;
  all.greet(server_rig::hello_in_pieces());
  const auto mib = std::to_string(1 << 20);
  all.ask(1, std::vector<std::string>(1000, mib));
  all.await_rest();
  eventually(
    [&] { return all.bytes_in_pieces() >= standard.window_bytes - (4 << 10); });
  all.await_rest();
  BOOST_TEST(all.bytes_in_pieces()
             <= standard.window_bytes + standard.piece_bytes);
  // What would have to wait with more than its share is refused at once.
  auto kept = standard.answer_bytes_max >> 20;
  eventually([&] { return all.answers_of(errc::overloaded) > 0; });
  auto refused = all.answers_of(errc::overloaded);
  BOOST_TEST(refused >= 1000 - kept - 2);
  BOOST_TEST(refused <= 1000 - kept);
  // Small ones overtake.
  all.ask(2000, {"100"});
  eventually([&] { return all.answers().count(2000) == 1; });
  BOOST_TEST(all.answers()[2000].second.size() == 100u);
  // It goes on as soon as something has been taken.
  auto before = all.bytes_in_pieces();
  all.take(all.asker->all<wire::piece>().back().first.sent);
  eventually([&] { return all.bytes_in_pieces() > before; });
  all.await_rest();
  BOOST_TEST(all.bytes_in_pieces()
             <= before + standard.window_bytes + standard.piece_bytes);
  // And what nobody waits for any more is dropped, though nothing is taken.
  BOOST_TEST(all.answers_of(errc::deadline_exceeded) == 0u);
  all.time->advance(11s);
  eventually([&] {
    return all.answers_of(errc::deadline_exceeded) >= 1000 - refused - 4;
  });
}

BOOST_AUTO_TEST_CASE(values_that_hold_up_nothing_small_have_more_under_way) {
  server_rig all{small_pieces()};
  all.greet(server_rig::hello_in_pieces());
  const auto taken = [&] {
    return all.asker->all<wire::piece>().back().first.sent;
  };
  const auto under_way_then = [&] {
    const auto before = taken();
    all.take(before);
    all.await_rest();
    return taken() - before;
  };
  all.rig.get("30000"); // to be known at once
  all.rig.get("20");
  all.ask(1, {"30000"});
  all.await_rest();
  // What comes with a piece counts, too.
  BOOST_TEST(taken() <= 1200u);
  while (taken() < 2800)
    BOOST_TEST(under_way_then() <= 1200u);
  under_way_then();
  for (int i = 0; i < 3; ++i) {
    const auto under_way = under_way_then();
    BOOST_TEST(under_way >= 4000u);
    BOOST_TEST(under_way <= 4200u);
  }
  // It is over as soon as there is something small, which does not wait.
  all.ask(2, {"20"});
  eventually([&] { return all.answers().count(2) == 1; });
  BOOST_TEST(under_way_then() <= 1200u);
  BOOST_TEST(under_way_then() <= 1200u);
  while (under_way_then() <= 1200)
    BOOST_TEST_REQUIRE(taken() < 30'000u); // and begins again
}

BOOST_AUTO_TEST_CASE(small_answers_that_nobody_takes_wait_and_are_bounded) {
  auto options = small_pieces();
  options.fetches_max = 50;
  server_rig all{options};
  all.greet(server_rig::hello_in_pieces());
  all.rig.get("20"); // to be known at once
  for (std::uint64_t i = 0; i < 500; ++i)
    all.ask(1 + i, {"20"});
  all.await_rest();
  auto sent = all.answers().size();
  // 20 bytes, and 32 for what comes with them, of twice the window.
  BOOST_TEST(sent >= 5u);
  BOOST_TEST(sent <= 2000 / 52 + 2u);
  for (auto last = sent;; last = all.answers().size()) {
    all.take(all.asker->all<wire::fetched_batch>().back().first.sent);
    all.await_rest();
    if (all.answers().size() == last)
      break;
  }
  // 50 that wait, as many that say that there were too many, and no more.
  BOOST_TEST(all.answers().size() <= sent + 101);
  BOOST_TEST(all.answers_of(errc::overloaded) >= 40u);
  all.ask(1000, {"20"});
  eventually([&] { return all.answers().count(1000) == 1; });
  BOOST_TEST((all.answers()[1000].first == errc::none));
}

BOOST_AUTO_TEST_CASE(a_new_attempt_forgets_what_was_asked_before) {
  server_rig all{small_pieces()};
  all.greet(server_rig::hello_in_pieces(1));
  all.ask(1, {"5000"});
  eventually([&] { return all.asker->count<wire::piece>() == 5; });
  const std::size_t pieces = 5; // of a window
  auto welcome = all.greet(server_rig::hello_in_pieces(2));
  BOOST_TEST(welcome.sent > 0u);
  all.ask(2, {"300"});
  eventually([&] { return all.asker->count<wire::piece>() >= pieces + 3; });
  all.await_rest();
  auto now = all.asker->all<wire::piece>();
  BOOST_TEST(now.size() == pieces + 3);
  BOOST_TEST(now[pieces].first.id == 2u);
  BOOST_TEST(now[pieces].first.sent > welcome.sent);
}

BOOST_AUTO_TEST_CASE(a_slow_peer_holds_up_nobody_else) {
  server_rig all{small_pieces()};
  all.greet(server_rig::hello_in_pieces());
  all.ask(1, std::vector<std::string>(100, "5000"));
  all.await_rest();
  wire_end other{all.rig.system};
  other.say(all.server, server_rig::hello_in_pieces());
  other.say(all.server, server_rig::batch_of(1, {"300", "20"}));
  eventually([&] { return other.count<wire::piece>() == 3; });
}

BOOST_AUTO_TEST_CASE(the_smaller_sizes_of_the_two_ends_hold) {
  server_rig all{small_pieces()};
  auto hello = server_rig::hello_in_pieces();
  hello.piece_bytes = 1 << 20;
  hello.window_bytes = 1 << 30;
  auto welcome = all.greet(hello);
  BOOST_TEST(welcome.piece_bytes == 100u);
  BOOST_TEST(welcome.window_bytes == 1000u);
  hello.piece_bytes = 1;
  hello.window_bytes = 500;
  welcome = all.greet(hello);
  BOOST_TEST(welcome.piece_bytes == 64u);
  BOOST_TEST(welcome.window_bytes == 500u);
}

// -- the peer -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(pieces_become_the_value) {
  peer_rig all{answering([](auto id) -> std::vector<frame> {
    return {piece_of(id, ten, 0, 4), piece_of(id, ten, 4, 4),
            piece_of(id, ten, 8, 2)};
  })};
  for (int i = 0; i < 3; ++i) {
    auto got = all.get("key");
    BOOST_REQUIRE(got.found());
    BOOST_TEST(got.content().data.bytes() == ten);
  }
}

BOOST_AUTO_TEST_CASE(a_piece_that_is_the_value_is_not_copied) {
  auto whole = value::copy(ten);
  peer_rig all{answering([whole](auto id) -> std::vector<frame> {
    return {peer_rig::frame_of(wire::piece{id, ten.size(), 0, wall_time{9s}, 0},
                               {whole})};
  })};
  auto got = all.get("key");
  BOOST_REQUIRE(got.found());
  BOOST_TEST(got.content().data.shares_bytes_with(whole));
  BOOST_TEST((got.content().expiry == wall_time{9s}));
}

BOOST_AUTO_TEST_CASE(pieces_that_do_not_make_a_value_are_a_failure) {
  using frames = std::vector<frame>;
  const std::pair<const char*, std::function<frames(std::uint64_t)>> rows[] = {
    {"one is lost",
     [](auto id) {
       return frames{piece_of(id, ten, 0, 4), piece_of(id, ten, 8, 2)};
     }},
    {"the first is lost",
     [](auto id) { return frames{piece_of(id, ten, 4, 4)}; }},
    {"two are swapped",
     [](auto id) {
       return frames{piece_of(id, ten, 0, 4), piece_of(id, ten, 8, 2),
                     piece_of(id, ten, 4, 4)};
     }},
    {"the size changes",
     [](auto id) {
       return frames{piece_of(id, ten, 0, 4),
                     piece_of(id, "0123456789a", 4, 4)};
     }},
    {"more comes than was announced",
     [](auto id) {
       return frames{piece_of(id, ten, 0, 4),
                     peer_rig::frame_of(wire::piece{id, 10, 4},
                                        {value::copy("456789abc")})};
     }},
    {"the body is missing",
     [](auto id) {
       return frames{peer_rig::frame_of(wire::piece{id, 10, 0})};
     }},
    {"it would be the largest of all",
     [](auto id) {
       return frames{
         peer_rig::frame_of(wire::piece{id, ~0ULL, 0}, {value::copy("01")})};
     }},
  };
  for (auto& [what, script] : rows)
    BOOST_TEST_CONTEXT(what) {
      peer_rig all{answering(script)};
      BOOST_TEST(code_of_outcome(all.get("key")) == errc::peer_failed);
    }
}

BOOST_AUTO_TEST_CASE(two_values_for_one_fetch_are_not_mixed) {
  const auto numbered = [](std::uint64_t number, frame x) {
    auto piece = std::get<wire::piece>(*wire::decode(x.header));
    piece.number = number;
    return peer_rig::frame_of(piece, x.bodies);
  };
  // The last piece of the first is lost.
  peer_rig all{answering([=](auto id) -> std::vector<frame> {
    return {numbered(1, piece_of(id, ten, 0, 4)),
            numbered(1, piece_of(id, ten, 4, 4)),
            numbered(2, piece_of(id, "abcdefghij", 0, 4)),
            numbered(2, piece_of(id, "abcdefghij", 4, 4)),
            numbered(2, piece_of(id, "abcdefghij", 8, 2))};
  })};
  BOOST_TEST(all.get("key").content().data.bytes() == "abcdefghij");
  // And so is the first one of the second.
  peer_rig others{answering([=](auto id) -> std::vector<frame> {
    return {numbered(1, piece_of(id, ten, 0, 4)),
            numbered(1, piece_of(id, ten, 4, 4)),
            numbered(2, piece_of(id, "abcdefghij", 8, 2))};
  })};
  BOOST_TEST(code_of_outcome(others.get("key")) == errc::peer_failed);
}

BOOST_AUTO_TEST_CASE(a_piece_that_comes_twice_does_no_harm) {
  peer_rig all{answering([](auto id) -> std::vector<frame> {
    return {piece_of(id, ten, 0, 4), piece_of(id, ten, 0, 4),
            piece_of(id, ten, 4, 4), piece_of(id, ten, 0, 4),
            piece_of(id, ten, 8, 2), piece_of(id, ten, 8, 2)};
  })};
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(all.get("key").content().data.bytes() == ten);
}

BOOST_AUTO_TEST_CASE(an_error_ends_a_value_early) {
  peer_rig all{answering([](auto id) -> std::vector<frame> {
    wire::fetched_batch end;
    end.fetched.push_back({id, errc::overloaded, "", 0, never_expires});
    return {piece_of(id, ten, 0, 4), peer_rig::frame_of(end),
            piece_of(id, ten, 4, 6)};
  })};
  for (int i = 0; i < 2; ++i)
    BOOST_TEST(code_of_outcome(all.get("key")) == errc::overloaded);
}

/// A server whose pieces find their places on their way.
struct placing_rig {
  enum class course { whole, unheard, in_part, with_an_error, out_of_order };

  /// How many values have places.
  std::size_t places() const {
    auto all = galaxycache::assembly::find(number);
    return all ? all->size() : 0;
  }

  frame placed(std::size_t offset, std::size_t size) {
    auto result = piece_of(id, ten, offset, size);
    auto piece = std::get<wire::piece>(*wire::decode(result.header));
    piece.assembly = number;
    result.header = wire::encode(piece);
    if (auto there = put_in_place(result.header, result.bodies[0].bytes()))
      result.bodies[0] = *there;
    else
      lost = true;
    return result;
  }

  std::vector<frame> react(const wire::message& x) {
    if (auto* hello = std::get_if<wire::hello>(&x)) {
      number = hello->assembly;
      return {peer_rig::frame_of(peer_rig::welcome_to(*hello))};
    }
    auto* batch = std::get_if<wire::fetch_batch>(&x);
    if (!batch)
      return {};
    id = batch->fetches.front().id;
    auto first = placed(0, 4);
    switch (what) {
      case course::whole:
        return {first, placed(4, 6)};
      case course::unheard:
        return {};
      case course::in_part:
        return {first};
      case course::with_an_error: {
        wire::fetched_batch end;
        end.fetched.push_back({id, errc::overloaded, "", 0, never_expires});
        return {first, peer_rig::frame_of(end)};
      }
      case course::out_of_order:
        return {first, placed(8, 2)};
    }
    return {};
  }

  std::atomic<std::uint64_t> number{0};
  std::atomic<std::uint64_t> id{0};
  std::atomic<course> what{course::whole};
  std::atomic<bool> lost{false};
  peer_rig all{[this](const wire::message& x) { return react(x); }};
};

BOOST_FIXTURE_TEST_CASE(places_of_values_that_do_not_come_are_given_back,
                        placing_rig) {
  const auto before = galaxycache::assembly::counted();
  BOOST_TEST(all.get("key").content().data.bytes() == ten);
  BOOST_TEST(number != 0u);
  BOOST_TEST(places() == 0u);
  BOOST_TEST(galaxycache::assembly::counted().placed - before.placed == 10u);
  what = course::with_an_error;
  BOOST_TEST(code_of_outcome(all.get("key")) == errc::overloaded);
  eventually([&] { return places() == 0; });
  what = course::out_of_order;
  BOOST_TEST(code_of_outcome(all.get("key")) == errc::peer_failed);
  eventually([&] { return places() == 0; });
  for (auto how : {course::unheard, course::in_part}) {
    what = how;
    auto asked = std::async(std::launch::async, [&] {
      return all.get("key", fetch_mode::no_peer_backend, 1s);
    });
    eventually([&] { return places() == 1; });
    all.time->advance(1s);
    BOOST_TEST(code_of_outcome(asked.get()) == errc::deadline_exceeded);
    eventually([&] { return places() == 0; });
    // The rest comes late.
    all.server->say(all.peer, placed(4, 6));
    eventually([&] { return places() == 0; });
  }
  BOOST_TEST(!lost);
}

BOOST_AUTO_TEST_CASE(a_server_hears_from_time_to_time_what_was_taken) {
  auto options = small_pieces();
  std::uint64_t sent = 0;
  peer_rig all{answering([&sent](auto id) -> std::vector<frame> {
                 sent += 100;
                 return {piece_of(id, ten, 0, 10, sent)};
               }),
               options};
  for (int i = 0; i < 9; ++i)
    all.get("key");
  // A quarter of a window of 1000.
  BOOST_TEST(all.server->await<wire::taken>(1).bytes == 300u);
  BOOST_TEST(all.server->await<wire::taken>(2).bytes == 600u);
  BOOST_TEST(all.server->await<wire::taken>(3).bytes == 900u);
  BOOST_TEST(all.server->count<wire::taken>() == 3u);
  // Of what was lost it hears as of what was taken.
  all.server->say(all.peer, wire::pong{1, 1500});
  BOOST_TEST(all.server->await<wire::taken>(4).bytes == 1500u);
  all.time->advance(options.heartbeat_interval);
  BOOST_TEST(all.server->await<wire::ping>().taken == 1500u);
}

BOOST_AUTO_TEST_SUITE_END()
