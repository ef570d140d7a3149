#include "fixtures/cluster_rig.hpp"

#include "galaxycache/runtime/caf/actor.hpp"

#include <caf/scoped_actor.hpp>

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

galaxy_stats by_message(caf::actor_system& system, const galaxy& g) {
  galaxy_stats result;
  caf::scoped_actor self{system};
  request(self.ptr(), g.actor(), stats_atom_v)
    .receive([&](const galaxy_stats& x) { result = x; },
             [](const caf::error& why) {
               throw std::runtime_error{describe(why)};
             });
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_stats)

BOOST_AUTO_TEST_CASE(everything_that_happens_is_counted_where_it_happens) {
  cluster_options options;
  options.nodes = 3;
  options.galaxy.promote = promote_all();
  cluster_rig rig{options};
  auto missing = rig.key_of(2);
  rig[2].source->react([=](auto key, auto&) -> load_result {
    if (key == missing)
      return errc::not_found;
    return failure{errc::backend_failed, "no"};
  });

  // Two gets of an own key.
  rig.get(0, rig.key_of(0));
  rig.get(0, rig.key_of(0));
  // Two of a key of another.
  rig.get(0, rig.key_of(1));
  rig.get(0, rig.key_of(1));
  // Five at once of a third.
  rig[1].source.hold();
  for (int i = 0; i < 5; ++i)
    rig.ask(0, rig.key_of(1, 1));
  eventually([&] { return rig.stats(0).waiters == 5; });
  BOOST_TEST(rig.stats(0).flights == 1u);
  rig[1].source.release();
  rig.await_answers();
  // One that nobody knows, and one whose owner cannot say.
  rig.get(0, missing);
  rig.get(0, rig.key_of(2, 1));
  // One that nobody holds.
  rig.get(0, rig.key_of(0, 1), in_mode(fetch_mode::peek));

  rig.await_rest();
  galaxy_stats expected;
  expected.gets = 12;
  expected.loads = 9;
  expected.coalesced_loads = 5;
  expected.maincache_hits = 1;
  expected.hotcache_hits = 1;
  expected.peer_loads = 6;
  expected.coalesced_peer_loads = 2;
  expected.peer_load_errors = 1;
  expected.backend_loads = 2;
  expected.coalesced_backend_loads = 2;
  expected.not_found = 2;
  expected.promotions = 2;
  auto first = rig.stats(0);
  expected.maincache = first.maincache;
  expected.hotcache = first.hotcache;
  expected.candidates = first.candidates;
#define GALAXYCACHE_X(name, text)                                              \
  BOOST_TEST(first.name == expected.name, #name << ": " << first.name);
  GALAXYCACHE_COUNTERS(GALAXYCACHE_X)
  BOOST_TEST(first.maincache.entries == 2u);
  BOOST_TEST(first.hotcache.entries == 2u);
  BOOST_TEST(first.maincache.bytes > 0u);
  BOOST_TEST(first.flights == 0u);
  BOOST_TEST(first.waiters == 0u);

  galaxy_stats of_owner;
  of_owner.gets = 2;
  of_owner.server_requests = 2;
  of_owner.loads = 2;
  of_owner.coalesced_loads = 2;
  of_owner.backend_loads = 2;
  of_owner.coalesced_backend_loads = 2;
  auto second = rig.stats(1);
  expected = of_owner;
#define GALAXYCACHE_Y(name, text)                                              \
  BOOST_TEST(second.name == expected.name, #name << ": " << second.name);
  GALAXYCACHE_COUNTERS(GALAXYCACHE_Y)

  galaxy_stats of_sick;
  of_sick.gets = 2;
  of_sick.server_requests = 2;
  of_sick.loads = 2;
  of_sick.coalesced_loads = 2;
  of_sick.backend_load_errors = 1;
  of_sick.not_found = 1;
  of_sick.failed = 1;
  auto third = rig.stats(2);
  expected = of_sick;
#define GALAXYCACHE_Z(name, text)                                              \
  BOOST_TEST(third.name == expected.name, #name << ": " << third.name);
  GALAXYCACHE_COUNTERS(GALAXYCACHE_Z)
#undef GALAXYCACHE_X
#undef GALAXYCACHE_Y
#undef GALAXYCACHE_Z
}

BOOST_AUTO_TEST_CASE(a_message_is_answered_with_the_same_numbers) {
  cluster_rig rig;
  for (std::size_t n = 0; n < 10; ++n)
    for (std::size_t owner : {0u, 1u})
      rig.get(0, rig.key_of(owner, n));
  rig.await_rest();
  for (std::size_t i : {0u, 1u}) {
    auto same = by_message(rig.system, *rig[i].g) == rig.stats(i);
    BOOST_TEST(same);
  }
}

BOOST_AUTO_TEST_CASE(a_hit_is_counted_once_in_whatever_way_it_is_asked_for) {
  cluster_options options;
  options.galaxy.promote = promote_all();
  cluster_rig rig{options};
  auto own = rig.key_of(0);
  auto hot = rig.key_of(1);
  rig.get(0, own);
  rig.get(0, hot);
  auto before = rig.stats(0);
  for (auto& key : {own, hot}) {
    rig.get(0, key);
    rig[0].g->find(key);
    rig[0].g->visit(key, [](const held&) {});
    rig.get_many(0, {key});
    caf::scoped_actor self{rig.system};
    request(self.ptr(), rig[0].g->actor(), get_atom_v, key)
      .receive([](const answer&) {}, [](const caf::error&) {});
  }
  auto after = rig.stats(0);
  BOOST_TEST(after.gets - before.gets == 10u);
  BOOST_TEST(after.maincache_hits - before.maincache_hits == 5u);
  BOOST_TEST(after.hotcache_hits - before.hotcache_hits == 5u);
  BOOST_TEST(after.loads == before.loads);
}

BOOST_AUTO_TEST_CASE(each_galaxy_counts_for_itself) {
  cluster_rig rig;
  auto other = rig[0].u->add_galaxy("other", 1 << 20, instant_backend());
  get_from(rig.system, other, rig.key_of(0));
  BOOST_TEST(other.stats().gets == 1u);
  BOOST_TEST(rig.stats(0).gets == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
