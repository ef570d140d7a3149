#include "fixtures/cluster_rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

BOOST_AUTO_TEST_SUITE(cluster_hot_keys)

BOOST_AUTO_TEST_CASE(a_hot_key_is_soon_held_by_all_who_ask_for_it) {
  cluster_options options;
  options.nodes = 4;
  cluster_rig rig{options};
  auto key = rig.key_of(3);
  for (std::size_t at = 0; at < 4; ++at)
    for (int i = 0; i < 100; ++i)
      BOOST_TEST(rig.get(at, key).content.bytes() == "value of " + key);
  for (std::size_t at = 0; at < 3; ++at) {
    BOOST_TEST(rig.stats(at).hotcache.entries == 1u);
    BOOST_TEST(rig.stats(at).hotcache_hits == 99u);
    BOOST_TEST(rig.stats(at).maincache.entries == 0u);
  }
  BOOST_TEST(rig.stats(3).server_requests == 3u);
  BOOST_TEST(rig[3].source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(a_key_asked_for_less_than_those_held_is_not_promoted) {
  cluster_options options;
  options.galaxy.promote = make_qps_promoter();
  cluster_rig rig{options};
  auto hot = rig.key_of(1);
  for (int i = 0; i < 1000; ++i)
    rig.get(0, hot);
  rig.time->advance(2s); // a fresh look at the hot cache
  auto cold = rig.key_of(1, 1);
  rig.get(0, cold);
  BOOST_TEST(rig.stats(0).hotcache.entries == 1u);
  BOOST_TEST(!rig[0].g->find(cold));
  BOOST_TEST(rig[0].g->find(hot).has_value());
}

BOOST_AUTO_TEST_CASE(a_promoted_value_expires_and_is_fetched_anew) {
  cluster_options options;
  options.galaxy.promote = promote_all();
  options.galaxy.get_ttl = {1min, 0s};
  cluster_rig rig{options};
  auto key = rig.key_of(1);
  rig[1].source->react([](auto, auto&) { return value::copy("old"); });
  rig.get(0, key);
  rig[1].source->react([](auto, auto&) { return value::copy("new"); });
  rig.time->advance(1min - 1ns);
  BOOST_TEST(rig.get(0, key).content.bytes() == "old");
  rig.time->advance(1ns);
  auto got = rig.get(0, key);
  BOOST_TEST(got.content.bytes() == "new");
  BOOST_TEST(got.content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(expired_values_are_swept_though_nobody_asks_for_them) {
  cluster_options options;
  options.galaxy.promote = promote_all();
  options.galaxy.get_ttl = {1min, 0s};
  cluster_rig rig{options};
  for (std::size_t n = 0; n < 100; ++n)
    for (std::size_t owner : {0u, 1u})
      rig.get(0, rig.key_of(owner, n));
  BOOST_TEST(rig.stats(0).hotcache.entries == 100u);
  BOOST_TEST(rig.stats(0).maincache.entries == 100u);
  rig.advance_until(10s, [&] {
    auto x = rig.stats(0);
    return x.hotcache.entries == 0 && x.maincache.entries == 0;
  });
}

BOOST_AUTO_TEST_CASE(a_promoter_that_throws_does_not_promote) {
  cluster_options options;
  options.galaxy.promote
    = make_promoter([](std::string_view, const value&,
                       const promotion_stats&) -> bool { throw 1; });
  cluster_rig rig{options};
  for (int i = 0; i < 2; ++i)
    BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::peer);
  BOOST_TEST(rig.stats(0).cache_restarts == 0u);
}

BOOST_AUTO_TEST_CASE(a_value_that_becomes_ones_own_is_held_once) {
  cluster_options options;
  options.galaxy.promote = promote_all();
  cluster_rig rig{options};
  auto key = rig.key_of(1);
  rig.get(0, key);
  BOOST_TEST(rig.stats(0).hotcache.entries == 1u);
  rig[0].u->remove_peers({"node1"});
  // What is hot stays so while it lives.
  BOOST_TEST(rig.get(0, key).content.level == hit_level::hot);
  BOOST_TEST(rig[0].g->owner_of(key) == "node0");
  BOOST_TEST(rig.stats(0).maincache.entries == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
