// Somebody dies at each step of a flight: every get is still answered once,
// nothing is left behind, and the key can be loaded again at once.

#include "fixtures/flight_rig.hpp"
#include "fixtures/scripted_peer.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

constexpr int waiters = 20;

constexpr backend_kind functions[] = {backend_kind::function,
                                      backend_kind::in_place};

galaxy_options one_shard() {
  galaxy_options result;
  result.shards = 1;
  return result;
}

galaxy_options peeking() {
  auto result = one_shard();
  result.peek = peek_options{};
  return result;
}

using way_to_die = void (*)(const caf::strong_actor_ptr&);

void be_killed(const caf::strong_actor_ptr& whom) {
  kill(whom);
}

void be_ended(const caf::strong_actor_ptr& whom) {
  end(whom);
}

const way_to_die ways_to_die[] = {be_killed, be_ended};

template <class Handle>
caf::strong_actor_ptr pointer_to(const Handle& whom) {
  return caf::actor_cast<caf::strong_actor_ptr>(whom);
}

/// One galaxy whose loaders are known by their peeks at a scripted peer.
struct scene {
  scripted_backend source;
  flight_rig rig;
  scripted_peer peer{rig.system};
  std::string key;

  explicit scene(backend_kind kind, galaxy_options options = peeking())
    : source(kind),
      rig(source, std::move(options)) {
    auto view = make_view({{"self", 1}, {"peer", 1, peer.handle()}});
    peer->react([](auto, auto&) { return errc::not_found; });
    rig.core->view.set(view);
    key = key_owned_by(*view, "self");
  }

  /// Requests and numbered questions, for one key.
  void ask_all() {
    for (int i = 0; i < waiters / 2; ++i)
      rig.ask(key);
    rig.ask_numbered(std::vector<std::string>(waiters - waiters / 2, key));
    rig.await_waiting(waiters);
  }

  caf::strong_actor_ptr the_loader() {
    auto callers = peer->take_callers();
    BOOST_REQUIRE(!callers.empty());
    return callers.back();
  }

  caf::strong_actor_ptr the_cache() {
    return pointer_to(rig.cache_of(key));
  }

  /// All have been answered once, with one of these codes; all is as before.
  void check_aftermath(std::vector<errc> expected) {
    rig.await_answers();
    BOOST_TEST(rig.book->answered_twice() == 0u);
    for (auto [code, count] : rig.book->codes())
      BOOST_TEST((std::ranges::find(expected, code) != expected.end()),
                 "unexpected: " << name_of(code) << ", " << count << " times");
    source.release();
    peer.release();
    rig.await_rest();
    eventually([this] { return rig.shared->jobs->inside() == 0; });
    // At once; but a dead cache actor has to be replaced first.
    eventually([this] {
      auto [again, code] = rig.get(key);
      BOOST_REQUIRE((code == errc::none || code == errc::unavailable));
      return again.bytes() == "value of " + key;
    });
    rig.await_rest();
    BOOST_TEST(rig.shared->stats().maincache.entries == 1u);
    // An idle loader more or less.
    eventually(
      [this] { return rig.core->actors_alive() <= rig.actors_at_rest + 1; });
    rig.shut_down();
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(flight_kills)

// -- the loader ---------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_loader_that_dies_while_idle_is_no_loss,
                     boost::unit_test::data::make(all_backends)
                       * boost::unit_test::data::xrange(2),
                     kind, way) {
  scene now{kind};
  now.rig.get(now.key);
  auto loader = now.the_loader();
  ways_to_die[way](loader);
  eventually([&] { return is_terminated(loader); });
  eventually([&] {
    // The cache may not have heard of it yet.
    auto [got, code] = now.rig.get("another key");
    BOOST_REQUIRE((code == errc::none || code == errc::backend_failed));
    return code == errc::none;
  });
}

BOOST_DATA_TEST_CASE(
  a_loader_that_dies_before_it_asks_the_backend_fails_the_load,
  boost::unit_test::data::make(all_backends)
    * boost::unit_test::data::xrange(2),
  kind, way) {
  scene now{kind};
  now.peer.hold();
  now.ask_all();
  eventually([&] { return now.peer->held() == 1; });
  ways_to_die[way](now.the_loader());
  now.rig.await_answers();
  BOOST_TEST(now.rig.book->codes()[errc::backend_failed]
             == std::size_t{waiters});
  BOOST_TEST(now.rig.book->at(0).reason.find("loader") != std::string::npos);
  BOOST_TEST(now.source->calls() == 0u);
  now.check_aftermath({errc::backend_failed});
}

BOOST_DATA_TEST_CASE(a_loader_that_dies_while_the_backend_runs_fails_the_load,
                     boost::unit_test::data::make(all_backends)
                       * boost::unit_test::data::xrange(2),
                     kind, way) {
  scene now{kind};
  now.source.hold();
  now.ask_all();
  eventually([&] { return now.source->held() == 1; });
  ways_to_die[way](now.the_loader());
  if (kind == backend_kind::in_place) {
    // It dies when the function has returned, and the value is not lost.
    now.source.release();
    now.check_aftermath({errc::none, errc::backend_failed});
    return;
  }
  now.rig.await_answers();
  BOOST_TEST(now.rig.book->codes()[errc::backend_failed]
             == std::size_t{waiters});
  // Not even waiting for the call in progress to return.
  BOOST_TEST(now.source->held() == 1u);
  now.rig.ask(now.key);
  eventually([&] { return now.source->held() == 2; });
  now.source.release();
  now.rig.await_answers();
  BOOST_TEST(now.rig.book->at(waiters).found());
  now.check_aftermath({errc::none, errc::backend_failed});
}

BOOST_DATA_TEST_CASE(a_loader_that_dies_as_it_lands_answers_everybody_once,
                     all_backends, kind) {
  for (int round = 0; round < 30; ++round) {
    scene now{kind};
    now.source.hold();
    now.ask_all();
    eventually([&] { return now.source->held() == 1; });
    auto loader = now.the_loader();
    // Either comes first.
    if (round % 2 == 0) {
      now.source.release();
      kill(loader);
    } else {
      kill(loader);
      now.source.release();
    }
    now.check_aftermath({errc::none, errc::backend_failed});
  }
}

BOOST_AUTO_TEST_CASE(
  a_loader_that_dies_on_the_peer_leg_makes_way_for_the_local) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, one_shard()};
  scripted_peer owner{rig.system};
  scripted_peer peer{rig.system}; // the successor
  auto view = make_view(
    {{"self", 0}, {"owner", 1, owner.handle()}, {"peer", 1, peer.handle()}});
  rig.core->view.set(view);
  owner->react([](auto, auto&) { return failure{errc::peer_failed, "gone"}; });
  peer.hold();
  for (int i = 0; i < waiters; ++i)
    rig.ask(key_owned_by(*view, "owner"));
  rig.await_waiting(waiters);
  eventually([&] { return peer->held() == 1; });
  kill(peer->take_callers().at(0));
  rig.await_answers();
  BOOST_TEST(rig.book->codes()[errc::none] == std::size_t{waiters});
  BOOST_TEST(rig.book->at(0).content.level == hit_level::backend);
  peer.release();
  rig.await_rest();
  rig.shut_down();
}

BOOST_AUTO_TEST_CASE(the_death_of_one_leg_leaves_the_other_alone) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, one_shard()};
  scripted_peer peer{rig.system};
  rig.core->view.set(make_view({{"self", 0}, {"peer", 1, peer.handle()}}));
  peer.hold();
  source.hold();
  rig.ask("key");
  eventually([&] { return peer->held() == 1; });
  rig.ask("key", {fetch_mode::no_peer_backend, {}});
  eventually([&] { return source->held() == 1; });
  kill(source->take_callers().at(0));
  eventually([&] { return rig.book->at(1).answers == 1; });
  BOOST_TEST(rig.book->at(1).code == errc::backend_failed);
  BOOST_TEST(rig.book->at(0).answers == 0);
  peer.release();
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).content.level == hit_level::peer);
  rig.await_rest();
  rig.shut_down();
}

// -- the cache actor ----------------------------------------------------------

BOOST_DATA_TEST_CASE(a_cache_actor_that_dies_before_the_backend_is_asked,
                     boost::unit_test::data::make(all_backends)
                       * boost::unit_test::data::xrange(2),
                     kind, way) {
  scene now{kind};
  now.peer.hold();
  now.ask_all();
  eventually([&] { return now.peer->held() == 1; });
  ways_to_die[way](now.the_cache());
  now.rig.await_answers();
  BOOST_TEST(now.rig.book->codes()[errc::internal_error]
             == std::size_t{waiters});
  now.check_aftermath({errc::internal_error});
}

BOOST_DATA_TEST_CASE(a_cache_actor_that_dies_while_the_backend_runs,
                     boost::unit_test::data::make(all_backends)
                       * boost::unit_test::data::xrange(2),
                     kind, way) {
  scene now{kind};
  now.source.hold();
  now.ask_all();
  eventually([&] { return now.source->held() == 1; });
  auto dead = now.the_cache();
  ways_to_die[way](dead);
  now.rig.await_answers();
  BOOST_TEST(now.rig.book->codes()[errc::internal_error]
             == std::size_t{waiters});
  // The next one needs no patience, only another entrance.
  eventually([&] {
    auto current = now.the_cache();
    return current && current != dead;
  });
  now.rig.ask(now.key);
  eventually([&] { return now.source->held() == 2; });
  now.source.release();
  now.check_aftermath({errc::none, errc::internal_error});
  BOOST_TEST(now.rig.shared->stats().cache_restarts == 1u);
}

BOOST_DATA_TEST_CASE(a_cache_actor_that_dies_as_the_loader_lands, all_backends,
                     kind) {
  for (int round = 0; round < 30; ++round) {
    scene now{kind};
    now.source.hold();
    now.ask_all();
    eventually([&] { return now.source->held() == 1; });
    auto cache = now.the_cache();
    if (round % 2 == 0) {
      now.source.release();
      kill(cache);
    } else {
      kill(cache);
      now.source.release();
    }
    // What had landed is forgotten then.
    eventually([&] { return now.rig.shared->stats().cache_restarts == 1; });
    now.check_aftermath({errc::none, errc::internal_error});
  }
}

BOOST_AUTO_TEST_CASE(a_cache_actor_that_dies_takes_its_memory_with_it) {
  scene now{backend_kind::actor};
  now.rig.get(now.key);
  BOOST_TEST(now.rig.g.find(now.key).has_value());
  kill(now.the_cache());
  eventually([&] { return now.rig.shared->stats().cache_restarts == 1; });
  eventually([&] { return now.rig.shared->stats().maincache.entries == 0; });
  BOOST_TEST(!now.rig.g.find(now.key).has_value());
  now.check_aftermath({});
  BOOST_TEST(now.source->calls() == 2u);
}

BOOST_AUTO_TEST_CASE(questions_in_the_mailbox_of_a_dead_cache_are_unavailable) {
  scene now{backend_kind::actor, one_shard()};
  // Behind a message that takes a while, many more than the actor can have
  // begun when it is killed.
  for (int round = 0; round < 20; ++round) {
    auto before = now.rig.shared->stats().cache_restarts;
    eventually([&] { return now.the_cache() != nullptr; });
    auto old = now.the_cache();
    for (int batch = 0; batch < 20; ++batch)
      now.rig.ask_numbered(std::vector<std::string>(50, now.key));
    for (int i = 0; i < 20; ++i)
      now.rig.ask(now.key);
    kill(old);
    now.rig.await_answers();
    eventually([&] { return now.rig.shared->stats().cache_restarts > before; });
    if (round % 5 == 4) // before the galaxy fails
      break;
  }
  BOOST_TEST(now.rig.book->size() == 5u * 1020u);
  now.check_aftermath({errc::none, errc::internal_error, errc::unavailable});
}

BOOST_AUTO_TEST_CASE(questions_to_a_cache_actor_that_is_dead_are_unavailable) {
  scene now{backend_kind::actor, one_shard()};
  auto dead = now.rig.cache_of(now.key);
  kill(dead);
  eventually([&] { return is_terminated(pointer_to(dead)); });
  auto id = now.rig.book->open(now.key);
  caf::scoped_actor self{now.rig.system};
  ticket terms;
  terms.deadline = mono_time::max();
  request(self.ptr(), dead, get_atom_v, now.key, terms)
    .receive([&](const answer& x) { now.rig.book->close(id, x); },
             [&](const caf::error& why) { now.rig.book->close(id, why); });
  BOOST_TEST(now.rig.book->at(id).code == errc::unavailable);
  now.check_aftermath({errc::unavailable});
}

BOOST_AUTO_TEST_CASE(
  a_batch_that_nobody_takes_is_reported_lost_question_by_question) {
  std::vector<std::uint64_t> lost;
  {
    question_batch batch;
    for (std::uint64_t id = 0; id < 5; ++id)
      batch.asked.push_back({id, "key", {}});
    batch.lost = [&](std::uint64_t id) { lost.push_back(id); };
    // The cache actor died over the third.
    batch.taken = 3;
  }
  BOOST_TEST((lost == std::vector<std::uint64_t>{3, 4}));
}

// -- the backend --------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_throwing_backend_answers_every_waiter, all_backends,
                     kind) {
  scene now{kind};
  now.source.hold();
  now.source->react([](auto, auto&) -> load_result {
    throw std::runtime_error{"the disk is on fire"};
  });
  now.ask_all();
  eventually([&] { return now.source->held() == 1; });
  now.source.release();
  now.rig.await_answers();
  BOOST_TEST(now.rig.book->codes()[errc::backend_failed]
             == std::size_t{waiters});
  now.rig.await_rest();
  if (kind == backend_kind::actor)
    return; // it is dead now
  BOOST_TEST(now.rig.book->at(0).reason.find("the disk is on fire")
             != std::string::npos);
  BOOST_TEST(now.rig.shared->stats().backend_load_errors == 1u);
  now.source->react({});
  now.check_aftermath({errc::backend_failed});
}

BOOST_DATA_TEST_CASE(a_backend_that_throws_no_exception_type_fails_the_load,
                     functions, kind) {
  scene now{kind};
  now.source->react([](auto, auto&) -> load_result { throw 42; });
  BOOST_TEST(now.rig.get(now.key).second == errc::backend_failed);
  now.source->react({});
  now.check_aftermath({});
}

BOOST_DATA_TEST_CASE(a_backend_actor_that_dies_fails_its_loads_and_all_later,
                     boost::unit_test::data::xrange(3), way) {
  scene now{backend_kind::actor};
  now.source.hold();
  now.ask_all();
  eventually([&] { return now.source->held() == 1; });
  if (way < 2) {
    ways_to_die[way](pointer_to(now.source.actor()));
  } else {
    now.source->react(
      [](auto, auto&) -> load_result { throw std::runtime_error{"on fire"}; });
    now.source.release();
  }
  now.rig.await_answers();
  BOOST_TEST(now.rig.book->codes()[errc::backend_failed]
             == std::size_t{waiters});
  now.rig.await_rest();
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(now.rig.get(now.key).second == errc::backend_failed);
  now.rig.await_rest();
  // What is in memory needs no backend.
  eventually([&] { return now.rig.core->actors_alive() == 3; });
  now.rig.shut_down();
}

BOOST_AUTO_TEST_CASE(a_backend_actor_may_die_with_many_loads_of_its_own) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source};
  source.hold();
  for (int i = 0; i < 400; ++i)
    rig.ask("key " + std::to_string(i));
  eventually([&] { return source->held() == 400; });
  for (int i = 400; i < 800; ++i)
    rig.ask("key " + std::to_string(i));
  kill(source.actor());
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.book->codes()[errc::backend_failed] == 800u);
}

BOOST_AUTO_TEST_CASE(a_backend_actor_that_answers_nonsense_fails_the_load) {
  auto nonsense = [](caf::actor_system& system) {
    return backend::actor(
      system.spawn([](caf::event_based_actor*) -> caf::behavior {
        return {[](load_atom, const std::string&) { return 42; }};
      }));
  };
  flight_rig rig{nonsense, one_shard(), 1 << 20, make_system_clock(),
                 flight_rig::silence()};
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(rig.get("key").second == errc::backend_failed);
  rig.await_rest();
  auto& how = rig.shared->source.how();
  end(std::get<backend_actor>(how));
}

BOOST_AUTO_TEST_CASE(a_backend_actor_that_fails_says_why) {
  for (auto code : {errc::backend_failed, errc::overloaded, errc::draining,
                    errc::deadline_exceeded, errc::internal_error}) {
    BOOST_TEST_CONTEXT(name_of(code)) {
      scene now{backend_kind::actor, one_shard()};
      now.source->react([code](auto, auto&) {
        return failure{code, "the reason"};
      });
      now.rig.ask(now.key);
      now.rig.await_answers();
      BOOST_TEST(now.rig.book->at(0).code == errc::backend_failed);
      BOOST_TEST(now.rig.book->at(0).reason.find("the reason")
                 != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_loader_that_ends_leaves_no_trace_in_a_backend_actor) {
  scene now{backend_kind::actor, one_shard()};
  now.source.hold();
  now.rig.ask(now.key);
  eventually([&] { return now.source->held() == 1; });
  auto loader = now.source->take_callers().at(0);
  auto weak = caf::actor_cast<caf::weak_actor_ptr>(loader);
  kill(loader);
  now.rig.await_answers();
  now.source.release();
  now.rig.await_rest();
  loader = nullptr;
  eventually([&] { return weak.lock() == nullptr; });
}

// -- the caller ---------------------------------------------------------------

BOOST_DATA_TEST_CASE(callers_that_die_are_nobodys_trouble, all_backends, kind) {
  scene now{kind};
  now.source.hold();
  now.ask_all();
  std::vector<caf::actor> dying;
  for (int i = 0; i < 10; ++i)
    dying.push_back(now.rig.ask(now.key));
  now.rig.await_waiting(waiters + 10);
  for (int i = 0; i < 10; ++i) {
    now.rig.book->write_off(static_cast<std::size_t>(waiters + i));
    kill(dying[static_cast<std::size_t>(i)]);
  }
  now.source.release();
  now.rig.await_answers();
  BOOST_TEST(now.rig.book->codes()[errc::none] >= std::size_t{waiters});
  now.check_aftermath({errc::none});
}

BOOST_AUTO_TEST_CASE(an_asker_that_dies_with_all_its_questions_is_dropped) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, one_shard(), 1 << 20, time};
  source.hold();
  auto asker = rig.ask_numbered(std::vector<std::string>(100, "key"));
  rig.await_waiting(100);
  kill(asker);
  eventually([&] {
    time->advance(1s);
    return rig.shared->stats().waiters == 0;
  });
  BOOST_TEST(rig.shared->stats().flights == 1u);
  source.release();
  rig.await_rest();
  BOOST_TEST(rig.g.find("key").has_value());
}

// -- the supervisor -----------------------------------------------------------

BOOST_DATA_TEST_CASE(a_supervisor_that_dies_takes_everybody_with_it,
                     all_backends, kind) {
  scene now{kind};
  now.source.hold();
  now.ask_all();
  eventually([&] { return now.source->held() == 1; });
  kill(now.rig.supervisor);
  now.rig.await_answers();
  BOOST_TEST(now.rig.book->codes()[errc::internal_error]
             == std::size_t{waiters});
  BOOST_TEST(now.rig.get(now.key).second == errc::unavailable);
  now.source.release();
  eventually([&] { return now.rig.core->actors_alive() == 0; });
  now.rig.await_rest();
}

BOOST_AUTO_TEST_SUITE_END()
