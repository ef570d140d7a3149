// The state of an actor is destroyed once, however the actor ends.

#include "fixtures/flight_rig.hpp"

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
  harden(self, state_of(self),
         [](std::exception_ptr&) { return caf::error{}; });
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

/// Does with an idle actor what CAF 0.17 does, when its system goes, with each
/// that waits to run. Nothing with CAF 1.x.
template <class System, class Handle, class Actor = caf::scheduled_actor>
void end_as_one_that_waits(System& system, const Handle& whom) {
  using scheduler = std::remove_reference_t<decltype(system.scheduler())>;
  if constexpr (requires(Actor * x) { scheduler::cleanup_and_release(x); }) {
    auto* waiting
      = dynamic_cast<Actor*>(caf::actor_cast<caf::abstract_actor*>(whom));
    eventually([&] { return waiting->mailbox().blocked(); });
    intrusive_ptr_add_ref(waiting->ctrl());
    scheduler::cleanup_and_release(waiting);
  }
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
  end_as_one_that_waits(*system, actor);
  actor = {};
  system.reset();
  BOOST_TEST(*destroyed == 1);
}

BOOST_AUTO_TEST_CASE(so_does_that_of_a_galaxy) {
  scripted_backend source{backend_kind::function};
  flight_rig rig{source};
  BOOST_REQUIRE(rig.get("key").second == errc::none);
  end_as_one_that_waits(rig.system, rig.supervisor);
  kill(rig.supervisor);
  // The rig still has handles to them.
  eventually([&] { return rig.core->actors_alive() == 0; });
}

BOOST_AUTO_TEST_SUITE_END()
