// Hits of bare messages are answered by whoever sends them.

#include "fixtures/flight_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

backend echo() {
  return backend::in_place(
    [](std::string_view key) -> load_result { return value::copy(key); });
}

/// A galaxy that holds a key.
struct held_rig : flight_rig {
  held_rig() : flight_rig(echo(), {}, 1 << 20) {
    get("key");
  }

  /// Asks the galaxy's actor for a key, with options or without.
  template <class... Options>
  std::pair<answer, errc> get_bare(std::string key, Options... options) {
    std::pair<answer, errc> result;
    caf::scoped_actor self{system};
    request(self.ptr(), g.actor(), get_atom_v, std::move(key), options...)
      .receive([&](const answer& x) { result.first = x; },
               [&](const caf::error& why) { result.second = code_of(why); });
    return result;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(early_answers)

BOOST_FIXTURE_TEST_CASE(a_hit_needs_nobody_else_to_run, held_rig) {
  constexpr int workers = 4; // of the rig's scheduler
  struct shared {
    std::atomic<bool> go{false};
    std::atomic<int> stuck{0};
    std::atomic<int> gave_up{0};
    std::atomic<bool> others_ran{false};
  };
  auto now = std::make_shared<shared>();
  for (int i = 0; i < workers; ++i)
    system.spawn([now](caf::event_based_actor*) {
      ++now->stuck;
      // Should this fail, it is to end.
      auto left = 10s / 1ms;
      for (; left > 0 && !now->go; --left)
        std::this_thread::sleep_for(1ms);
      if (left == 0)
        ++now->gave_up;
    });
  eventually([&] { return now->stuck == workers; });
  system.spawn([now](caf::event_based_actor*) { now->others_ran = true; });
  const auto plain = get_bare("key");
  const auto optional = get_bare("key", get_options{});
  BOOST_TEST(!now->others_ran);
  BOOST_TEST(now->gave_up == 0);
  now->go = true;
  for (const auto& [got, code] : {plain, optional}) {
    BOOST_TEST(code == errc::none);
    BOOST_TEST(got.bytes() == "key");
    BOOST_TEST(got.level == hit_level::main);
  }
  eventually([&] { return now->others_ran.load(); });
}

BOOST_FIXTURE_TEST_CASE(who_lives_on_hits_lets_others_run, held_rig) {
  struct shared {
    std::atomic<bool> stop{false};
    std::atomic<int> at_work{0};
    std::atomic<int> ended{0};
  };
  struct loop {
    static void go_on(caf::event_based_actor* self, galaxy_actor whom,
                      std::shared_ptr<shared> now) {
      request(self, whom, get_atom_v, std::string{"key"})
        .then(
          [=](const answer&) {
            if (now->stop)
              ++now->ended;
            else
              go_on(self, whom, now);
          },
          [=](const caf::error&) { ++now->ended; });
    }
  };
  auto now = std::make_shared<shared>();
  const auto loops = 16; // on four workers, each with some on their way
  for (int i = 0; i < loops; ++i)
    system.spawn([now, whom = g.actor()](caf::event_based_actor* self) {
      for (int k = 0; k < 4; ++k)
        loop::go_on(self, whom, now);
      ++now->at_work;
    });
  eventually([&] { return now->at_work == loops; });
  // This needs a cache actor to run, and a loader.
  BOOST_TEST(get("another").first.bytes() == "another");
  now->stop = true;
  eventually([&] { return now->ended == 4 * loops; });
}

BOOST_FIXTURE_TEST_CASE(who_asked_is_answered_though_another_passed_it_on,
                        held_rig) {
  using asked = typed_actor<result<answer>(get_atom, std::string)>;
  auto front = system.spawn(
    [whom = g.actor()](asked::pointer self) -> asked::behavior_type {
      return {[self, whom](get_atom, std::string& key) {
        return delegate(self, whom, get_atom_v, std::move(key));
      }};
    });
  caf::scoped_actor self{system};
  answer got;
  request(self.ptr(), front, get_atom_v, std::string{"key"})
    .receive([&](const answer& x) { got = x; },
             [](const caf::error& why) { BOOST_FAIL(to_string(why)); });
  BOOST_TEST(got.bytes() == "key");
  caf::anon_send_exit(front, caf::exit_reason::user_shutdown);
}

BOOST_FIXTURE_TEST_CASE(each_get_is_counted_once, held_rig) {
  const auto before = g.stats();
  get_bare("key");
  get_bare("key", get_options{});
  get_bare("another");
  get_bare("a third", get_options{.mode = fetch_mode::peek});
  const auto after = g.stats();
  BOOST_TEST(after.gets - before.gets == 4u);
  BOOST_TEST(after.maincache_hits - before.maincache_hits == 2u);
  BOOST_TEST(after.not_found - before.not_found == 1u);
  BOOST_TEST(after.backend_loads - before.backend_loads == 1u);
}

BOOST_FIXTURE_TEST_CASE(who_has_ended_answers_no_hits, held_rig) {
  caf::anon_send_exit(supervisor, caf::exit_reason::kill);
  eventually([&] {
    return is_terminated(caf::actor_cast<caf::strong_actor_ptr>(supervisor));
  });
  BOOST_TEST(g.find("key").has_value());
  BOOST_TEST(get_bare("key").second == errc::unavailable);
}

BOOST_AUTO_TEST_SUITE_END()
