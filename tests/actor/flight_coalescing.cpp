// Many gets of one cold key are one load.

#include "fixtures/flight_rig.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(flight_coalescing)

BOOST_DATA_TEST_CASE(a_thousand_gets_of_a_cold_key_call_the_backend_once,
                     all_backends, kind) {
  scripted_backend source{kind};
  flight_rig rig{source};
  source.hold();
  for (int i = 0; i < 1000; ++i)
    rig.ask("key");
  rig.await_waiting(1000);
  BOOST_TEST(rig.shared->stats().flights == 1u);
  BOOST_TEST(rig.book->owed() == 1000u);
  source.release();
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(source->calls() == 1u);
  for (std::size_t i = 0; i < rig.book->size(); ++i) {
    auto got = rig.book->at(i);
    BOOST_REQUIRE(got.found());
    BOOST_REQUIRE(got.content.bytes() == "value of key");
    BOOST_REQUIRE(got.content.level == hit_level::backend);
    BOOST_REQUIRE(
      got.content.data.shares_bytes_with(rig.book->at(0).content.data));
  }
  auto done = rig.shared->stats();
  BOOST_TEST(done.gets == 1000u);
  BOOST_TEST(done.loads == 1000u);
  BOOST_TEST(done.coalesced_loads == 1u);
  BOOST_TEST(done.coalesced_backend_loads == 1u);
  BOOST_TEST(done.backend_loads == 1000u);
  BOOST_TEST(done.failed == 0u);
}

BOOST_DATA_TEST_CASE(gets_that_race_with_the_landing_call_the_backend_once,
                     all_backends, kind) {
  scripted_backend source{kind};
  flight_rig rig{source};
  for (int round = 0; round < 20; ++round) {
    auto key = "key " + std::to_string(round);
    for (int i = 0; i < 50; ++i)
      rig.ask(key);
    rig.await_answers();
    BOOST_TEST(source->calls_of(key) == 1u);
  }
  BOOST_TEST(rig.book->codes()[errc::none] == 1000u);
  rig.await_rest();
}

BOOST_AUTO_TEST_CASE(keys_load_beside_one_another) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source};
  source.hold();
  for (int i = 0; i < 500; ++i)
    rig.ask("key " + std::to_string(i));
  eventually([&] { return source->held() == 500; });
  BOOST_TEST(rig.shared->stats().flights == 500u);
  BOOST_TEST(rig.shared->loads.inside() == 500u);
  source.release();
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.book->codes()[errc::none] == 500u);
  BOOST_TEST(source->calls() == 500u);
}

BOOST_AUTO_TEST_CASE(loaders_are_used_again) {
  scripted_backend source{backend_kind::in_place};
  galaxy_options options;
  options.shards = 1;
  flight_rig rig{source, options};
  for (int i = 0; i < 100; ++i)
    rig.get("key " + std::to_string(i));
  BOOST_TEST(source->calls() == 100u);
  BOOST_TEST(rig.core->actors_alive() == rig.actors_at_rest + 1);
}

BOOST_AUTO_TEST_CASE(loaders_that_an_interval_did_not_use_end) {
  scripted_backend source{backend_kind::actor};
  galaxy_options options;
  options.shards = 1;
  const auto time = std::make_shared<manual_clock>();
  flight_rig rig{source, options, 1 << 20, time};
  for (int round = 0; round < 3; ++round) {
    source.hold();
    for (int i = 0; i < 600; ++i)
      rig.ask("key " + std::to_string(600 * round + i));
    eventually([&] { return source->held() == 600; });
    BOOST_TEST(rig.core->actors_alive() >= rig.actors_at_rest + 600);
    source.release();
    rig.await_answers();
    // They serve the next burst, if that comes soon.
    time->advance(500ms);
    BOOST_TEST(rig.core->actors_alive() == rig.actors_at_rest + 600);
    eventually([&] {
      time->advance(1s);
      return rig.core->actors_alive() == rig.actors_at_rest + 64;
    });
  }
  BOOST_TEST(rig.book->codes()[errc::none] == 1800u);
}

BOOST_DATA_TEST_CASE(not_found_is_an_answer_and_not_kept, all_backends, kind) {
  scripted_backend source{kind};
  source->react([](auto, auto&) { return errc::not_found; });
  flight_rig rig{source};
  for (int round = 1; round <= 2; ++round) {
    auto [got, code] = rig.get("key");
    BOOST_TEST(code == errc::none);
    BOOST_TEST(!got.found());
    BOOST_TEST(source->calls() == static_cast<std::size_t>(round));
  }
  auto done = rig.shared->stats();
  BOOST_TEST(done.not_found == 2u);
  BOOST_TEST(done.failed == 0u);
  BOOST_TEST(done.backend_load_errors == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
