// What an owner that is away costs the others, and the backend.

#include "fixtures/cluster_rig.hpp"

#include "galaxycache/testing/cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

cluster_options lively(std::size_t nodes) {
  cluster_options result;
  result.nodes = nodes;
  result.peers = lively_peers();
  return result;
}

/// Three nodes or more; the one with this number is known to be gone.
struct one_gone {
  static constexpr std::size_t gone = 1;

  explicit one_gone(cluster_options options = lively(4)) : rig(options) {
    rig.crash(gone);
    for (std::size_t i = 0; i < rig.size(); ++i)
      if (i != gone)
        rig.await_peer(i, gone, peer_state::down);
  }

  std::size_t calls() {
    std::size_t result = 0;
    for (std::size_t i = 0; i < rig.size(); ++i)
      if (i != gone)
        result += rig[i].source->calls();
    return result;
  }

  cluster_rig rig;
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_outages)

BOOST_AUTO_TEST_CASE(keys_of_a_dead_owner_are_loaded_once_by_its_successor) {
  one_gone all;
  auto& rig = all.rig;
  for (std::size_t n = 0; n < 20; ++n) {
    auto key = rig.key_of(all.gone, n);
    for (std::size_t at : {0u, 2u, 3u}) {
      auto got = rig.get(at, key);
      BOOST_TEST(got.content.bytes() == "value of " + key);
      auto heir = rig.heir_of(key);
      if (at != heir) {
        BOOST_TEST(got.content.level == hit_level::peer);
        BOOST_TEST(got.content.owner.bytes() == rig[heir].id);
      }
      BOOST_TEST(rig[heir].source->calls_of(key) == 1u);
    }
  }
  BOOST_TEST(all.calls() == 20u);
}

BOOST_AUTO_TEST_CASE(
  what_is_kept_for_another_is_kept_briefly_and_not_promoted) {
  auto options = lively(3);
  options.galaxy.promote = promote_all();
  options.peers = calm_peers(); // while the clock leaps
  one_gone all{options};
  auto& rig = all.rig;
  auto key = rig.key_of(all.gone);
  auto heir = rig.heir_of(key);
  auto other = heir == 0 ? 2u : 0u;
  BOOST_TEST(rig.get(other, key).content.level == hit_level::peer);
  BOOST_TEST(!rig[other].g->find(key));
  auto kept = rig[heir].g->find(key);
  BOOST_REQUIRE(kept);
  BOOST_TEST((kept->expiry == rig.time->wall_now() + gutter_ttl_max));
  rig.time->advance(gutter_ttl_max - 1ms);
  rig.get(other, key);
  BOOST_TEST(all.calls() == 1u);
  rig.time->advance(1ms);
  rig.get(other, key);
  BOOST_TEST(all.calls() == 2u);
}

BOOST_AUTO_TEST_CASE(an_owner_that_is_back_is_asked_again) {
  one_gone all;
  auto& rig = all.rig;
  auto key = rig.key_of(all.gone);
  auto at = rig.heir_of(key) == 0 ? 2u : 0u;
  rig.get(at, key);
  rig.start(all.gone);
  rig.join(all.gone);
  rig.advance_until(50ms, [&] {
    return rig.state_of_peer(at, all.gone) == peer_state::up;
  });
  auto got = rig.get(at, key);
  BOOST_TEST(got.content.owner.bytes() == rig[all.gone].id);
  BOOST_TEST(rig[all.gone].source->calls_of(key) == 1u);
}

BOOST_AUTO_TEST_CASE(loads_for_a_ring_that_is_gone_are_bounded) {
  auto options = lively(4);
  options.galaxy.fallbacks_per_second = 5;
  cluster_rig rig{options};
  for (std::size_t i : {1u, 2u, 3u})
    rig.crash(i);
  for (std::size_t i : {1u, 2u, 3u})
    rig.await_peer(0, i, peer_state::down);
  std::size_t refused = 0;
  std::size_t for_others = 0;
  for (std::size_t n = 0; n < 30; ++n) {
    auto key = rig.key_of(1, n);
    auto got = rig.get(0, key);
    if (rig.heir_of(key) == 0) {
      BOOST_TEST(got.found()); // as a successor
      continue;
    }
    ++for_others;
    if (got.code == errc::overloaded)
      ++refused;
    else
      BOOST_TEST(got.found());
  }
  BOOST_REQUIRE(for_others > 5u);
  BOOST_TEST(refused == for_others - 5u);
  BOOST_TEST(rig.stats(0).fallbacks_refused == refused);
  rig.time->advance(1s);
  auto key = rig.key_of(2, 0);
  BOOST_TEST(rig.get(0, key).found());
}

BOOST_AUTO_TEST_CASE(own_keys_are_loaded_whatever_the_others_do) {
  auto options = lively(3);
  options.galaxy.fallbacks_per_second = 0;
  one_gone all{options};
  for (std::size_t n = 0; n < 20; ++n)
    BOOST_TEST(all.rig.get(0, all.rig.key_of(0, n)).found());
}

// Its server answers pings, but what it loads hangs.
BOOST_AUTO_TEST_CASE(a_peer_that_fails_too_often_is_left_alone_for_a_while) {
  testing::cluster c;
  c.add_galaxy("things");
  c.script([](std::size_t node, const std::string&, const std::string&) {
    testing::reaction result;
    if (node == 1)
      result.what = testing::reaction::kind::never;
    return result;
  });
  auto home = c.galaxy_of(0, "things");
  std::vector<std::string> keys;
  for (int i = 0; keys.size() < 30; ++i)
    if (auto key = "key " + std::to_string(i); home.owner_of(key) == "node1")
      keys.push_back(key);
  std::vector<std::size_t> asked;
  for (std::size_t n = 0; n < 20; ++n)
    asked.push_back(c.ask(0, "things", keys[n], {}));
  c.advance(1100ms);
  for (auto id : asked) {
    BOOST_TEST(c.result(id).found());
    BOOST_TEST(((c.result(id).answered - c.result(id).asked) > 900ms));
  }
  // Nobody waits for it now, though it is taken to be alive.
  BOOST_TEST((c.state_of(0, 1) == peer_state::up));
  auto left_alone = c.get(0, "things", keys[20], {});
  BOOST_TEST(left_alone.found());
  BOOST_TEST((left_alone.answered - left_alone.asked < 100ms));
  // After the pause it is asked again, and all is as it was.
  c.script(nullptr);
  c.advance(1500ms);
  BOOST_TEST(c.get(0, "things", keys[21], {}).content.owner.bytes() == "node1");
}

BOOST_AUTO_TEST_SUITE_END()
