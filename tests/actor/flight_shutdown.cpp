// A galaxy may be torn down at any moment, whatever its backend does.

#include "fixtures/flight_rig.hpp"
#include "fixtures/scripted_peer.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

BOOST_AUTO_TEST_SUITE(flight_shutdown)

BOOST_DATA_TEST_CASE(loads_in_flight_do_not_keep_a_galaxy, all_backends, kind) {
  std::shared_ptr<ledger> book;
  scripted_backend source{kind};
  {
    flight_rig rig{source};
    book = rig.book;
    source.hold();
    // In place, each blocks one of four threads.
    auto keys = kind == backend_kind::in_place ? 2 : 100;
    for (int i = 0; i < keys; ++i)
      rig.ask("key " + std::to_string(i));
    rig.await_waiting(book->size());
  }
  BOOST_TEST(book->owed() == 0u);
  BOOST_TEST(book->answered_twice() == 0u);
}

BOOST_AUTO_TEST_CASE(a_function_that_never_returns_does_not_keep_a_galaxy) {
  auto forever = std::make_shared<call_script>();
  forever->set_holding(true);
  auto never = [forever](std::string_view key) {
    forever->begin(key);
    forever->wait_while_held();
    forever->end();
    return value_of(key);
  };
  std::shared_ptr<ledger> book;
  std::weak_ptr<galaxy_core> shared;
  std::weak_ptr<universe_core> core;
  {
    flight_rig rig{backend::function(never, 2)};
    shared = rig.shared;
    core = rig.core;
    book = rig.book;
    for (int i = 0; i < 10; ++i)
      rig.ask("key " + std::to_string(i));
    eventually([&] { return forever->held() == 2; });
  }
  BOOST_TEST(book->owed() == 0u);
  // The workers, abandoned, hold nothing of what is gone.
  BOOST_TEST(shared.expired());
  BOOST_TEST(core.expired());
  // Well, not quite never; the jobs behind them were dropped.
  forever->set_holding(false);
  eventually([&] { return forever->held() == 0; });
  BOOST_TEST(forever->calls() == 2u);
}

BOOST_AUTO_TEST_CASE(a_function_that_returns_late_meets_no_ring_of_the_past) {
  auto late = std::make_shared<call_script>();
  late->set_holding(true);
  {
    flight_rig rig{backend::function(
      [late](std::string_view key) {
        late->begin(key);
        late->wait_while_held();
        late->end();
        return value_of(key);
      },
      1)};
    scripted_peer peer{rig.system};
    rig.core->view.set(make_view({{"self", 1}, {"peer", 0, peer.handle()}}));
    rig.ask("key");
    eventually([&] { return late->held() == 1; });
  }
  late->set_holding(false);
  eventually([&] { return late->held() == 0; });
}

BOOST_DATA_TEST_CASE(callers_may_be_gone_before_their_galaxy, all_backends,
                     kind) {
  scripted_backend source{kind};
  flight_rig rig{source};
  source.hold();
  std::vector<caf::actor> callers;
  for (int i = 0; i < 20; ++i)
    callers.push_back(rig.ask("key"));
  rig.await_waiting(20);
  for (auto& each : callers)
    kill(each);
}

BOOST_AUTO_TEST_CASE(a_backend_actor_may_be_gone_before_its_galaxy) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source};
  source.hold();
  for (int i = 0; i < 20; ++i)
    rig.ask("key");
  rig.await_waiting(20);
  kill(source.actor());
}

BOOST_DATA_TEST_CASE(a_galaxy_may_end_before_it_has_begun, all_backends, kind) {
  for (int round = 0; round < 10; ++round) {
    scripted_backend source{kind};
    flight_rig rig{source};
    if (round % 2 == 0)
      rig.ask("key");
    if (round % 3 == 0)
      post(rig.supervisor, stop_atom_v);
  }
}

BOOST_DATA_TEST_CASE(a_galaxy_may_end_at_any_moment, all_backends, kind) {
  for (int round = 0; round < 30; ++round) {
    std::shared_ptr<ledger> book;
    scripted_backend source{kind};
    {
      flight_rig rig{source};
      book = rig.book;
      for (int i = 0; i < 50; ++i)
        rig.ask("key " + std::to_string(i % 20));
      if (round % 2 == 0)
        eventually([&] {
          return source->calls() >= static_cast<std::size_t>(round) / 2;
        });
    }
    BOOST_REQUIRE(book->owed() == 0u);
    BOOST_REQUIRE(book->answered_twice() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_get_after_the_end_is_unavailable) {
  scripted_backend source{backend_kind::function};
  flight_rig rig{source};
  rig.get("key");
  rig.shut_down();
  BOOST_TEST(rig.get("cold").second == errc::unavailable);
  caf::scoped_actor self{rig.system};
  request(self.ptr(), rig.g.actor(), get_atom_v, std::string{"cold"})
    .receive([](answer&) { BOOST_ERROR("an answer"); },
             [](caf::error& why) {
               BOOST_TEST(code_of(why) == errc::unavailable);
             });
}

BOOST_AUTO_TEST_CASE(a_handle_may_outlive_its_actor_system) {
  std::optional<galaxy> kept;
  {
    scripted_backend source{backend_kind::function};
    flight_rig rig{source};
    rig.get("key");
    kept = rig.g;
  }
  BOOST_TEST(kept->name() == "things");
  BOOST_TEST(kept->find("key").has_value());
  BOOST_TEST(kept->stats().gets == 2u);
}

BOOST_AUTO_TEST_CASE(deadlines_still_armed_do_not_keep_a_galaxy) {
  auto time = std::make_shared<manual_clock>();
  {
    scripted_backend source{backend_kind::actor};
    flight_rig rig{source, {}, 1 << 20, time};
    source.hold();
    for (int i = 1; i < 50; ++i) {
      get_options options;
      options.timeout = std::chrono::seconds{50 - i};
      rig.ask("key", options);
    }
    rig.await_waiting(49);
  }
  // Alarms of the dead ring in vain.
  time->advance(1h);
  BOOST_TEST(time->pending() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
