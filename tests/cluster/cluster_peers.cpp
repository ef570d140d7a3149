#include "fixtures/cluster_rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

cluster_options lively(std::size_t nodes = 2) {
  cluster_options options;
  options.nodes = nodes;
  options.peers = lively_peers();
  options.galaxy.promote = promote_none();
  return options;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_peers)

BOOST_AUTO_TEST_CASE(a_dead_owner_is_noticed_and_the_local_backend_answers) {
  cluster_rig rig{lively()};
  rig.crash(1);
  rig.await_peer(0, 1, peer_state::down);
  auto got = rig.get(0, rig.key_of(1));
  BOOST_TEST(got.content.level == hit_level::backend);
  BOOST_TEST(rig.stats(0).peer_load_errors == 1u);
}

BOOST_AUTO_TEST_CASE(gets_in_flight_to_an_owner_that_dies_are_answered) {
  cluster_rig rig{lively()};
  rig[1].source.hold();
  for (std::size_t n = 0; n < 50; ++n)
    rig.ask(0, rig.key_of(1, n));
  eventually([&] { return rig.stats(1).waiters == 50; });
  rig.crash(1);
  rig.await_answers();
  for (std::size_t n = 0; n < 50; ++n)
    BOOST_TEST(rig.book->at(n).found());
  BOOST_TEST(rig.lines->count(log_level::error) == 0u);
}

BOOST_AUTO_TEST_CASE(a_cut_is_noticed_by_both_at_once) {
  cluster_rig rig{lively(3)};
  rig[1].source.hold();
  rig.ask(0, rig.key_of(1));
  eventually([&] { return rig[1].source->held() == 1; });
  rig.net.cut("node1", "node0");
  rig.await_answers();
  // Loaded by the successor, but owned there all the same.
  auto heir = rig.heir_of(rig.key_of(1));
  BOOST_TEST(rig[heir].source->calls() == 1u);
  BOOST_TEST(rig[0].g->owner_of(rig.key_of(1)) == "node1");
  rig.await_peer(0, 1, peer_state::down);
  rig.await_peer(1, 0, peer_state::down);
  BOOST_TEST((rig.state_of_peer(0, 2) == peer_state::up));
  BOOST_TEST((rig.state_of_peer(2, 1) == peer_state::up));
  rig[1].source.release();
}

BOOST_AUTO_TEST_CASE(a_cut_that_heals_is_forgotten_in_bounded_time) {
  cluster_rig rig{lively()};
  rig.net.cut("node0", "node1");
  rig.await_peer(0, 1, peer_state::down);
  // So long that the pauses between attempts have become the longest.
  rig.time->advance(1min);
  BOOST_TEST((rig.state_of_peer(0, 1) == peer_state::down));
  rig.net.heal();
  auto healed = rig.time->now();
  rig.advance_until(100ms, [&] {
    return rig.state_of_peer(0, 1) == peer_state::up
           || rig.time->now() - healed > 5s;
  });
  rig.await_peer(0, 1, peer_state::up);
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(a_frozen_owner_costs_a_get_a_third_of_its_time) {
  auto options = lively();
  options.peers = calm_peers();
  cluster_rig rig{options};
  rig.net.freeze("node1");
  rig.ask(0, rig.key_of(1), within(900ms));
  eventually([&] { return rig.stats(0).waiters == 1; });
  auto asked = rig.time->now();
  rig.advance_until(10ms, [&] { return rig.book->owed() == 0; });
  BOOST_TEST(rig.book->at(0).content.level == hit_level::backend);
  BOOST_TEST((rig.time->now() - asked >= 300ms));
  rig.net.thaw("node1");
  // What was held comes now, and is of no use and no harm.
  BOOST_TEST(rig.get(0, rig.key_of(1, 1)).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(a_frozen_peer_is_noticed_and_asked_no_more) {
  cluster_rig rig{lively()};
  rig.net.freeze("node1");
  auto frozen = rig.time->now();
  rig.advance_until(100ms, [&] {
    return rig.state_of_peer(0, 1) == peer_state::down
           || rig.time->now() - frozen > 4s;
  });
  rig.await_peer(0, 1, peer_state::down);
  BOOST_TEST(rig.lines->count(log_level::info, "silent") >= 1u);
  // Answered at once, without any time passing.
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::backend);
}

BOOST_AUTO_TEST_CASE(a_peer_that_thaws_is_used_again_in_bounded_time) {
  cluster_rig rig{lively()};
  rig.net.freeze("node1");
  rig.advance_until(500ms, [&] {
    return rig.state_of_peer(0, 1) == peer_state::down;
  });
  // Attempts to connect go nowhere meanwhile.
  for (int i = 0; i < 100; ++i)
    rig.time->advance(1s);
  rig.net.thaw("node1");
  auto thawed = rig.time->now();
  rig.advance_until(100ms, [&] {
    return rig.state_of_peer(0, 1) == peer_state::up
           || rig.time->now() - thawed > 9s;
  });
  rig.await_peer(0, 1, peer_state::up);
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(a_short_freeze_loses_nothing) {
  cluster_rig rig{lively()};
  rig.net.freeze("node1");
  rig.ask(0, rig.key_of(1));
  eventually([&] { return rig.stats(0).waiters == 1; });
  rig.time->advance(900ms);
  BOOST_TEST(rig.book->owed() == 1u);
  rig.net.thaw("node1");
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).content.level == hit_level::peer);
  BOOST_TEST((rig.state_of_peer(0, 1) == peer_state::up));
}

BOOST_AUTO_TEST_CASE(a_restarted_peer_is_used_again_under_its_old_id) {
  cluster_rig rig{lively()};
  rig.get(0, rig.key_of(1));
  for (auto crashed : {false, true}) {
    if (crashed)
      rig.crash(1);
    else
      rig.stop(1);
    rig.await_peer(0, 1, peer_state::down);
    rig.start(1);
    rig.join(1);
    auto started = rig.time->now();
    rig.advance_until(50ms, [&] {
      return rig.state_of_peer(0, 1) == peer_state::up
             || rig.time->now() - started > 5s;
    });
    rig.await_peer(0, 1, peer_state::up);
    auto got = rig.get(0, rig.key_of(1));
    BOOST_TEST(got.content.level == hit_level::peer);
    BOOST_TEST(rig.stats(1).backend_loads == 1u); // a new run, a cold cache
  }
  BOOST_TEST(rig.lines->count(log_level::info, "has been restarted") == 2u);
}

BOOST_AUTO_TEST_CASE(a_draining_peer_is_asked_no_more_and_it_is_no_fault) {
  cluster_rig rig{lively(3)};
  auto busy = rig.key_of(1);
  rig[1].source.hold();
  rig.ask(0, busy);
  eventually([&] { return rig[1].source->held() == 1; });
  post(rig[1].u->actor(), stop_atom_v, caf::timespan{1h});
  rig.await_peer(0, 1, peer_state::draining);
  rig.await_peer(2, 1, peer_state::draining);
  auto asked = rig.stats(1).server_requests;
  for (std::size_t n = 1; n < 20; ++n)
    BOOST_TEST(rig.get(0, rig.key_of(1, n)).found());
  BOOST_TEST(rig.stats(1).server_requests == asked);
  BOOST_TEST(rig.stats(0).peer_load_errors == 0u);
  // What it was asked before, it answers.
  rig[1].source.release();
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).content.level == hit_level::peer);
  rig.advance_until(1ms, [&] { return rig[1].u->actors_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(what_a_leaving_peer_leaves_undone_is_no_fault_either) {
  cluster_rig rig{lively()};
  rig[1].source.hold();
  for (std::size_t n = 0; n < 8; ++n)
    rig.ask(0, rig.key_of(1, n));
  eventually([&] { return rig.stats(1).waiters == 8; });
  rig.stop(1, 0s);
  rig.await_answers();
  for (std::size_t n = 0; n < 8; ++n)
    BOOST_TEST(rig.book->at(n).content.level == hit_level::backend);
  BOOST_TEST(rig.stats(0).peer_load_errors == 0u);
}

BOOST_AUTO_TEST_CASE(a_galaxy_unknown_to_the_owner_is_loaded_here) {
  cluster_rig rig{lively()};
  auto mine = rig[0].u->add_galaxy("only here", 1 << 20, instant_backend());
  auto got = get_from(rig.system, mine, rig.key_of(1));
  BOOST_TEST(got.content.level == hit_level::backend);
  BOOST_TEST(mine.stats().peer_load_errors == 0u);
  BOOST_TEST(mine.stats().coalesced_peer_loads == 0u);
  // Once there, it is used.
  rig[1].u->add_galaxy("only here", 1 << 20, instant_backend());
  got = get_from(rig.system, mine, rig.key_of(1, 1));
  BOOST_TEST(got.content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(a_peer_under_a_wrong_id_is_refused_and_logged_once) {
  auto options = lively(3);
  options.joined = false;
  cluster_rig rig{options};
  rig[0].u->set_peers({rig.info(0), {"node1", "inproc://node2", 1}});
  rig.await_peer(0, 1, peer_state::down);
  auto complaint = "peer node1 at inproc://node2 says that it is 'node2'";
  BOOST_TEST(rig.lines->count(log_level::warning, complaint) == 1u);
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::backend);
  BOOST_TEST(rig.stats(2).server_requests == 0u);
  // It is looked at again and again, but not complained about.
  for (int i = 0; i < 50; ++i)
    rig.time->advance(1s);
  BOOST_TEST((rig.state_of_peer(0, 1) == peer_state::down));
  BOOST_TEST(rig.lines->count(log_level::warning, complaint) == 1u);
  rig[0].u->add_peer(rig.info(1));
  rig.await_peer(0, 1, peer_state::up);
  BOOST_TEST(rig.get(0, rig.key_of(1, 1)).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(a_universe_that_is_its_own_peer_by_mistake_still_works) {
  auto options = lively(1);
  options.joined = false;
  cluster_rig rig{options};
  rig[0].u->add_peer({"mirror", "inproc://node0", 1});
  eventually([&] {
    return rig.lines->count(log_level::warning, "says that it is") == 1;
  });
  for (std::size_t n = 0; n < 20; ++n)
    BOOST_TEST(rig.get(0, rig.key_of(0, n)).content.found());
}

BOOST_AUTO_TEST_CASE(a_peer_that_nobody_serves_is_down_and_harmless) {
  auto options = lively();
  options.joined = false;
  cluster_rig rig{options};
  rig[0].u->set_peers({rig.info(0), {"node1", "inproc://nobody", 1}});
  rig.await_peer(0, 1, peer_state::down);
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::backend);
}

BOOST_AUTO_TEST_CASE(more_fetches_than_one_peer_may_have_are_loaded_here) {
  auto options = lively();
  options.peers.fetches_max = 10;
  cluster_rig rig{options};
  rig[1].source.hold();
  for (std::size_t n = 0; n < 10; ++n)
    rig.ask(0, rig.key_of(1, n));
  eventually([&] { return rig.stats(1).waiters == 10; });
  for (std::size_t n = 10; n < 20; ++n)
    BOOST_TEST(rig.get(0, rig.key_of(1, n)).content.level
               == hit_level::backend);
  BOOST_TEST(rig.stats(0).peer_load_errors == 0u);
  rig[1].source.release();
  rig.await_answers();
  for (std::size_t n = 0; n < 10; ++n)
    BOOST_TEST(rig.book->at(n).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(an_overloaded_owner_says_so_and_the_key_is_loaded_here) {
  auto options = lively();
  options.galaxy.loads_max = 5;
  cluster_rig rig{options};
  rig[1].source.hold();
  for (std::size_t n = 0; n < 5; ++n)
    rig.ask(1, rig.key_of(1, n));
  eventually([&] { return rig.stats(1).flights == 5; });
  BOOST_TEST(rig.get(0, rig.key_of(1, 5)).content.level == hit_level::backend);
  BOOST_TEST(rig.stats(0).peer_load_errors == 0u);
  BOOST_TEST(rig.stats(1).overloaded == 1u);
  rig[1].source.release();
  rig.await_answers();
}

BOOST_AUTO_TEST_CASE(two_sick_backends_and_a_slow_one_end_in_one_error) {
  cluster_rig rig{lively(3)};
  for (std::size_t i = 0; i < 3; ++i)
    rig[i].source->react(
      [](auto, auto&) -> load_result { throw std::runtime_error{"sick"}; });
  auto got = rig.get(0, rig.key_of(2));
  BOOST_TEST(got.code == errc::backend_failed);
  BOOST_TEST(rig[0].source->calls() == 1u);
  BOOST_TEST(rig[1].source->calls() == 0u);
  BOOST_TEST(rig[2].source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(fetches_asked_while_connecting_wait_for_the_connection) {
  auto options = lively();
  options.joined = false;
  cluster_rig rig{options};
  rig.net.freeze("node1");
  rig[0].u->set_peers(rig.infos());
  for (std::size_t n = 0; n < 10; ++n)
    rig.ask(0, rig.key_of(1, n));
  eventually([&] { return rig.stats(0).waiters == 10; });
  rig.net.thaw("node1");
  rig.await_answers();
  for (std::size_t n = 0; n < 10; ++n)
    BOOST_TEST(rig.book->at(n).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_SUITE_END()
