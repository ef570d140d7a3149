#include "fixtures/cluster_rig.hpp"

#include "galaxycache/runtime/caf/actor.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <thread>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

/// An actor system with a network; what goes first is up to the test.
struct world {
  std::unique_ptr<cluster_configuration> cfg
    = std::make_unique<cluster_configuration>();
  std::unique_ptr<caf::actor_system> system
    = std::make_unique<caf::actor_system>(*cfg);
  std::unique_ptr<network> net = std::make_unique<network>(*system);

  std::unique_ptr<universe> make(const std::string& id) {
    return std::make_unique<universe>(*system, options_on(*net, id));
  }

  /// Two universes that know each other, and have talked.
  std::array<std::unique_ptr<universe>, 2>
  make_pair(backend source = instant_backend()) {
    std::array<std::unique_ptr<universe>, 2> us{make("a"), make("b")};
    for (auto& u : us) {
      u->add_galaxy("things", 1 << 20, source);
      u->set_peers({{"a", "inproc://a", 1}, {"b", "inproc://b", 1}});
    }
    for (auto& u : us)
      eventually([&] {
        for (auto& x : u->peers())
          if (x.state != peer_state::up && x.state != peer_state::self)
            return false;
        return true;
      });
    for (auto& u : us)
      for (int i = 0; i < 20; ++i)
        get_from(*system, *u->find_galaxy("things"), std::to_string(i));
    return us;
  }
};

/// Holds calls up until let go, which the end of the test does at the latest.
struct held_backend {
  scripted_backend script;

  held_backend() {
    script.hold();
  }
};

template <class F>
failure refusal_of(F f) {
  try {
    f();
  } catch (const exception& thrown) {
    return {thrown.code(), thrown.what()};
  }
  return {};
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_life)

// -- stopping -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(after_stop_no_actor_is_left) {
  world w;
  auto us = w.make_pair();
  for (auto& u : us) {
    BOOST_TEST(u->actors_alive() > 4u);
    u->stop(1s);
    BOOST_TEST(u->actors_alive() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(stopping_twice_is_stopping_once) {
  world w;
  auto u = w.make("a");
  u->stop(0s);
  u->stop(1h);
  BOOST_TEST(u->actors_alive() == 0u);
}

BOOST_AUTO_TEST_CASE(the_longest_grace_is_no_shorter_than_any) {
  world w;
  held_backend held;
  auto lines = std::make_shared<log_book>();
  auto u = std::make_unique<universe>(*w.system,
                                      options_on(*w.net, "a", lines));
  galaxy_options patient;
  patient.default_timeout = 1h;
  auto g = u->add_galaxy("things", 1 << 20, held.script.in(*w.system), patient);
  std::atomic<bool> answered = false;
  std::jthread asker{
    [&] { answered = get_from(*w.system, g, "key").content.found(); }};
  eventually([&] { return held.script->held() == 1; });
  std::jthread stopper{[&] { u->stop(std::chrono::nanoseconds::max()); }};
  eventually([&] { return lines->count(log_level::info, "draining") == 1; });
  BOOST_TEST(get_from(*w.system, g, "x").code == errc::draining);
  held.script.release();
  asker.join();
  stopper.join();
  BOOST_TEST(answered);
  BOOST_TEST(u->actors_alive() == 0u);
}

BOOST_AUTO_TEST_CASE(a_negative_grace_is_none) {
  world w;
  held_backend held;
  auto u = w.make("a");
  auto g = u->add_galaxy("things", 1 << 20, held.script.in(*w.system));
  auto asker = w.system->spawn([g](caf::event_based_actor* self) {
    g.get(self, "key").then([](const answer&) {}, [](const caf::error&) {});
  });
  eventually([&] { return held.script->held() == 1; });
  u->stop(std::chrono::nanoseconds::min());
  BOOST_TEST(u->actors_alive() == 0u);
}

BOOST_AUTO_TEST_CASE(many_threads_may_stop_at_once) {
  world w;
  auto us = w.make_pair();
  std::atomic<std::size_t> left = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      us[i % 2]->stop(std::chrono::milliseconds{i});
      left += us[i % 2]->actors_alive();
    });
  for (auto& t : threads)
    t.join();
  BOOST_TEST(left == 0u);
}

BOOST_AUTO_TEST_CASE(draining_answers_hits_and_finishes_flights) {
  cluster_rig rig;
  auto known = rig.key_of(0);
  auto slow = rig.key_of(0, 1);
  rig.get(0, known);
  rig[0].source.hold();
  rig.ask(0, slow);
  eventually([&] { return rig[0].source->held() == 1; });
  post(rig[0].u->actor(), stop_atom_v, caf::timespan{1h});
  eventually([&] { return rig.lines->count(log_level::info, "draining") > 0; });
  BOOST_TEST(rig.get(0, rig.key_of(0, 2)).code == errc::draining);
  BOOST_TEST(rig.get(0, known).content.level == hit_level::main);
  BOOST_TEST(rig.get(0, rig.key_of(1)).code == errc::draining);
  // Who asks for what is being loaded may have it.
  rig.ask(0, slow);
  eventually([&] { return rig.stats(0).waiters == 2; });
  rig[0].source.release();
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).found());
  BOOST_TEST(rig.book->at(1).found());
  rig.advance_until(1ms, [&] { return rig[0].u->actors_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(after_the_grace_who_still_waits_is_told_draining) {
  cluster_rig rig;
  rig[0].source.hold();
  rig.ask(0, rig.key_of(0), within(1h));
  eventually([&] { return rig[0].source->held() == 1; });
  post(rig[0].u->actor(), stop_atom_v, caf::timespan{10s});
  eventually([&] { return rig.lines->count(log_level::info, "draining") > 0; });
  BOOST_TEST(rig.get(0, rig.key_of(0, 2)).code == errc::draining);
  BOOST_TEST(rig.book->owed() == 1u);
  rig.advance_until(1s, [&] { return rig.book->owed() == 0; });
  BOOST_TEST(rig.book->at(0).code == errc::draining);
  eventually([&] { return rig[0].u->actors_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(gets_after_the_end_are_answered) {
  world w;
  auto us = w.make_pair();
  auto g = *us[0]->find_galaxy("things");
  us[0]->stop(0s);
  for (auto mode :
       {fetch_mode::regular, fetch_mode::no_peer_backend, fetch_mode::peek}) {
    auto got = get_from(*w.system, g, "never asked for", in_mode(mode));
    auto told = got.code == errc::unavailable || got.code == errc::draining
                || (mode == fetch_mode::peek && got.code == errc::none);
    BOOST_TEST(told);
  }
  caf::scoped_actor self{*w.system};
  g.get_many(self, {"x", "y"})
    .receive(
      [](const std::vector<get_result>& all) {
        for (auto& x : all)
          BOOST_TEST(x.error == errc::unavailable);
      },
      [](const caf::error& why) {
        BOOST_TEST(code_of(why) == errc::unavailable);
      });
  request(self.ptr(), g.actor(), get_atom_v, std::string{"x"})
    .receive([](const answer&) { BOOST_ERROR("answered by nobody"); },
             [](const caf::error& why) {
               BOOST_TEST(code_of(why) == errc::unavailable);
             });
  us[0].reset();
  BOOST_TEST(get_from(*w.system, g, "x").code == errc::unavailable);
  BOOST_TEST(!g.find("x"));
  BOOST_TEST(g.name() == "things");
}

BOOST_AUTO_TEST_CASE(after_the_end_everything_else_is_refused) {
  world w;
  auto u = w.make("a");
  u->add_galaxy("things", 1 << 20, instant_backend());
  u->stop(0s);
  auto said
    = refusal_of([&] { u->add_galaxy("more", 1 << 20, instant_backend()); });
  BOOST_TEST(said.code == errc::unavailable);
  BOOST_TEST(said.reason.find("stopped") != std::string::npos);
  BOOST_TEST(refusal_of([&] {
               u->add_peer({"b", "inproc://b", 1});
             }).code
             == errc::unavailable);
  BOOST_TEST(refusal_of([&] { u->peers(); }).code == errc::unavailable);
  BOOST_TEST(!u->find_galaxy("things"));
  BOOST_TEST(u->self() == "a");
}

BOOST_AUTO_TEST_CASE(a_galaxy_added_while_stopping_is_refused_or_ended) {
  world w;
  for (int round = 0; round < 30; ++round) {
    auto u = w.make("a");
    std::atomic<bool> go = false;
    std::jthread adder{[&] {
      eventually([&] { return go.load(); });
      for (int i = 0; i < 10; ++i)
        refusal_of([&] {
          u->add_galaxy("g" + std::to_string(i), 1 << 20, instant_backend());
        });
    }};
    go = true;
    u->stop(0s);
    adder.join();
    eventually([&] { return u->actors_alive() == 0; });
  }
}

BOOST_AUTO_TEST_CASE(its_own_supervisor_dead_a_universe_still_ends) {
  world w;
  auto us = w.make_pair();
  caf::anon_send_exit(us[0]->actor(), caf::exit_reason::kill);
  auto head = caf::actor_cast<caf::strong_actor_ptr>(us[0]->actor());
  eventually([&] { return is_terminated(head); });
  us[0]->stop(1h);
  BOOST_TEST(us[0]->actors_alive() == 0u);
  // And its address is free again.
  us[0].reset();
  auto again = w.make("a");
}

BOOST_AUTO_TEST_CASE(without_its_ring_or_server_a_universe_stops_by_itself) {
  world w;
  auto u = w.make("a");
  caf::anon_send_exit(u->ring(), caf::exit_reason::kill);
  eventually([&] { return u->actors_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(a_message_stops_a_universe) {
  world w;
  auto us = w.make_pair();
  post(us[0]->actor(), stop_atom_v, caf::timespan{1s});
  eventually([&] { return us[0]->actors_alive() == 0; });
  us[0]->stop(1s);
}

BOOST_AUTO_TEST_CASE(a_backend_that_never_returns_is_left_behind) {
  auto lines = std::make_shared<log_book>();
  world w;
  held_backend held;
  auto u = std::make_unique<universe>(*w.system,
                                      options_on(*w.net, "a", lines));
  auto g = u->add_galaxy("things", 1 << 20, held.script.in(*w.system));
  std::jthread asker{
    [&] { BOOST_TEST(get_from(*w.system, g, "key").code == errc::draining); }};
  eventually([&] { return held.script->held() == 1; });
  u.reset();
  asker.join();
  BOOST_TEST(lines->count(log_level::warning, "abandoned") == 1u);
}

// -- building -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(options_that_make_no_sense_are_refused_in_a_sentence) {
  world w;
  auto good = [&] { return options_on(*w.net, "a"); };
  std::vector<universe_options> bad;
  bad.push_back(good());
  bad.back().self = "";
  bad.push_back(good());
  bad.back().self = std::string(1025, 'x');
  bad.push_back(good());
  bad.back().listen = "nonsense";
  bad.back().transports.clear();
  bad.back().listen = "://";
  bad.push_back(good());
  bad.back().listen = "pigeon://a";
  bad.push_back(good());
  bad.back().listen = "inproc://somebody-else";
  bad.push_back(good());
  bad.back().transports.push_back(nullptr);
  bad.push_back(good());
  bad.back().placement.segments = 0;
  bad.push_back(good());
  bad.back().stop_grace = -1s;
  bad.push_back(good());
  bad.back().peers.heartbeat_interval = 0s;
  bad.push_back(good());
  bad.back().peers.heartbeat_interval = std::chrono::nanoseconds::max();
  bad.push_back(good());
  bad.back().peers.heartbeat_timeout = std::chrono::nanoseconds::max();
  bad.push_back(good());
  bad.back().peers.reconnect_max = std::chrono::nanoseconds::max();
  bad.push_back(good());
  bad.back().peers.reconnect_min = 1h;
  bad.push_back(good());
  bad.back().peers.fetches_max = 0;
  for (std::size_t i = 0; i < bad.size(); ++i) {
    BOOST_TEST_CONTEXT("the options number " << i) {
      auto said = refusal_of([&] { universe{*w.system, bad[i]}; });
      BOOST_TEST(said.code == errc::invalid_argument);
      BOOST_TEST(said.reason.size() > 20u);
    }
  }
  // None of them has left anything behind.
  universe fine{*w.system, good()};
}

BOOST_AUTO_TEST_CASE(an_address_in_use_is_refused) {
  world w;
  auto first = w.make("a");
  auto said = refusal_of([&] { w.make("a"); });
  BOOST_TEST(said.code == errc::address_in_use);
  BOOST_TEST(said.reason.find("inproc://a") != std::string::npos);
  first.reset();
  w.make("a");
}

BOOST_AUTO_TEST_CASE(bad_galaxies_are_refused_in_a_sentence) {
  world w;
  auto u = w.make("a");
  u->add_galaxy("things", 1 << 20, instant_backend());
  auto actors = u->actors_alive();
  for (std::string name :
       {std::string{}, std::string{"things"}, std::string(256, 'x'),
        std::string{"a\nb"}, std::string{"\0", 1}, std::string{"\xff"}}) {
    auto said
      = refusal_of([&] { u->add_galaxy(name, 1 << 20, instant_backend()); });
    BOOST_TEST(said.code == errc::invalid_argument);
    BOOST_TEST(said.reason.size() > 20u);
  }
  galaxy_options bad;
  bad.loads_max = 0;
  BOOST_TEST(refusal_of([&] {
               u->add_galaxy("more", 1 << 20, instant_backend(), bad);
             }).code
             == errc::invalid_argument);
  BOOST_TEST(u->actors_alive() == actors);
  BOOST_TEST(u->find_galaxy("things")->name() == "things");
  BOOST_TEST(!u->find_galaxy("more"));
  u->add_galaxy(std::string(255, '~'), 0, instant_backend());
}

BOOST_AUTO_TEST_CASE(a_universe_that_listens_nowhere_still_asks_others) {
  world w;
  auto server = w.make("b");
  server->add_galaxy("things", 1 << 20, instant_backend());
  auto how = options_on(*w.net, "a");
  how.listen.clear();
  universe client{*w.system, how};
  BOOST_TEST(client.uri().empty());
  auto g = client.add_galaxy("things", 1 << 20, instant_backend());
  client.set_peers({{"b", "inproc://b", 1}});
  BOOST_TEST(get_from(*w.system, g, "key").content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(galaxies_of_one_name_in_two_universes_do_not_mix) {
  world w;
  auto a = w.make("a");
  auto b = w.make("b");
  auto of = [](std::string who) {
    return backend::in_place(
      [who](std::string_view) -> load_result { return value::copy(who); });
  };
  auto at_a = a->add_galaxy("things", 1 << 20, of("a"));
  auto at_b = b->add_galaxy("things", 1 << 20, of("b"));
  auto other = a->add_galaxy("other things", 1 << 20, of("a2"));
  for (int again = 0; again < 2; ++again) {
    BOOST_TEST(get_from(*w.system, at_a, "key").content.bytes() == "a");
    BOOST_TEST(get_from(*w.system, at_b, "key").content.bytes() == "b");
    BOOST_TEST(get_from(*w.system, other, "key").content.bytes() == "a2");
  }
  BOOST_TEST(at_a.stats().gets == 2u);
  BOOST_TEST(at_b.stats().gets == 2u);
  a.reset();
  BOOST_TEST(get_from(*w.system, at_b, "key").content.bytes() == "b");
}

BOOST_AUTO_TEST_CASE(a_universe_moves_and_what_it_moves_onto_stops) {
  world w;
  auto a = w.make("a");
  auto g = a->add_galaxy("things", 1 << 20, instant_backend());
  universe moved{std::move(*a)};
  a.reset();
  BOOST_TEST(get_from(*w.system, g, "key").content.found());
  auto b = w.make("b");
  auto at_b = b->add_galaxy("things", 1 << 20, instant_backend());
  moved = std::move(*b);
  BOOST_TEST(moved.self() == "b");
  BOOST_TEST(get_from(*w.system, g, "other key").code == errc::unavailable);
  BOOST_TEST(get_from(*w.system, at_b, "key").content.found());
}

// -- the order in which things go ---------------------------------------------

BOOST_AUTO_TEST_CASE(the_system_may_go_before_its_universes) {
  world w;
  auto us = w.make_pair();
  auto g = *us[0]->find_galaxy("things");
  w.net.reset();
  w.system.reset();
  for (auto& u : us) {
    BOOST_TEST(u->actors_alive() == 0u);
    BOOST_TEST(refusal_of([&] { u->peers(); }).code == errc::unavailable);
    BOOST_TEST(refusal_of([&] {
                 u->add_galaxy("more", 1 << 20, instant_backend());
               }).code
               == errc::unavailable);
    u->stop(1s);
  }
  BOOST_TEST(!g.find("never asked for"));
}

BOOST_AUTO_TEST_CASE(the_network_may_go_at_any_time) {
  world w;
  auto us = w.make_pair();
  w.net.reset();
  get_from(*w.system, *us[0]->find_galaxy("things"), "still there");
  us[1].reset();
  us[0].reset();
  w.system.reset();
}

BOOST_AUTO_TEST_CASE(the_network_may_go_last) {
  world w;
  auto us = w.make_pair();
  us = {};
  w.system.reset();
  w.net.reset();
}

BOOST_AUTO_TEST_CASE(a_forgotten_universe_does_not_hang_its_system) {
  static std::vector<std::unique_ptr<universe>> forgotten;
  {
    world w;
    held_backend held;
    for (auto& u : w.make_pair())
      forgotten.push_back(std::move(u));
    auto g = forgotten[0]->add_galaxy("slow", 1 << 20,
                                      held.script.in(*w.system));
    w.system->spawn<caf::hidden>([g](caf::event_based_actor* self) {
      g.get(self, "key").then([](const answer&) {}, [](const caf::error&) {});
    });
    eventually([&] { return held.script->held() == 1; });
    w.net.reset();
    w.system.reset();
  }
  for (auto& u : forgotten)
    BOOST_TEST(u->actors_alive() == 0u);
  forgotten.clear();
}

BOOST_AUTO_TEST_CASE(the_system_may_go_while_peers_are_asked) {
  world w;
  auto open = std::make_shared<std::atomic<bool>>(false);
  auto us = w.make_pair(
    backend::function([open](std::string_view key) -> load_result {
      // Blocks but for the keys that make_pair asks for.
      if (key.size() > 2)
        eventually([&] { return open->load(); });
      return value_of(key);
    }));
  for (auto& u : us)
    w.system->spawn<caf::hidden>(
      [g = *u->find_galaxy("things")](caf::event_based_actor* self) {
        for (int i = 0; i < 20; ++i)
          g.get(self, "key " + std::to_string(i))
            .then([](const answer&) {}, [](const caf::error&) {});
      });
  for (auto& u : us)
    eventually([&] { return u->find_galaxy("things")->stats().flights > 5; });
  w.system.reset();
  for (auto& u : us)
    BOOST_TEST(u->actors_alive() == 0u);
  *open = true;
}

BOOST_AUTO_TEST_CASE(a_handle_may_outlive_everything) {
  std::optional<galaxy> g;
  {
    world w;
    auto us = w.make_pair();
    g = *us[0]->find_galaxy("things");
  }
  BOOST_TEST(!g->find("never asked for"));
  BOOST_TEST(g->stats().flights == 0u);
}

BOOST_AUTO_TEST_CASE(universes_may_stop_while_they_ask_each_other) {
  for (int round = 0; round < 10; ++round) {
    world w;
    auto us = w.make_pair();
    auto book = std::make_shared<ledger>();
    for (auto& u : us)
      for (int i = 0; i < 200; ++i) {
        auto key = std::to_string(1000 + i);
        auto id = book->open(key);
        w.system->spawn([g = *u->find_galaxy("things"), book, id,
                         key](caf::event_based_actor* self) {
          g.get(self, key).then(
            [book, id](const answer& x) { book->close(id, x); },
            [book, id](const caf::error& x) { book->close(id, x); });
        });
      }
    us[round % 2].reset();
    us[1 - round % 2].reset();
    eventually([&] { return book->owed() == 0; });
    BOOST_TEST(book->answered_twice() == 0u);
    for (auto& [code, count] : book->codes()) {
      auto expected = code == errc::none || code == errc::draining
                      || code == errc::unavailable;
      BOOST_TEST(expected, name_of(code));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_universe_may_be_destroyed_inside_an_actor) {
  world w;
  auto us = w.make_pair();
  std::atomic<bool> gone = false;
  w.system->spawn([&gone, u = std::shared_ptr<universe>{std::move(us[0])}](
                    caf::event_based_actor*) mutable {
    u.reset();
    gone = true;
  });
  us[0].reset();
  eventually([&] { return gone.load(); });
}

BOOST_AUTO_TEST_CASE(a_universe_may_live_and_die_in_an_actor_of_the_system) {
  world w;
  std::atomic<bool> found = false;
  auto host
    = w.system->spawn([&](caf::event_based_actor* self) -> caf::behavior {
        auto u = std::make_shared<universe>(*w.system, options_on(*w.net, "a"));
        auto g = u->add_galaxy("things", 1 << 20, instant_backend());
        g.get(self, "key")
          .then([&](const answer& x) { found = x.found(); },
                [](const caf::error&) {});
        return {[u](stop_atom) {}};
      });
  eventually([&] { return found.load(); });
  caf::anon_send_exit(host, caf::exit_reason::user_shutdown);
  host = nullptr;
  w.system.reset();
}

BOOST_AUTO_TEST_CASE(a_hundred_universes_come_and_go_in_one_system) {
  world w;
  for (int i = 0; i < 100; ++i) {
    auto u = w.make("a");
    auto g = u->add_galaxy("things", 1 << 20, instant_backend());
    get_from(*w.system, g, "key");
    u->add_peer({"b", "inproc://b", 1});
  }
}

BOOST_AUTO_TEST_SUITE_END()
