// A flight with a peer leg: who waits for the owner, and who does not.

#include "fixtures/flight_rig.hpp"
#include "fixtures/scripted_peer.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

const get_options regular;
const get_options no_peer{fetch_mode::no_peer_backend, {}};

/// A rig whose keys all belong to one peer.
struct two_members {
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>();
  scripted_backend source;
  flight_rig rig;
  scripted_peer peer{rig.system};

  explicit two_members(backend_kind kind = backend_kind::actor,
                       galaxy_options options = {})
    : source(kind),
      rig(source, std::move(options), 1 << 20, time) {
    peer->react([](auto, auto&) { return value::take("from the peer"); });
    rig.core->view.set(make_view({{"self", 0}, {"peer", 1, peer.handle()}}));
  }

  /// Until the cache actor has let this many in.
  void await_waiters(std::size_t n) {
    rig.await_waiting(n);
  }

  std::string bytes(std::size_t id) {
    return std::string{rig.book->at(id).content.bytes()};
  }

  galaxy_stats stats() {
    return rig.shared->stats();
  }
};

/// A peer that asks the galaxy of another rig, as a server would.
peer_actor forwarder(caf::actor_system& system, galaxy_actor to,
                     std::shared_ptr<std::atomic<int>> fetches) {
  auto handle = system.spawn<caf::hidden>(
    [to, fetches](caf::event_based_actor* self) -> caf::behavior {
      return {[=](galaxycache::fetches& x) {
        auto from = caf::actor_cast<fetcher_actor>(self->current_sender());
        auto& batch = *x.batch;
        while (batch.taken < batch.asked.size()) {
          auto& [id, wanted] = batch.asked[batch.taken++];
          ++*fetches;
          auto answer_to = std::make_shared<fetch_reply>(from, id);
          auto deliver = [answer_to](load_result outcome) {
            fetched_outbox outbox;
            answer_to->deliver(std::move(outcome), outbox);
            outbox.send();
          };
          get_options options;
          options.mode = wanted.mode;
          request(self, to, get_atom_v, wanted.key, options)
            .then(
              [deliver](answer& x) {
                if (x.found())
                  deliver(loaded{x.data, x.expiry});
                else
                  deliver(errc::not_found);
              },
              [deliver](caf::error& why) { deliver(failure_of(why)); });
        }
      }};
    });
  return caf::actor_cast<peer_actor>(handle);
}

} // namespace

BOOST_AUTO_TEST_SUITE(flight_peers)

BOOST_AUTO_TEST_CASE(the_owner_is_asked_once_for_many_gets) {
  two_members all;
  all.peer.hold();
  for (int i = 0; i < 100; ++i)
    all.rig.ask("key");
  all.await_waiters(100);
  eventually([&] { return all.peer->held() == 1; });
  auto wanted = all.peer.last();
  BOOST_TEST(wanted.key == "key");
  BOOST_TEST((wanted.mode == fetch_mode::no_peer_backend));
  BOOST_TEST(wanted.galaxy.bytes() == "things");
  // A third of the five seconds is more than the second that is allowed.
  BOOST_TEST((wanted.deadline - all.time->now() == 1s));
  all.peer.release();
  all.rig.await_answers();
  all.rig.await_rest();
  BOOST_TEST(all.peer->calls() == 1u);
  BOOST_TEST(all.source->calls() == 0u);
  for (std::size_t i = 0; i < 100; ++i) {
    auto got = all.rig.book->at(i);
    BOOST_REQUIRE(got.content.level == hit_level::peer);
    BOOST_REQUIRE(got.content.owner.bytes() == "peer");
    BOOST_REQUIRE(got.content.bytes() == "from the peer");
  }
  BOOST_TEST(all.stats().peer_loads == 100u);
  BOOST_TEST(all.stats().coalesced_peer_loads == 1u);
  // It went to the hot cache: the first one gets in.
  BOOST_TEST(all.rig.g.find("key")->level == hit_level::hot);
}

BOOST_AUTO_TEST_CASE(an_attempt_at_the_owner_has_a_third_of_what_is_left) {
  two_members all;
  all.rig.get("key", {fetch_mode::regular, 900ms});
  BOOST_TEST((all.peer.last().deadline - all.time->now() == 300ms));
}

BOOST_AUTO_TEST_CASE(
  who_joins_a_flight_of_little_time_has_the_owner_asked_again) {
  two_members all;
  all.peer.hold();
  all.rig.ask("key", {fetch_mode::regular, 30ms});
  eventually([&] { return all.peer->held() == 1; });
  all.rig.ask("key", {fetch_mode::regular, 5s});
  all.await_waiters(2);
  // The owner's time for the first is over: so would say the peer actor.
  auto first = std::make_shared<std::atomic<bool>>(true);
  all.peer->react([first](auto, auto&) -> load_result {
    if (first->exchange(false))
      return failure{errc::deadline_exceeded, "slow"};
    return value::take("from the peer");
  });
  all.peer.release();
  all.rig.await_answers();
  BOOST_TEST(all.peer->calls() == 2u);
  BOOST_TEST((all.peer.last().deadline - all.time->now() == 1s));
  BOOST_TEST(all.bytes(1) == "from the peer");
  BOOST_TEST(all.source->calls() == 0u);
}

BOOST_AUTO_TEST_CASE(an_owner_that_is_slow_twice_is_not_asked_a_third_time) {
  two_members all;
  all.peer->react([](auto, auto&) {
    return failure{errc::deadline_exceeded, "slow"};
  });
  for (int i = 0; i < 2; ++i)
    all.rig.ask("key", {fetch_mode::regular, i == 0 ? 30ms : 5s});
  all.rig.await_answers();
  BOOST_TEST(all.peer->calls() <= 2u);
  // The second finds what the first has loaded if that was done by then.
  const auto level = all.rig.book->at(1).content.level;
  BOOST_TEST((level == hit_level::backend || level == hit_level::main));
}

BOOST_AUTO_TEST_CASE(a_get_without_peer_backend_never_waits_for_the_peer) {
  two_members all;
  all.peer.hold();
  all.rig.ask("key", regular);
  eventually([&] { return all.peer->held() == 1; });
  all.rig.ask("key", no_peer);
  // The peer is still silent, and yet both have their answer: the landing of
  // the local leg is for everybody.
  all.rig.await_answers();
  BOOST_TEST(all.bytes(0) == "value of key");
  BOOST_TEST(all.bytes(1) == "value of key");
  BOOST_TEST(all.rig.book->at(0).content.level == hit_level::backend);
  BOOST_TEST(all.source->calls() == 1u);
  BOOST_TEST(all.rig.g.find("key")->level == hit_level::main);
  // The flight stays listed until the peer has answered, too.
  BOOST_TEST(all.stats().flights == 1u);
  all.peer.release();
  all.rig.await_rest();
  BOOST_TEST(all.rig.g.find("key").has_value());
  BOOST_TEST(all.rig.book->answered_twice() == 0u);
}

BOOST_AUTO_TEST_CASE(
  a_peer_that_answers_later_does_not_replace_what_was_loaded) {
  two_members all;
  all.peer.hold();
  all.rig.ask("key");
  eventually([&] { return all.peer->held() == 1; });
  all.rig.ask("key", {fetch_mode::no_peer_backend});
  all.rig.await_answers();
  auto loaded = all.rig.g.find("key");
  BOOST_REQUIRE(loaded);
  BOOST_TEST((loaded->level == hit_level::main));
  all.peer.release();
  all.rig.await_rest();
  auto later = all.rig.g.find("key");
  BOOST_REQUIRE(later);
  BOOST_TEST((later->level == hit_level::main));
  BOOST_TEST(later->data.shares_bytes_with(loaded->data));
}

BOOST_AUTO_TEST_CASE(a_peer_that_answers_first_answers_everybody) {
  two_members all;
  all.peer.hold();
  all.source.hold();
  all.rig.ask("key", regular);
  eventually([&] { return all.peer->held() == 1; });
  all.rig.ask("key", no_peer);
  eventually([&] { return all.source->held() == 1; });
  all.await_waiters(2);
  all.peer.release();
  all.rig.await_answers();
  BOOST_TEST(all.bytes(0) == "from the peer");
  BOOST_TEST(all.bytes(1) == "from the peer");
  // The local load lands late: its value is cached, nobody is answered.
  BOOST_TEST(all.stats().flights == 1u);
  all.source.release();
  all.rig.await_rest();
  BOOST_TEST(all.rig.g.find("key")->level == hit_level::main);
  BOOST_TEST(all.rig.book->answered_twice() == 0u);
  BOOST_TEST(all.stats().maincache.entries == 1u);
  BOOST_TEST(all.stats().hotcache.entries == 0u);
}

BOOST_AUTO_TEST_CASE(a_get_without_peer_backend_alone_asks_no_peer) {
  two_members all;
  all.peer.hold();
  auto [got, code] = all.rig.get("key", no_peer);
  BOOST_TEST(code == errc::none);
  BOOST_TEST(got.level == hit_level::backend);
  BOOST_TEST(all.peer->calls() == 0u);
}

BOOST_AUTO_TEST_CASE(a_regular_get_is_content_with_a_local_load_under_way) {
  two_members all;
  all.source.hold();
  all.rig.ask("key", no_peer);
  eventually([&] { return all.source->held() == 1; });
  all.rig.ask("key", regular);
  all.await_waiters(2);
  all.source.release();
  all.rig.await_answers();
  BOOST_TEST(all.peer->calls() == 0u);
  BOOST_TEST(all.bytes(1) == "value of key");
}

BOOST_AUTO_TEST_CASE(a_peers_not_found_is_for_those_that_asked_for_a_peer) {
  two_members all;
  all.peer->react([](auto, auto&) { return errc::not_found; });
  all.peer.hold();
  all.source.hold();
  all.rig.ask("key", regular);
  eventually([&] { return all.peer->held() == 1; });
  all.rig.ask("key", no_peer);
  eventually([&] { return all.source->held() == 1; });
  all.await_waiters(2);
  all.peer.release();
  eventually([&] { return all.rig.book->at(0).answers == 1; });
  BOOST_TEST(all.rig.book->at(0).code == errc::none);
  BOOST_TEST(!all.rig.book->at(0).found());
  BOOST_TEST(all.rig.book->at(1).answers == 0);
  all.source.release();
  all.rig.await_answers();
  all.rig.await_rest();
  BOOST_TEST(all.bytes(1) == "value of key");
}

BOOST_AUTO_TEST_CASE(a_local_failure_is_for_those_that_wait_for_nothing_else) {
  two_members all;
  all.source->react([](auto, auto&) {
    return failure{errc::backend_failed, "no"};
  });
  all.peer.hold();
  all.rig.ask("key", regular);
  eventually([&] { return all.peer->held() == 1; });
  all.rig.ask("key", no_peer);
  eventually([&] { return all.rig.book->at(1).answers == 1; });
  BOOST_TEST(all.rig.book->at(1).code == errc::backend_failed);
  BOOST_TEST(all.rig.book->at(0).answers == 0);
  all.peer.release();
  all.rig.await_answers();
  all.rig.await_rest();
  BOOST_TEST(all.bytes(0) == "from the peer");
}

BOOST_AUTO_TEST_CASE(a_peer_that_fails_gives_way_to_the_own_backend) {
  for (auto code :
       {errc::peer_failed, errc::deadline_exceeded, errc::overloaded,
        errc::draining, errc::unknown_galaxy, errc::backend_failed,
        errc::incompatible_peer, errc::unavailable, errc::internal_error}) {
    BOOST_TEST_CONTEXT(name_of(code)) {
      two_members all;
      all.peer->react([code](auto, auto&) { return failure{code, "no"}; });
      auto [got, result] = all.rig.get("key");
      BOOST_TEST(result == errc::none);
      BOOST_TEST(got.bytes() == "value of key");
      BOOST_TEST(got.level == hit_level::backend);
      BOOST_TEST(all.rig.g.find("key")->level == hit_level::main);
      auto no_fault = code == errc::draining || code == errc::unknown_galaxy
                      || code == errc::incompatible_peer
                      || code == errc::overloaded;
      BOOST_TEST(all.stats().peer_load_errors == (no_fault ? 0u : 1u));
      BOOST_TEST(all.stats().failed == 0u);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_peers_value_larger_than_is_allowed_here_is_not_taken) {
  galaxy_options options;
  options.value_bytes_max = 12;
  two_members all{backend_kind::actor, options};
  auto [got, result] = all.rig.get("key");
  BOOST_TEST(result == errc::none);
  BOOST_TEST(got.bytes() == "value of key");
  BOOST_TEST(got.level == hit_level::backend);
}

BOOST_AUTO_TEST_CASE(a_peer_leg_that_fails_finds_the_local_leg_under_way) {
  two_members all;
  all.peer->react([](auto, auto&) { return failure{errc::peer_failed, "no"}; });
  all.peer.hold();
  all.source.hold();
  all.rig.ask("key", regular);
  eventually([&] { return all.peer->held() == 1; });
  all.rig.ask("key", no_peer);
  eventually([&] { return all.source->held() == 1; });
  all.peer.release();
  eventually([&] { return all.stats().peer_load_errors == 1; });
  BOOST_TEST(all.rig.book->owed() == 2u);
  all.source.release();
  all.rig.await_answers();
  all.rig.await_rest();
  BOOST_TEST(all.source->calls() == 1u);
  BOOST_TEST(all.rig.book->codes()[errc::none] == 2u);
}

BOOST_AUTO_TEST_CASE(a_peer_leg_that_fails_after_the_local_one_tries_it_again) {
  two_members all;
  all.source->react([](auto, auto&) {
    return failure{errc::backend_failed, "no"};
  });
  all.peer->react([](auto, auto&) { return failure{errc::peer_failed, "no"}; });
  all.peer.hold();
  all.rig.ask("key", regular);
  eventually([&] { return all.peer->held() == 1; });
  all.rig.ask("key", no_peer);
  eventually([&] { return all.rig.book->at(1).answers == 1; });
  all.source->react({});
  all.peer.release();
  all.rig.await_answers();
  all.rig.await_rest();
  BOOST_TEST(all.bytes(0) == "value of key");
  BOOST_TEST(all.source->calls() == 2u);
}

BOOST_AUTO_TEST_CASE(a_failing_peer_nobody_waits_for_starts_no_local_load) {
  two_members all;
  all.peer->react([](auto, auto&) { return failure{errc::peer_failed, "no"}; });
  all.peer.hold();
  all.rig.ask("key", {fetch_mode::regular, 100ms});
  eventually([&] { return all.peer->held() == 1; });
  all.time->advance(101ms);
  all.rig.await_answers();
  BOOST_TEST(all.rig.book->at(0).code == errc::deadline_exceeded);
  all.peer.release();
  all.rig.await_rest();
  BOOST_TEST(all.source->calls() == 0u);
}

BOOST_AUTO_TEST_CASE(a_peer_actor_that_dies_gives_way_to_the_own_backend) {
  two_members all;
  all.peer.hold();
  all.rig.ask("key");
  eventually([&] { return all.peer->held() == 1; });
  all.peer.kill();
  all.rig.await_answers();
  all.rig.await_rest();
  BOOST_TEST(all.bytes(0) == "value of key");
  BOOST_TEST(all.rig.get("another").first.bytes() == "value of another");
}

BOOST_AUTO_TEST_CASE(a_peer_that_was_removed_is_tried_no_more_but_its_heir_is) {
  two_members all;
  scripted_peer heir{all.rig.system};
  heir->react([](auto, auto&) { return value::take("from the heir"); });
  all.peer->react([](auto, auto&) {
    return failure{errc::peer_failed, "removed"};
  });
  all.peer.hold();
  all.rig.ask("key");
  eventually([&] { return all.peer->held() == 1; });
  all.rig.core->view.set(
    make_view({{"self", 0}, {"heir", 1, heir.handle()}}, 2));
  all.peer.release();
  all.rig.await_answers();
  all.rig.await_rest();
  BOOST_TEST(all.bytes(0) == "from the heir");
  BOOST_TEST(all.rig.book->at(0).content.owner.bytes() == "heir");
  BOOST_TEST(all.source->calls() == 0u);
}

BOOST_AUTO_TEST_CASE(an_owner_is_tried_on_two_views_and_no_more) {
  two_members all;
  auto fail = [](auto, auto&) {
    return load_result{failure{errc::peer_failed, "no"}};
  };
  scripted_peer second{all.rig.system};
  scripted_peer third{all.rig.system};
  all.peer->react(fail);
  second->react(fail);
  all.peer.hold();
  second.hold();
  all.rig.ask("key");
  eventually([&] { return all.peer->held() == 1; });
  all.rig.core->view.set(
    make_view({{"self", 0}, {"second", 1, second.handle()}}, 2));
  all.peer.release();
  eventually([&] { return second->held() == 1; });
  all.rig.core->view.set(
    make_view({{"self", 0}, {"third", 1, third.handle()}}, 3));
  second.release();
  all.rig.await_answers();
  BOOST_TEST(all.bytes(0) == "value of key");
  BOOST_TEST(third->calls() == 0u);
  BOOST_TEST(all.source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(a_new_view_with_the_same_owner_is_no_reason_to_ask_again) {
  two_members all;
  all.peer->react([](auto, auto&) { return failure{errc::peer_failed, "no"}; });
  all.peer.hold();
  all.rig.ask("key");
  eventually([&] { return all.peer->held() == 1; });
  all.rig.core->view.set(
    make_view({{"self", 0}, {"peer", 1, all.peer.handle()}}, 2));
  all.peer.release();
  all.rig.await_answers();
  BOOST_TEST(all.peer->calls() == 1u);
  BOOST_TEST(all.bytes(0) == "value of key");
}

BOOST_AUTO_TEST_CASE(a_new_view_does_not_disturb_a_flight) {
  two_members all;
  all.peer.hold();
  all.rig.ask("key");
  eventually([&] { return all.peer->held() == 1; });
  all.rig.core->view.set(make_view({{"self", 1}}, 2));
  all.rig.ask("key");
  all.await_waiters(2);
  all.peer.release();
  all.rig.await_answers();
  BOOST_TEST(all.bytes(0) == "from the peer");
  BOOST_TEST(all.bytes(1) == "from the peer");
  BOOST_TEST(all.source->calls() == 0u);
}

BOOST_AUTO_TEST_CASE(two_views_that_disagree_do_not_deadlock) {
  // Each of two universes believes that the other owns all keys.
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source};
  auto other_core = std::make_shared<universe_core>(rig.system, "other",
                                                    make_system_clock(),
                                                    flight_rig::silence(), 7);
  auto other_galaxy = std::make_shared<galaxy_core>(other_core, "things",
                                                    1 << 20,
                                                    backend::in_place(value_of),
                                                    galaxy_options{});
  auto other = spawn_galaxy(other_galaxy);
  auto fetches = std::make_shared<std::atomic<int>>(0);
  auto to_other = forwarder(rig.system, other, fetches);
  auto to_self = forwarder(rig.system, rig.supervisor, fetches);
  rig.core->view.set(make_view({{"self", 0}, {"other", 1, to_other}}));
  other_core->view.set(make_view({{"other", 0}, {"self", 1, to_self}}));
  for (int round = 0; round < 200; ++round) {
    auto key = "key " + std::to_string(round);
    rig.ask(key);
    rig.ask_of(galaxy{other_galaxy, other}, key);
  }
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.book->codes()[errc::none] == 400u);
  BOOST_TEST(other_galaxy->stats().failed == 0u);
  BOOST_TEST(*fetches > 0);
  rig.core->view.set(nullptr);
  other_core->view.set(nullptr);
  kill(to_other);
  kill(to_self);
  kill(other);
  BOOST_TEST(other_core->await_no_actors(patience));
}

BOOST_AUTO_TEST_CASE(a_young_owner_peeks_at_who_owned_the_key_before) {
  galaxy_options options;
  options.peek = peek_options{};
  two_members all{backend_kind::actor, options};
  auto view = make_view({{"self", 1}, {"peer", 1, all.peer.handle()}});
  all.rig.core->view.set(view);
  auto warm = key_owned_by(*view, "self", 0);
  auto [got, code] = all.rig.get(warm);
  BOOST_TEST(code == errc::none);
  BOOST_TEST(got.level == hit_level::peek);
  BOOST_TEST(got.bytes() == "from the peer");
  BOOST_TEST((all.peer.last().mode == fetch_mode::peek));
  BOOST_TEST(all.source->calls() == 0u);
  // It is ours from now on.
  BOOST_TEST(all.rig.g.find(warm)->level == hit_level::main);
  // What it does not have, and what it fails with, the backend has.
  for (auto why : {errc::not_found, errc::peer_failed, errc::overloaded}) {
    all.peer->react([why](auto, auto&) { return why; });
    auto cold = key_owned_by(*view, "self", 1 + static_cast<std::size_t>(why));
    BOOST_TEST(all.rig.get(cold).first.level == hit_level::backend);
  }
  BOOST_TEST(all.stats().coalesced_peer_peeks == 4u);
  BOOST_TEST(all.stats().coalesced_peer_peek_hits == 1u);
  BOOST_TEST(all.stats().coalesced_peer_peek_errors == 2u);
  // Not for ever.
  all.time->advance(options.peek->warm_time + 1s);
  all.rig.get(key_owned_by(*view, "self", 20));
  BOOST_TEST(all.stats().coalesced_peer_peeks == 4u);
}

BOOST_AUTO_TEST_CASE(a_backend_is_not_called_if_all_left_during_a_peek) {
  galaxy_options options;
  options.peek = peek_options{};
  for (auto kind : {backend_kind::function, backend_kind::in_place}) {
    std::atomic<int> calls{0};
    const auto time = std::make_shared<manual_clock>();
    const auto run = [&](std::string_view) {
      ++calls;
      return value::take("late");
    };
    flight_rig rig{kind == backend_kind::function ? backend::function(run)
                                                  : backend::in_place(run),
                   options, 1 << 20, time};
    scripted_peer peer{rig.system};
    peer->react([](auto, auto&) { return errc::not_found; });
    const auto view = make_view({{"self", 1}, {"peer", 1, peer.handle()}});
    rig.core->view.set(view);
    peer.hold();
    rig.ask(key_owned_by(*view, "self"), {fetch_mode::regular, 100ms});
    eventually([&] { return peer->held() == 1; });
    time->advance(100ms);
    rig.await_answers();
    BOOST_TEST(rig.book->codes()[errc::deadline_exceeded] == 1u);
    peer.release();
    rig.await_rest();
    BOOST_TEST(calls == 0);
    BOOST_TEST(rig.shared->stats().backend_load_errors == 0u);
  }
}

BOOST_AUTO_TEST_CASE(
  a_peer_actor_gone_from_the_start_gives_way_to_the_backend) {
  two_members all;
  all.peer.kill();
  BOOST_TEST(all.rig.get("key").first.bytes() == "value of key");
  BOOST_TEST(all.rig.get("another").first.bytes() == "value of another");
  all.rig.await_rest();
}

BOOST_AUTO_TEST_SUITE_END()
