// The state of an actor is destroyed once, however the actor ends.

#include "fixtures/waiting.hpp"

#include "galaxycache/runtime/caf/actor.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <optional>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

struct counted : actor_state {
  std::shared_ptr<std::atomic<int>> destroyed;

  ~counted() {
    if (destroyed)
      ++*destroyed;
  }
};

caf::behavior idler(caf::stateful_actor<counted>* self,
                    std::shared_ptr<std::atomic<int>> destroyed) {
  harden(self, [](std::exception_ptr&) { return caf::error{}; });
  state_of(self).destroyed = std::move(destroyed);
  return {[](int x) { return x; }};
}

struct fixture {
  std::shared_ptr<std::atomic<int>> destroyed
    = std::make_shared<std::atomic<int>>(0);
  caf::actor_system_config config;
  std::optional<caf::actor_system> system{std::in_place, config};
  caf::actor actor = system->spawn<caf::hidden>(idler, destroyed);

  fixture() {
    caf::scoped_actor self{*system};
    int heard = 0;
    request_within(self.ptr(), actor, caf::timespan{std::chrono::minutes{1}}, 1)
      .receive([&](int x) { heard = x; }, [](caf::error&) {});
    BOOST_REQUIRE(heard == 1);
  }
};

/// Sends an actor a message when no worker runs any more: it then waits to run
/// until the system is gone. CAF 0.17 stops its printer at that moment; without
/// that nothing is sent.
template <class System>
void wake_late(System& system, const caf::actor& whom) {
  if constexpr (requires { system.scheduler().printer()->id(); })
    system.scheduler().printer()->attach_functor(
      [whom](const caf::error&) { post(whom, 1); });
}

} // namespace

BOOST_AUTO_TEST_SUITE(actor_state)

BOOST_FIXTURE_TEST_CASE(an_actor_that_is_ended_destroys_its_state, fixture) {
  caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  eventually([&] { return *destroyed == 1; });
  actor = {};
  system.reset();
  BOOST_TEST(*destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(so_does_one_that_nobody_knows_any_more, fixture) {
  actor = {};
  eventually([&] { return *destroyed == 1; });
  system.reset();
  BOOST_TEST(*destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(so_does_one_that_waits_to_run_as_the_system_goes,
                        fixture) {
  wake_late(*system, actor);
  actor = {};
  system.reset();
  BOOST_TEST(*destroyed == 1);
}

BOOST_AUTO_TEST_SUITE_END()
