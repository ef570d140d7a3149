// Who may ask, and how they are answered.

#include "fixtures/flight_rig.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

/// A user's actor with an interface of its own.
using reader_actor = typed_actor<result<std::string>(get_atom, std::string)>;

struct reader_state {
  static inline const char* name = "reader";
};

reader_actor::behavior_type
reader(reader_actor::stateful_pointer<reader_state> self, galaxy g) {
  return {
    [self, g](get_atom, const std::string& key) -> result<std::string> {
      auto promise = self->make_response_promise<std::string>();
      g.get(self, key).then(
        [promise](const answer& x) mutable {
          promise.deliver(std::string{x.bytes()});
        },
        [promise](const caf::error& why) mutable { promise.deliver(why); });
      return promise;
    },
  };
}

std::string ask_reader(flight_rig& rig, const std::string& key) {
  auto handle = rig.system.spawn(reader, rig.g);
  std::string result;
  caf::scoped_actor self{rig.system};
  request(self.ptr(), handle, get_atom_v, key)
    .receive([&](std::string& x) { result = x; },
             [&](caf::error& why) { result = name_of(code_of(why)); });
  end(handle);
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(flight_callers)

BOOST_DATA_TEST_CASE(a_blocking_actor_gets, all_backends, kind) {
  scripted_backend source{kind};
  flight_rig rig{source};
  for (auto level : {hit_level::backend, hit_level::main}) {
    auto [got, code] = rig.get("key");
    BOOST_TEST(code == errc::none);
    BOOST_TEST(got.level == level);
    // What is in memory says no more whose it was.
    BOOST_TEST(got.owner.bytes()
               == (level == hit_level::backend ? "self" : ""));
    BOOST_TEST((got.expiry == never_expires));
  }
}

BOOST_AUTO_TEST_CASE(a_typed_actor_gets_cold_and_hot) {
  scripted_backend source{backend_kind::function};
  flight_rig rig{source};
  BOOST_TEST(ask_reader(rig, "key") == "value of key");
  BOOST_TEST(ask_reader(rig, "key") == "value of key");
  source->react([](auto, auto&) {
    return failure{errc::backend_failed, "no"};
  });
  BOOST_TEST(ask_reader(rig, "another") == "backend_failed");
  BOOST_TEST(source->calls() == 2u);
}

BOOST_AUTO_TEST_CASE(handlers_may_be_moved_only_once_they_are_given) {
  scripted_backend source{backend_kind::function};
  flight_rig rig{source};
  std::atomic<int> done{0};
  for (int round = 0; round < 2; ++round) {
    rig.system.spawn([&](caf::event_based_actor* self) {
      auto state = std::make_shared<int>(42);
      rig.g.get(self, "key")
        .then(
          [&done, state](const answer& x) {
            if (x.found() && *state == 42)
              ++done;
          },
          [](const caf::error&) {});
    });
    eventually([&] { return done == round + 1; });
  }
}

BOOST_AUTO_TEST_CASE(an_actor_that_knows_nothing_of_us_asks_by_message) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source};
  auto bare = caf::actor_cast<caf::actor>(rig.g.actor());
  caf::scoped_actor self{rig.system};
  auto fail = [](caf::error& why) { BOOST_ERROR(describe(why)); };
  for (int round = 0; round < 2; ++round)
    request(self.ptr(), bare, get_atom_v, std::string{"key"})
      .receive([](answer& x) { BOOST_TEST(x.bytes() == "value of key"); },
               fail);
  get_options peek;
  peek.mode = fetch_mode::peek;
  request(self.ptr(), bare, get_atom_v, std::string{"cold"}, peek)
    .receive([](answer& x) { BOOST_TEST(!x.found()); }, fail);
  request(self.ptr(), bare, get_atom_v, name_list{{"key", "another", "key"}},
          get_options{})
    .receive(
      [](std::vector<get_result>& all) {
        BOOST_REQUIRE(all.size() == 3u);
        BOOST_TEST(all[0].content.bytes() == "value of key");
        BOOST_TEST(all[1].content.bytes() == "value of another");
        BOOST_TEST(all[2].content.bytes() == "value of key");
      },
      fail);
  request(self.ptr(), bare, stats_atom_v)
    .receive(
      [](galaxy_stats& x) {
        BOOST_TEST(x.gets == 5u);
        BOOST_TEST(x.maincache.entries == 2u);
      },
      fail);
  source->react([](auto, auto&) {
    return failure{errc::backend_failed, "no"};
  });
  request(self.ptr(), bare, get_atom_v, std::string{"broken"})
    .receive([](answer&) { BOOST_ERROR("an answer"); },
             [](caf::error& why) {
               BOOST_TEST(code_of(why) == errc::backend_failed);
             });
  rig.await_rest();
}

BOOST_AUTO_TEST_CASE(a_message_sent_to_nobodys_account_does_no_harm) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source};
  for (int i = 0; i < 100; ++i)
    post(rig.g.actor(), get_atom_v, std::string{"key"});
  eventually([&] { return rig.g.find("key").has_value(); });
  rig.await_rest();
  eventually([&] { return rig.shared->stats().gets >= 100; });
  BOOST_TEST(source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(a_message_it_does_not_know_does_not_kill_the_galaxy) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source};
  auto bare = caf::actor_cast<caf::actor>(rig.g.actor());
  auto cache = caf::actor_cast<caf::actor>(rig.cache_of("key"));
  for (auto& whom : {bare, cache}) {
    post(whom, 42);
    post(whom, make_error({errc::internal_error, "somebody's error"}));
    post(whom, std::string{"hello"});
  }
  BOOST_TEST(rig.get("key").first.found());
  BOOST_TEST(rig.core->actors_alive() == rig.actors_at_rest + 1);
  BOOST_TEST(rig.shared->stats().cache_restarts == 0u);
}

BOOST_AUTO_TEST_CASE(a_hit_is_answered_in_place) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source};
  rig.get("key");
  std::atomic<int> in_place{-1};
  rig.system.spawn([&](caf::event_based_actor* self) {
    bool answered = false;
    rig.g.get(self, "key")
      .then([&](const answer&) { answered = true; }, [](const caf::error&) {});
    in_place = answered;
  });
  eventually([&] { return in_place != -1; });
  BOOST_TEST(in_place == 1);
}

BOOST_AUTO_TEST_CASE(a_refusal_is_answered_in_place) {
  scripted_backend source{backend_kind::actor};
  galaxy_options options;
  options.waiters_max = 0;
  flight_rig rig{source, options};
  std::atomic<int> in_place{-1};
  rig.system.spawn([&](caf::event_based_actor* self) {
    auto code = errc::none;
    rig.g.get(self, "key")
      .then([](const answer&) {},
            [&](const caf::error& why) { code = code_of(why); });
    in_place = code == errc::overloaded;
  });
  eventually([&] { return in_place != -1; });
  BOOST_TEST(in_place == 1);
}

BOOST_AUTO_TEST_CASE(a_walk_over_many_cached_keys_does_not_overflow_the_stack) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  for (int i = 0; i < 10; ++i)
    rig.get("key " + std::to_string(i));
  auto before = rig.shared->stats();
  rig.walk(100'000,
           [](std::size_t i) { return "key " + std::to_string(i % 10); });
  rig.await_answers();
  BOOST_TEST(rig.book->codes()[errc::none] == 100'000u);
  BOOST_TEST(rig.book->answered_twice() == 0u);
  BOOST_TEST(source->calls() == 10u);
  auto after = rig.shared->stats();
  BOOST_TEST(after.gets - before.gets == 100'000u);
  BOOST_TEST(after.maincache_hits - before.maincache_hits == 100'000u);
  // All but those past the nesting needed nobody else.
  BOOST_TEST(after.loads == before.loads);
  rig.await_rest();
}

BOOST_AUTO_TEST_CASE(a_walk_over_refusals_does_not_overflow_the_stack) {
  scripted_backend source{backend_kind::in_place};
  galaxy_options options;
  options.waiters_max = 0;
  flight_rig rig{source, options};
  rig.walk(100'000, [](std::size_t) { return "key"; });
  rig.await_answers();
  BOOST_TEST(rig.book->codes()[errc::overloaded] == 100'000u);
  BOOST_TEST(rig.shared->stats().gets == 100'000u);
  BOOST_TEST(rig.shared->stats().overloaded == 100'000u);
}

BOOST_AUTO_TEST_CASE(
  a_walk_in_a_galaxy_that_is_gone_does_not_overflow_the_stack) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  rig.shut_down();
  rig.walk(100'000, [](std::size_t) { return "key"; });
  rig.await_answers();
  BOOST_TEST(rig.book->codes()[errc::unavailable] == 100'000u);
}

BOOST_AUTO_TEST_CASE(a_walk_over_cold_keys_needs_no_stack_at_all) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  rig.walk(5'000, [](std::size_t i) { return "key " + std::to_string(i); });
  rig.await_answers();
  BOOST_TEST(rig.book->codes()[errc::none] == 5'000u);
  BOOST_TEST(source->calls() == 5'000u);
}

BOOST_AUTO_TEST_CASE(find_and_visit_answer_what_is_held_and_send_nothing) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  BOOST_TEST(!rig.g.find("key").has_value());
  BOOST_TEST(!rig.g.visit("key", [](const held&) {}));
  rig.get("key");
  std::string seen;
  BOOST_TEST(rig.g.visit("key", [&](const held& x) {
    seen = std::string{x.bytes};
    BOOST_TEST(x.level == hit_level::main);
    BOOST_TEST((x.expiry == never_expires));
  }));
  BOOST_TEST(seen == "value of key");
  BOOST_TEST(source->calls() == 1u);
  BOOST_TEST(rig.shared->stats().gets == 4u);
}

BOOST_AUTO_TEST_CASE(the_answer_of_a_get_outlives_the_galaxy) {
  answer kept;
  {
    scripted_backend source{backend_kind::function};
    flight_rig rig{source};
    kept = rig.get("key").first;
  }
  BOOST_TEST(kept.bytes() == "value of key");
}

BOOST_AUTO_TEST_SUITE_END()
