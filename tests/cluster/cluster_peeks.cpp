#include "fixtures/cluster_rig.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

cluster_options peeking(placement_kind kind = placement_kind::rendezvous) {
  cluster_options options;
  options.nodes = 3;
  options.placement.kind = kind;
  options.galaxy.peek = peek_options{10ms, 5min};
  return options;
}

const placement_kind all_placements[] = {placement_kind::rendezvous,
                                         placement_kind::hash_ring_crc32,
                                         placement_kind::hash_ring_fnv1a};

/// A ring of the nodes but the first, which is about to join.
struct young_node {
  explicit young_node(cluster_options options)
    : rig((options.joined = false, options)) {
    for (std::size_t i = 1; i < rig.size(); ++i)
      rig[i].u->set_peers(others());
    for (std::size_t i = 1; i < rig.size(); ++i)
      rig.await_up(i);
  }

  std::vector<peer_info> others() {
    auto all = rig.infos();
    all.erase(all.begin());
    return all;
  }

  void join() {
    for (std::size_t i = 0; i < rig.size(); ++i)
      rig.join(i);
    for (std::size_t i = 0; i < rig.size(); ++i)
      rig.await_up(i);
  }

  cluster_rig rig;
};

} // namespace

namespace galaxycache {

std::ostream& operator<<(std::ostream& out, placement_kind kind) {
  return out << static_cast<int>(kind);
}

} // namespace galaxycache

BOOST_AUTO_TEST_SUITE(cluster_peeks)

BOOST_DATA_TEST_CASE(a_joining_node_finds_its_keys_at_who_had_them_before,
                     all_placements, kind) {
  young_node fresh{peeking(kind)};
  auto& rig = fresh.rig;
  // All of them are in somebody's cache; each at its owner without node 0.
  std::vector<std::string> keys;
  for (std::size_t n = 0; n < 30; ++n) {
    keys.push_back(rig.key_of(0, n));
    BOOST_TEST(rig.get(1, keys.back()).content.found());
  }
  auto loads = rig[1].source->calls() + rig[2].source->calls();
  BOOST_TEST(loads == keys.size());
  fresh.join();
  for (auto& key : keys) {
    auto got = rig.get(0, key);
    BOOST_TEST(got.content.level == hit_level::peek);
    BOOST_TEST(got.content.bytes() == "value of " + key);
    BOOST_TEST(rig.get(0, key).content.level == hit_level::main);
  }
  BOOST_TEST(rig[0].source->calls() == 0u);
  BOOST_TEST(rig[1].source->calls() + rig[2].source->calls() == loads);
  auto stats = rig.stats(0);
  BOOST_TEST(stats.coalesced_peer_peeks == keys.size());
  BOOST_TEST(stats.coalesced_peer_peek_hits == keys.size());
  BOOST_TEST(stats.peer_peeks == keys.size());
}

BOOST_AUTO_TEST_CASE(a_peek_that_misses_goes_on_to_the_backend) {
  cluster_rig rig{peeking()};
  auto got = rig.get(0, rig.key_of(0));
  BOOST_TEST(got.content.level == hit_level::backend);
  auto stats = rig.stats(0);
  BOOST_TEST(stats.coalesced_peer_peeks == 1u);
  BOOST_TEST(stats.coalesced_peer_peek_hits == 0u);
  BOOST_TEST(stats.coalesced_peer_peek_errors == 0u);
  // The one peeked at has loaded nothing.
  BOOST_TEST(rig[1].source->calls() + rig[2].source->calls() == 0u);
  BOOST_TEST(rig.stats(rig.heir_of(rig.key_of(0))).server_requests == 1u);
}

BOOST_AUTO_TEST_CASE(a_peek_that_takes_too_long_goes_on_to_the_backend) {
  cluster_rig rig{peeking()};
  auto key = rig.key_of(0);
  rig.net.freeze(rig[rig.heir_of(key)].id);
  rig.ask(0, key);
  eventually([&] { return rig.stats(0).coalesced_peer_peeks == 1; });
  // The peek has left, or is about to; its time ends all the same.
  rig.advance_until(12ms, [&] { return rig.book->owed() == 0; });
  BOOST_TEST(rig.book->at(0).content.level == hit_level::backend);
  BOOST_TEST(rig.stats(0).coalesced_peer_peek_errors == 1u);
  rig.net.heal();
}

BOOST_AUTO_TEST_CASE(
  a_peek_that_may_take_forever_takes_no_longer_than_the_get) {
  auto options = peeking();
  options.galaxy.peek->timeout = std::chrono::nanoseconds::max();
  young_node fresh{options};
  auto& rig = fresh.rig;
  auto key = rig.key_of(0);
  rig.get(1, key);
  fresh.join();
  BOOST_TEST(rig.get(0, key).content.level == hit_level::peek);
}

BOOST_AUTO_TEST_CASE(a_peek_at_who_is_down_goes_on_to_the_backend_at_once) {
  cluster_rig rig{peeking()};
  auto key = rig.key_of(0);
  auto heir = rig.heir_of(key);
  rig.net.cut("node0", rig[heir].id);
  rig.await_peer(0, heir, peer_state::down);
  BOOST_TEST(rig.get(0, key).content.level == hit_level::backend);
  BOOST_TEST(rig.stats(0).coalesced_peer_peek_errors == 1u);
}

BOOST_AUTO_TEST_CASE(after_the_warm_time_nobody_is_peeked_at) {
  cluster_rig rig{peeking()};
  rig.time->advance(5min - 1ns);
  rig.get(0, rig.key_of(0));
  BOOST_TEST(rig.stats(0).coalesced_peer_peeks == 1u);
  rig.time->advance(1ns);
  rig.get(0, rig.key_of(0, 1));
  BOOST_TEST(rig.stats(0).coalesced_peer_peeks == 1u);
}

BOOST_AUTO_TEST_CASE(without_the_option_nobody_is_peeked_at) {
  auto options = peeking();
  options.galaxy.peek.reset();
  cluster_rig rig{options};
  rig.get(0, rig.key_of(0));
  BOOST_TEST(rig.stats(0).coalesced_peer_peeks == 0u);
}

BOOST_AUTO_TEST_CASE(keys_of_others_are_not_peeked_for) {
  cluster_rig rig{peeking()};
  rig[1].source->react([](auto, auto&) {
    return failure{errc::backend_failed, "no"};
  });
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::backend);
  BOOST_TEST(rig.stats(0).coalesced_peer_peeks == 0u);
}

BOOST_AUTO_TEST_CASE(a_value_peeked_at_lives_no_longer_than_the_peek_ttl) {
  auto options = peeking();
  options.galaxy.get_ttl = {1h, 0s};
  options.galaxy.peek_ttl = ttl_cap{1min, 0s};
  young_node fresh{options};
  auto& rig = fresh.rig;
  auto key = rig.key_of(0);
  auto start = rig.time->wall_now();
  BOOST_TEST((rig.get(1, key).content.expiry == start + 1h));
  fresh.join();
  auto got = rig.get(0, key);
  BOOST_TEST(got.content.level == hit_level::peek);
  BOOST_TEST((got.content.expiry == start + 1min));
}

BOOST_AUTO_TEST_CASE(the_peek_ttl_is_the_get_ttl_unless_set) {
  auto options = peeking();
  options.galaxy.get_ttl = {1h, 0s};
  young_node fresh{options};
  auto& rig = fresh.rig;
  auto key = rig.key_of(0);
  auto expiry = rig.time->wall_now() + 30min;
  for (std::size_t i : {1u, 2u})
    rig[i].source->react([=](auto k, auto&) {
      return loaded{value::copy(k), expiry};
    });
  rig.get(1, key);
  fresh.join();
  BOOST_TEST((rig.get(0, key).content.expiry == expiry));
}

BOOST_AUTO_TEST_CASE(a_value_that_has_expired_where_it_was_is_no_hit) {
  young_node fresh{peeking()};
  auto& rig = fresh.rig;
  auto key = rig.key_of(0);
  auto expiry = rig.time->wall_now() + 1s;
  for (std::size_t i : {1u, 2u})
    rig[i].source->react([=](auto k, auto&) {
      return loaded{value::copy(k), expiry};
    });
  rig.get(1, key);
  fresh.join();
  rig.time->advance(1s);
  BOOST_TEST(rig.get(0, key).content.level == hit_level::backend);
}

BOOST_AUTO_TEST_SUITE_END()
