#include "fixtures/cluster_rig.hpp"

#include "galaxycache/runtime/caf/actor.hpp"

#include <caf/scoped_actor.hpp>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <set>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

cluster_options strangers(std::size_t nodes) {
  cluster_options options;
  options.nodes = nodes;
  options.joined = false;
  options.galaxy.promote = promote_none();
  return options;
}

std::set<std::string> ids_of(const universe& u) {
  std::set<std::string> result;
  for (auto& x : u.peers())
    result.insert(x.info.id);
  return result;
}

using ids = std::set<std::string>;

/// The code and the words of the exception that `f` throws.
template <class F>
failure refusal_of(F f) {
  try {
    f();
  } catch (const exception& thrown) {
    return {thrown.code(), thrown.what()};
  }
  return {};
}

const placement_kind all_placements[] = {placement_kind::rendezvous,
                                         placement_kind::hash_ring_crc32,
                                         placement_kind::hash_ring_fnv1a};

} // namespace

namespace galaxycache {

static std::ostream& operator<<(std::ostream& out, placement_kind kind) {
  return out << static_cast<int>(kind);
}

} // namespace galaxycache

BOOST_AUTO_TEST_SUITE(cluster_membership)

BOOST_AUTO_TEST_CASE(at_first_a_universe_is_its_only_member) {
  cluster_rig rig{strangers(1)};
  BOOST_TEST((ids_of(*rig[0].u) == ids{"node0"}));
  auto self = rig[0].u->peers().front();
  BOOST_TEST(self.state == peer_state::self);
  BOOST_TEST(self.info.uri == "inproc://node0");
  BOOST_TEST(rig.get(0, rig.key_of(0)).content.owner.bytes() == "node0");
}

BOOST_AUTO_TEST_CASE(a_list_without_self_takes_self_out_of_the_ring) {
  cluster_rig rig{strangers(2)};
  rig[0].u->set_peers({rig.info(1)});
  BOOST_TEST((ids_of(*rig[0].u) == ids{"node1"}));
  for (std::size_t n = 0; n < 10; ++n)
    BOOST_TEST(rig.get(0, rig.key_of(0, n)).content.level == hit_level::peer);
  rig[0].u->set_peers({rig.info(0), rig.info(1)});
  BOOST_TEST((ids_of(*rig[0].u) == ids{"node0", "node1"}));
  BOOST_TEST(rig.get(0, rig.key_of(0, 10)).content.level == hit_level::backend);
}

BOOST_AUTO_TEST_CASE(members_come_and_go_one_by_one) {
  cluster_rig rig{strangers(4)};
  auto& u = *rig[0].u;
  u.add_peer(rig.info(1));
  u.add_peer(rig.info(2));
  u.add_peer(rig.info(3));
  BOOST_TEST((ids_of(u) == ids{"node0", "node1", "node2", "node3"}));
  u.remove_peers({"node1", "nobody", "node3", ""});
  BOOST_TEST((ids_of(u) == ids{"node0", "node2"}));
  u.remove_peers({});
  u.remove_peers({"node1"});
  BOOST_TEST((ids_of(u) == ids{"node0", "node2"}));
  u.set_peers({});
  BOOST_TEST(u.peers().empty());
}

BOOST_AUTO_TEST_CASE(self_leaves_and_enters_in_all_ways) {
  cluster_rig rig{strangers(2)};
  auto& u = *rig[0].u;
  u.add_peer(rig.info(1));
  u.include_self(false);
  BOOST_TEST((ids_of(u) == ids{"node1"}));
  u.include_self(false);
  u.include_self(true);
  BOOST_TEST((ids_of(u) == ids{"node0", "node1"}));
  u.remove_peers({"node0"});
  BOOST_TEST((ids_of(u) == ids{"node1"}));
  // Its address means nothing, and so may be empty.
  u.add_peer({"node0", "", 1});
  BOOST_TEST((ids_of(u) == ids{"node0", "node1"}));
}

BOOST_AUTO_TEST_CASE(a_ring_without_members_still_answers_by_the_own_backend) {
  cluster_rig rig{strangers(1)};
  rig[0].u->set_peers({});
  auto key = rig.key_of(0);
  BOOST_TEST(rig.get(0, key).content.level == hit_level::backend);
  BOOST_TEST(rig.get(0, key).content.level == hit_level::main);
}

BOOST_AUTO_TEST_CASE(a_ring_of_members_without_weight_does_so_too) {
  cluster_rig rig{strangers(2)};
  auto me = rig.info(0);
  auto other = rig.info(1);
  me.weight = other.weight = 0;
  rig[0].u->set_peers({me, other});
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::backend);
  BOOST_TEST(rig.get(0, rig.key_of(0)).content.level == hit_level::backend);
}

BOOST_AUTO_TEST_CASE(a_member_without_weight_owns_nothing) {
  cluster_rig rig{strangers(2)};
  auto other = rig.info(1);
  other.weight = 0;
  rig[0].u->set_peers({rig.info(0), other});
  for (std::size_t n = 0; n < 20; ++n)
    BOOST_TEST(rig.get(0, rig.key_of(1, n)).content.level
               == hit_level::backend);
  // Only its weight changes: the connection stays.
  rig.await_up(0);
  other.weight = 1;
  rig[0].u->add_peer(other);
  BOOST_TEST((rig.state_of_peer(0, 1) == peer_state::up));
  BOOST_TEST(rig.get(0, rig.key_of(1, 20)).content.level == hit_level::peer);
  BOOST_TEST(rig.lines->count(log_level::info, "is up") == 1u);
}

BOOST_AUTO_TEST_CASE(bad_addresses_are_refused_and_change_nothing) {
  cluster_rig rig{strangers(3)};
  auto& u = *rig[0].u;
  u.set_peers({rig.info(0), rig.info(1)});
  const peer_info bad[] = {
    {"x", "", 1},
    {"x", "inproc://", 1},
    {"x", "carrier-pigeon://north", 1},
    {"x", "pigeon://north", 1},
    {"x", "inproc://a b", 1},
    {"x", "caf://host:99999", 1},
    {"x", "caf://host:port", 1},
    {"x", "inproc://a\nb", 1},
    {"", "inproc://node2", 1},
    {std::string(1025, 'x'), "inproc://node2", 1},
  };
  for (auto& x : bad) {
    auto added = refusal_of([&] { u.add_peer(x); });
    BOOST_TEST(added.code == errc::invalid_argument);
    BOOST_TEST(added.reason.size() > 20u);
    // The good ones beside it are not taken either.
    auto set = refusal_of([&] { u.set_peers({rig.info(2), x}); });
    BOOST_TEST(set.code == errc::invalid_argument);
    BOOST_TEST((ids_of(u) == ids{"node0", "node1"}));
  }
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(too_many_members_are_refused) {
  cluster_rig rig{strangers(1)};
  std::vector<peer_info> many;
  for (int i = 0; i < 10'001; ++i)
    many.push_back({"peer" + std::to_string(i), "inproc://nobody", 1});
  auto said = refusal_of([&] { rig[0].u->set_peers(many); });
  BOOST_TEST(said.code == errc::invalid_argument);
  BOOST_TEST((ids_of(*rig[0].u) == ids{"node0"}));
}

BOOST_AUTO_TEST_CASE(of_several_members_with_one_id_the_last_counts) {
  cluster_rig rig{strangers(3)};
  auto wrong = rig.info(1);
  wrong.uri = "inproc://node2";
  rig[0].u->set_peers({wrong, rig.info(0), rig.info(1)});
  rig.await_up(0);
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.owner.bytes() == "node1");
  BOOST_TEST(rig[1].source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(a_known_id_with_a_new_address_is_connected_anew) {
  cluster_rig rig{strangers(2)};
  // Another universe of the same id has taken over at another address.
  scripted_backend source;
  auto how = options_on(rig.net, "other", rig.lines);
  how.self = "node1";
  how.time = rig.time;
  universe twin{rig.system, how};
  twin.add_galaxy("things", 1 << 20, source.in(rig.system));
  rig[0].u->set_peers({rig.info(0), rig.info(1)});
  rig.await_up(0);
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::peer);
  BOOST_TEST(rig[1].source->calls() == 1u);
  for (auto absolute : {true, false}) {
    peer_info moved{"node1", "inproc://other", 1};
    if (absolute)
      rig[0].u->set_peers({rig.info(0), moved});
    else
      rig[0].u->add_peer(moved);
    rig.await_up(0);
    auto before = source->calls();
    auto key = rig.key_of(1, absolute ? 1 : 2);
    BOOST_TEST(rig.get(0, key).content.level == hit_level::peer);
    BOOST_TEST(source->calls() == before + 1);
    rig[0].u->add_peer(rig.info(1));
  }
  rig.await_up(0);
  BOOST_TEST(rig.get(0, rig.key_of(1, 3)).content.level == hit_level::peer);
  BOOST_TEST(rig[1].source->calls() == 2u);
}

BOOST_DATA_TEST_CASE(all_nodes_agree_on_every_owner_however_they_learnt_it,
                     all_placements, kind) {
  auto options = strangers(5);
  options.placement.kind = kind;
  cluster_rig rig{options};
  rig.join(0);
  for (std::size_t i = 1; i < 5; ++i) {
    auto& u = *rig[i].u;
    switch (i) {
      case 1: // one by one
        for (auto& x : rig.infos())
          u.add_peer(x);
        break;
      case 2: { // backwards, with detours
        auto all = rig.infos();
        for (auto x = all.rbegin(); x != all.rend(); ++x)
          u.add_peer(*x);
        u.remove_peers({"node0", "node4"});
        u.add_peer(rig.info(4));
        u.add_peer(rig.info(0));
        break;
      }
      case 3: { // without itself at first
        auto all = rig.infos();
        all.erase(all.begin() + 3);
        u.set_peers(all);
        u.include_self(true);
        break;
      }
      default:
        rig.join(i);
    }
  }
  for (std::size_t i = 0; i < 5; ++i)
    rig.await_up(i);
  for (std::size_t owner = 0; owner < 5; ++owner)
    for (std::size_t n = 0; n < 5; ++n)
      for (std::size_t at = 0; at < 5; ++at) {
        auto key = rig.key_of(owner, n);
        BOOST_TEST(rig.get(at, key).content.bytes() == "value of " + key);
        BOOST_TEST(rig[at].g->owner_of(key) == rig[owner].id);
      }
  for (std::size_t i = 0; i < 5; ++i) {
    BOOST_TEST(rig[i].source->calls() == 5u);
    BOOST_TEST(rig.stats(i).view_mismatches == 0u);
  }
}

BOOST_AUTO_TEST_CASE(universes_with_other_placements_only_peek_at_each_other) {
  cluster_rig rig{strangers(1)};
  auto how = options_on(rig.net, "odd", rig.lines);
  how.placement.kind = placement_kind::hash_ring_crc32;
  how.time = rig.time;
  universe odd{rig.system, how};
  auto g = odd.add_galaxy("things", 1 << 20, instant_backend());
  peer_info other{"odd", "inproc://odd", 1};
  rig[0].u->set_peers({other});
  odd.set_peers({rig.info(0)});
  rig.await_up(0);
  for (std::size_t n = 0; n < 5; ++n)
    BOOST_TEST(rig.get(0, rig.key_of(0, n)).content.level
               == hit_level::backend);
  BOOST_TEST(g.stats().server_requests == 0u);
  BOOST_TEST(rig.stats(0).peer_load_errors == 0u);
  // Each end says so, once.
  BOOST_TEST(rig.lines->count(log_level::warning, "finds the owners of keys")
             >= 1u);
}

BOOST_AUTO_TEST_CASE(universes_that_see_other_members_serve_each_other) {
  cluster_rig rig{strangers(1)};
  auto how = options_on(rig.net, "odd", rig.lines);
  how.time = rig.time;
  universe odd{rig.system, how};
  auto g = odd.add_galaxy("things", 1 << 20, instant_backend());
  rig[0].u->set_peers({{"odd", "inproc://odd", 1}});
  odd.set_peers({rig.info(0)});
  rig.await_up(0);
  BOOST_TEST(rig.get(0, rig.key_of(0)).content.level == hit_level::peer);
  BOOST_TEST(g.stats().server_requests == 1u);
  BOOST_TEST(g.stats().view_mismatches == 1u);
}

BOOST_AUTO_TEST_CASE(a_change_of_the_ring_does_not_disturb_a_flight) {
  auto options = strangers(3);
  cluster_rig rig{options};
  rig[0].u->set_peers({rig.info(0), rig.info(1)});
  rig.await_up(0);
  // A key of node 1 now, of node 2 later.
  std::size_t n = 0;
  rig[1].source.hold();
  auto key = rig.key_of(2, n);
  while (rig.heir_of(key) != 1)
    key = rig.key_of(2, ++n);
  rig.ask(0, key);
  eventually([&] { return rig[1].source->held() == 1; });
  rig.join(0);
  // Who comes later joins the flight.
  rig.ask(0, key);
  eventually([&] { return rig.stats(0).waiters == 2; });
  rig[1].source.release();
  rig.await_answers();
  for (std::size_t i : {0u, 1u}) {
    BOOST_TEST(rig.book->at(i).content.level == hit_level::peer);
    BOOST_TEST(rig.book->at(i).content.owner.bytes() == "node1");
  }
  BOOST_TEST(rig[2].source->calls() == 0u);
  // The next flight sees the new ring.
  BOOST_TEST(rig.get(0, key).content.owner.bytes() == "node2");
}

BOOST_AUTO_TEST_CASE(a_fetch_from_a_removed_peer_is_tried_at_the_next_owner) {
  cluster_options options;
  options.nodes = 3;
  cluster_rig rig{options};
  std::size_t n = 0;
  auto key = rig.key_of(1, n);
  while (rig.heir_of(key) != 2)
    key = rig.key_of(1, ++n);
  rig[1].source.hold();
  rig.ask(0, key);
  eventually([&] { return rig[1].source->held() == 1; });
  rig[0].u->remove_peers({"node1"});
  rig.await_answers();
  auto got = rig.book->at(0);
  BOOST_TEST(got.content.level == hit_level::peer);
  BOOST_TEST(got.content.owner.bytes() == "node2");
  BOOST_TEST(rig[0].source->calls() == 0u);
}

BOOST_AUTO_TEST_CASE(a_fetch_from_a_removed_peer_is_then_loaded_here) {
  cluster_options options;
  options.nodes = 3;
  cluster_rig rig{options};
  // The next owner is this node itself.
  std::size_t n = 0;
  auto key = rig.key_of(1, n);
  while (rig.heir_of(key) != 0)
    key = rig.key_of(1, ++n);
  rig[1].source.hold();
  rig.ask(0, key);
  eventually([&] { return rig[1].source->held() == 1; });
  rig[0].u->remove_peers({"node1"});
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).content.level == hit_level::backend);
  BOOST_TEST(rig.book->at(0).content.owner.bytes() == "node0");
}

BOOST_AUTO_TEST_CASE(a_fetch_is_tried_at_two_owners_and_no_more) {
  cluster_options options;
  options.nodes = 4;
  cluster_rig rig{options};
  std::size_t n = 0;
  auto key = rig.key_of(1, n);
  while (rig.heir_of(key) != 2)
    key = rig.key_of(1, ++n);
  rig[1].source.hold();
  rig[2].source.hold();
  rig.ask(0, key);
  eventually([&] { return rig[1].source->held() == 1; });
  rig[0].u->remove_peers({"node1"});
  eventually([&] { return rig[2].source->held() == 1; });
  rig[0].u->remove_peers({"node2"});
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).content.level == hit_level::backend);
  BOOST_TEST(rig[3].source->calls() == 0u);
}

BOOST_AUTO_TEST_CASE(a_peer_that_comes_back_right_after_it_went_is_used) {
  cluster_rig rig;
  for (std::size_t n = 0; n < 50; ++n) {
    rig[0].u->remove_peers({"node1"});
    rig[0].u->add_peer(rig.info(1));
  }
  rig.await_up(0);
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(connections_that_nobody_needs_leave_nothing_behind) {
  cluster_rig rig;
  auto resting = rig[0].u->actors_alive();
  auto peers_of_1 = rig[1].u->actors_alive();
  for (std::size_t n = 0; n < 20; ++n) {
    rig[0].u->remove_peers({"node1"});
    rig[0].u->add_peer(rig.info(1));
    rig.await_up(0);
  }
  eventually([&] { return rig[0].u->actors_alive() == resting; });
  BOOST_TEST(rig[1].u->actors_alive() == peers_of_1);
}

BOOST_AUTO_TEST_CASE(the_ring_takes_messages_from_actors) {
  cluster_rig rig{strangers(2)};
  caf::scoped_actor self{rig.system};
  auto& ring = rig[0].u->ring();
  auto no_error = [](const caf::error& why) { BOOST_ERROR(describe(why)); };
  request(self.ptr(), ring, join_atom_v, rig.info(1)).receive([] {}, no_error);
  request(self.ptr(), ring, self_atom_v, false).receive([] {}, no_error);
  request(self.ptr(), ring, list_atom_v)
    .receive(
      [](const std::vector<peer_status>& all) {
        BOOST_TEST_REQUIRE(all.size() == 1u);
        BOOST_TEST(all.front().info.id == "node1");
      },
      no_error);
  request(self.ptr(), ring, leave_atom_v, name_list{{"node1"}})
    .receive([] {}, no_error);
  request(self.ptr(), ring, set_atom_v,
          std::vector<peer_info>{{"x", "nonsense://", 1}})
    .receive([] { BOOST_ERROR("an address that makes no sense was taken"); },
             [](const caf::error& why) {
               BOOST_TEST(code_of(why) == errc::invalid_argument);
             });
  BOOST_TEST(rig[0].u->peers().empty());
}

BOOST_AUTO_TEST_SUITE_END()
