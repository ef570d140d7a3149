// What is known to go wrong in galaxycache for Go, each by its name. Here it
// does not.

#include "fixtures/flight_rig.hpp"
#include "fixtures/scripted_peer.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

BOOST_AUTO_TEST_SUITE(flight_go_faults)

BOOST_DATA_TEST_CASE(a_panicking_loader_hangs_every_later_get_of_its_key,
                     boost::unit_test::data::make({backend_kind::function,
                                                   backend_kind::in_place}),
                     kind) {
  scripted_backend source{kind};
  flight_rig rig{source};
  source->react(
    [](auto, auto&) -> load_result { throw std::runtime_error{"panic"}; });
  for (int i = 0; i < 5; ++i)
    BOOST_TEST(rig.get("key").second == errc::backend_failed);
  source->react({});
  BOOST_TEST(rig.get("key").first.bytes() == "value of key");
  rig.await_rest();
}

BOOST_AUTO_TEST_CASE(one_callers_cancellation_fails_all_followers) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, {}, 1 << 20, time};
  source.hold();
  get_options patient;
  patient.timeout = 1h;
  // The leader dies; another one gives up.
  auto leader = rig.ask("key", patient);
  eventually([&] { return source->held() == 1; });
  rig.ask("key", {fetch_mode::regular, 500ms});
  for (int i = 0; i < 10; ++i)
    rig.ask("key", patient);
  rig.await_waiting(12);
  kill(leader);
  rig.book->write_off(0);
  eventually([&] {
    time->advance(1s);
    return rig.shared->stats().waiters == 10;
  });
  source.release();
  rig.await_answers();
  BOOST_TEST(rig.book->at(1).code == errc::deadline_exceeded);
  for (std::size_t i = 2; i < 12; ++i)
    BOOST_TEST(rig.book->at(i).content.bytes() == "value of key");
  BOOST_TEST(source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(a_followers_own_deadline_is_ignored) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, {}, 1 << 20, time};
  source.hold();
  rig.ask("key", {fetch_mode::regular, 1h});
  eventually([&] { return source->held() == 1; });
  rig.ask("key", {fetch_mode::regular, 100ms});
  rig.await_waiting(2);
  time->advance(101ms);
  eventually([&] { return rig.book->at(1).answers == 1; });
  BOOST_TEST(rig.book->at(1).code == errc::deadline_exceeded);
  BOOST_TEST(rig.book->at(0).answers == 0);
  source.release();
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).found());
}

BOOST_AUTO_TEST_CASE(hot_cache_hits_are_counted_twice) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  scripted_peer peer{rig.system};
  rig.core->view.set(make_view({{"self", 0}, {"peer", 1, peer.handle()}}));
  rig.get("key");
  // In place, past the nesting, and by message.
  rig.walk(100, [](std::size_t) { return "key"; });
  rig.await_answers();
  caf::scoped_actor self{rig.system};
  request(self.ptr(), rig.g.actor(), get_atom_v, std::string{"key"})
    .receive([](answer& x) { BOOST_TEST(x.level == hit_level::hot); },
             [](caf::error& why) { BOOST_ERROR(describe(why)); });
  auto done = rig.shared->stats();
  BOOST_TEST(done.gets == 102u);
  BOOST_TEST(done.hotcache_hits == 101u);
  BOOST_TEST(done.maincache_hits == 0u);
  BOOST_TEST(done.peer_loads == 1u);
}

BOOST_AUTO_TEST_CASE(
  replacing_an_entry_leaks_accounted_bytes_and_keeps_the_old_expiry) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::in_place};
  galaxy_options options;
  options.shards = 1;
  flight_rig rig{source, options, 1 << 20, time};
  std::size_t size = 1000;
  source->react([&](auto, auto&) {
    return loaded{value::take(std::string(size, 'x')), time->wall_now() + 10s};
  });
  rig.get("key");
  auto before = rig.shared->stats().maincache;
  BOOST_TEST(before.entries == 1u);
  for (int round = 0; round < 50; ++round) {
    // It has expired, so that the next get replaces it.
    time->advance(10s);
    auto [got, code] = rig.get("key");
    BOOST_TEST(code == errc::none);
    BOOST_TEST(got.level == hit_level::backend);
    BOOST_TEST((got.expiry == time->wall_now() + 10s));
    BOOST_TEST((rig.shared->stats().maincache == before));
    time->advance(9s);
    auto held = rig.g.find("key");
    BOOST_REQUIRE(held.has_value());
    BOOST_TEST((held->expiry == time->wall_now() + 1s));
  }
  time->advance(10s);
  size = 600;
  rig.get("key");
  BOOST_TEST(rig.shared->stats().maincache.bytes == before.bytes - 400);
}

BOOST_AUTO_TEST_SUITE_END()
