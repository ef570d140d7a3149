#include "fixtures/cluster_rig.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

cluster_options keeping_nothing_hot() {
  cluster_options options;
  options.galaxy.promote = promote_none();
  return options;
}

cluster_options keeping_all_hot() {
  cluster_options options;
  options.galaxy.promote = promote_all();
  return options;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_gets)

BOOST_AUTO_TEST_CASE(a_key_of_ones_own_comes_from_the_backend_and_then_main) {
  cluster_rig rig;
  auto key = rig.key_of(0);
  auto first = rig.get(0, key);
  BOOST_TEST(first.content.bytes() == "value of " + key);
  BOOST_TEST(first.content.level == hit_level::backend);
  BOOST_TEST(first.content.owner.bytes() == "node0");
  auto second = rig.get(0, key);
  BOOST_TEST(second.content.bytes() == "value of " + key);
  BOOST_TEST(second.content.level == hit_level::main);
  BOOST_TEST(second.content.owner.empty());
  BOOST_TEST(rig[0].source->calls() == 1u);
  BOOST_TEST(rig[1].source->calls() == 0u);
}

BOOST_AUTO_TEST_CASE(a_key_of_another_comes_from_its_owner) {
  cluster_rig rig{keeping_nothing_hot()};
  auto key = rig.key_of(1);
  auto got = rig.get(0, key);
  BOOST_TEST(got.content.bytes() == "value of " + key);
  BOOST_TEST(got.content.level == hit_level::peer);
  BOOST_TEST(got.content.owner.bytes() == "node1");
  BOOST_TEST(rig[0].source->calls() == 0u);
  BOOST_TEST(rig[1].source->calls() == 1u);
  // The owner keeps it, whoever asked.
  BOOST_TEST(rig.get(1, key).content.level == hit_level::main);
}

BOOST_AUTO_TEST_CASE(a_value_that_is_not_promoted_is_cached_nowhere_here) {
  cluster_rig rig{keeping_nothing_hot()};
  auto key = rig.key_of(1);
  rig.get(0, key);
  auto held = rig.stats(0);
  BOOST_TEST(held.maincache.entries == 0u);
  BOOST_TEST(held.hotcache.entries == 0u);
  BOOST_TEST(held.promotions == 0u);
  BOOST_TEST(!rig[0].g->find(key));
  BOOST_TEST(rig.get(0, key).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(a_promoted_value_comes_from_the_hot_cache) {
  cluster_rig rig{keeping_all_hot()};
  auto key = rig.key_of(1);
  rig.get(0, key);
  auto got = rig.get(0, key);
  BOOST_TEST(got.content.bytes() == "value of " + key);
  BOOST_TEST(got.content.level == hit_level::hot);
  BOOST_TEST(got.content.owner.empty());
  BOOST_TEST(rig.stats(0).maincache.entries == 0u);
}

BOOST_AUTO_TEST_CASE(a_peek_asks_nobody_and_a_miss_is_not_found) {
  cluster_rig rig;
  for (auto key : {rig.key_of(0), rig.key_of(1)}) {
    auto got = rig.get(0, key, in_mode(fetch_mode::peek));
    BOOST_TEST(got.code == errc::none);
    BOOST_TEST(!got.content.found());
  }
  BOOST_TEST(rig[0].source->calls() + rig[1].source->calls() == 0u);
  BOOST_TEST(rig.stats(1).server_requests == 0u);
  rig.get(0, rig.key_of(0));
  auto hit = rig.get(0, rig.key_of(0), in_mode(fetch_mode::peek));
  BOOST_TEST(hit.content.level == hit_level::main);
}

BOOST_AUTO_TEST_CASE(without_the_peers_backend_the_own_one_is_asked) {
  cluster_rig rig;
  auto key = rig.key_of(1);
  auto got = rig.get(0, key, in_mode(fetch_mode::no_peer_backend));
  BOOST_TEST(got.content.level == hit_level::backend);
  BOOST_TEST(got.content.owner.bytes() == "node1");
  BOOST_TEST(rig[1].source->calls() == 0u);
  BOOST_TEST(rig.get(0, key).content.level == hit_level::main);
}

BOOST_AUTO_TEST_CASE(not_found_at_the_owner_is_the_answer) {
  cluster_rig rig;
  rig[1].source->react([](auto, auto&) { return errc::not_found; });
  auto got = rig.get(0, rig.key_of(1));
  BOOST_TEST(got.code == errc::none);
  BOOST_TEST(!got.content.found());
  BOOST_TEST(got.content.level == hit_level::miss);
  BOOST_TEST(rig[0].source->calls() == 0u);
  BOOST_TEST(rig.stats(0).not_found == 1u);
  BOOST_TEST(rig.stats(0).peer_load_errors == 0u);
}

BOOST_AUTO_TEST_CASE(any_other_failure_of_the_owner_falls_back_to_main) {
  cluster_rig rig;
  rig[1].source->react([](auto, auto&) -> load_result {
    throw std::runtime_error{"the disk is on fire"};
  });
  auto key = rig.key_of(1);
  auto got = rig.get(0, key);
  BOOST_TEST(got.content.bytes() == "value of " + key);
  BOOST_TEST(got.content.level == hit_level::backend);
  BOOST_TEST(rig[1].source->calls() == 1u);
  BOOST_TEST(rig[0].source->calls() == 1u);
  BOOST_TEST(rig.stats(0).peer_load_errors == 1u);
  auto again = rig.get(0, key);
  BOOST_TEST(again.content.level == hit_level::main);
  BOOST_TEST(rig.stats(0).hotcache.entries == 0u);
}

BOOST_AUTO_TEST_CASE(when_the_own_backend_fails_too_its_reason_is_the_answer) {
  cluster_rig rig;
  rig[1].source->react([](auto, auto&) {
    return failure{errc::backend_failed, "theirs"};
  });
  rig[0].source->react([](auto, auto&) {
    return failure{errc::backend_failed, "ours"};
  });
  auto got = rig.get(0, rig.key_of(1));
  BOOST_TEST(got.code == errc::backend_failed);
  BOOST_TEST(got.reason == "ours");
  // Nothing of it stays.
  rig[1].source->react(nullptr);
  BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(a_key_that_only_the_own_backend_lacks_is_not_found) {
  cluster_rig rig;
  rig[1].source->react([](auto, auto&) {
    return failure{errc::backend_failed, "theirs"};
  });
  rig[0].source->react([](auto, auto&) { return errc::not_found; });
  auto got = rig.get(0, rig.key_of(1));
  BOOST_TEST(got.code == errc::none);
  BOOST_TEST(!got.content.found());
}

BOOST_AUTO_TEST_CASE(a_value_of_a_peer_lives_no_longer_than_the_get_ttl) {
  auto options = keeping_all_hot();
  options.galaxy.get_ttl = {1min, 0s};
  cluster_rig rig{options};
  // The owner knows no limit, as if it had other options.
  auto key = rig.key_of(1);
  std::optional<wall_time> offered;
  auto start = rig.time->wall_now();
  auto got = rig.get(0, key);
  BOOST_TEST((got.content.expiry == start + 1min));
  rig.time->advance(30s);
  // What is left at the owner is less than the limit here.
  auto shared = rig.get(0, rig.key_of(1), {});
  BOOST_TEST((shared.content.expiry == start + 1min));
  auto second = rig.key_of(1, 1);
  rig[1].source->react([&](auto, auto&) {
    return loaded{value::copy("short"), start + 40s};
  });
  BOOST_TEST((rig.get(0, second).content.expiry == start + 40s));
}

BOOST_AUTO_TEST_CASE(the_promoter_sees_a_value_only_after_its_expiry_is_set) {
  cluster_options options;
  options.galaxy.promote = promote_all();
  cluster_rig rig{options};
  // Expired on arrival: answered to who waits, kept by nobody.
  auto past = rig.time->wall_now() - 1s;
  rig[1].source->react([=](auto, auto&) {
    return loaded{value::copy("stale"), past};
  });
  auto got = rig.get(0, rig.key_of(1));
  BOOST_TEST(got.content.bytes() == "stale");
  BOOST_TEST(rig.stats(0).promotions == 0u);
  BOOST_TEST(rig.stats(0).hotcache.entries == 0u);
  BOOST_TEST(rig.stats(1).maincache.entries == 0u);
}

BOOST_AUTO_TEST_CASE(a_value_expires_everywhere_at_the_same_nanosecond) {
  cluster_rig rig{keeping_all_hot()};
  auto key = rig.key_of(1);
  auto expiry = rig.time->wall_now() + 10s;
  rig[1].source->react([=](auto k, auto&) {
    return loaded{value::take("value of " + std::string{k}), expiry};
  });
  BOOST_TEST((rig.get(0, key).content.expiry == expiry));
  rig.time->advance(10s - 1ns);
  BOOST_TEST(rig.get(0, key).content.level == hit_level::hot);
  BOOST_TEST(rig.get(1, key).content.level == hit_level::main);
  rig[1].source->react(nullptr);
  rig.time->advance(1ns);
  auto got = rig.get(0, key);
  BOOST_TEST(got.content.level == hit_level::peer);
  BOOST_TEST((got.content.expiry == never_expires));
  BOOST_TEST(rig[1].source->calls() == 2u);
}

BOOST_AUTO_TEST_CASE(without_capacity_nothing_stays_but_loads_are_shared) {
  auto options = keeping_all_hot();
  options.capacity = 0;
  cluster_rig rig{options};
  auto key = rig.key_of(1);
  rig[1].source.hold();
  for (int i = 0; i < 10; ++i)
    rig.ask(0, key);
  eventually([&] { return rig.stats(0).waiters == 10; });
  eventually([&] { return rig[1].source->held() == 1; });
  rig[1].source.release();
  rig.await_answers();
  for (std::size_t i = 0; i < 10; ++i)
    BOOST_TEST(rig.book->at(i).content.level == hit_level::peer);
  BOOST_TEST(rig[1].source->calls() == 1u);
  rig.get(0, key);
  BOOST_TEST(rig[1].source->calls() == 2u);
  for (auto i : {0u, 1u}) {
    BOOST_TEST(rig.stats(i).maincache.entries == 0u);
    BOOST_TEST(rig.stats(i).hotcache.entries == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_popular_cold_key_is_loaded_once_in_the_whole_cluster) {
  cluster_options options;
  options.nodes = 5;
  cluster_rig rig{options};
  auto key = rig.key_of(2);
  rig[2].source.hold();
  for (std::size_t at = 0; at < rig.size(); ++at)
    for (int i = 0; i < 20; ++i)
      rig.ask(at, key);
  eventually([&] { return rig[2].source->held() == 1; });
  for (std::size_t at = 0; at < rig.size(); ++at)
    eventually([&] { return rig.stats(at).waiters >= 20; });
  rig[2].source.release();
  rig.await_answers();
  for (std::size_t i = 0; i < rig.book->size(); ++i)
    BOOST_TEST(rig.book->at(i).content.bytes() == "value of " + key);
  for (std::size_t at = 0; at < rig.size(); ++at)
    BOOST_TEST(rig[at].source->calls() == (at == 2 ? 1u : 0u));
  BOOST_TEST(rig.stats(2).server_requests == 4u);
}

BOOST_AUTO_TEST_CASE(two_nodes_that_each_think_the_other_owns_a_key_answer) {
  cluster_options options;
  options.joined = false;
  cluster_rig rig{options};
  // Neither counts itself as a member, so each asks the other for everything.
  for (std::size_t i : {0u, 1u})
    rig[i].u->set_peers({rig.info(1 - i)});
  for (std::size_t i : {0u, 1u})
    rig.await_up(i);
  auto key = rig.key_of(0);
  rig[0].source.hold();
  rig[1].source.hold();
  // Each asks the other before it hears of the other's fetch.
  rig.net.freeze("node0");
  rig.ask(0, key);
  rig.ask(1, key);
  for (std::size_t i : {0u, 1u})
    eventually([&] { return rig.stats(i).flights == 1; });
  rig.net.thaw("node0");
  for (std::size_t i : {0u, 1u}) {
    eventually([&] { return rig.stats(i).waiters == 2; });
    eventually([&] { return rig[i].source->held() == 1; });
  }
  rig[0].source.release();
  rig[1].source.release();
  rig.await_answers();
  for (std::size_t i : {0u, 1u}) {
    BOOST_TEST(rig.book->at(i).content.bytes() == "value of " + key);
    BOOST_TEST(rig[i].source->calls() == 1u);
    BOOST_TEST(rig.stats(i).server_requests == 1u);
    BOOST_TEST(rig.stats(i).view_mismatches == 1u);
  }
  // No time had to pass for it.
  BOOST_TEST(rig.lines->count(log_level::warning) == 0u);
}

BOOST_AUTO_TEST_CASE(a_server_loads_a_key_it_does_not_own_and_never_forwards) {
  cluster_options options;
  options.nodes = 3;
  options.joined = false;
  cluster_rig rig{options};
  // Node 0 knows node 1 alone; node 1 knows that the key is node 2's.
  rig[0].u->set_peers({rig.info(1)});
  rig.join(1);
  rig.await_up(0);
  rig.await_up(1);
  auto key = rig.key_of(2);
  auto got = rig.get(0, key);
  BOOST_TEST(got.content.level == hit_level::peer);
  BOOST_TEST(got.content.owner.bytes() == "node1");
  BOOST_TEST(rig[1].source->calls() == 1u);
  BOOST_TEST(rig[2].source->calls() == 0u);
  BOOST_TEST(rig.stats(2).server_requests == 0u);
  BOOST_TEST(rig.stats(1).view_mismatches == 1u);
  BOOST_TEST(rig.lines->count(log_level::info, "sees another ring") == 1u);
}

BOOST_AUTO_TEST_CASE(many_keys_of_many_owners_are_answered_in_their_order) {
  cluster_options options;
  options.nodes = 4;
  cluster_rig rig{options};
  std::vector<std::string> keys;
  for (std::size_t n = 0; n < 50; ++n)
    for (std::size_t owner = 0; owner < 4; ++owner)
      keys.push_back(rig.key_of(owner, n));
  keys.push_back(keys.front());
  auto missing = rig.key_of(3, 7);
  auto broken = rig.key_of(2, 9);
  rig[3].source->react([=](auto k, auto&) -> load_result {
    return k == missing ? load_result{errc::not_found} : value_of(k);
  });
  for (std::size_t i = 0; i < 4; ++i)
    if (i != 3)
      rig[i].source->react([=](auto k, auto&) -> load_result {
        return k == broken ? failure{errc::backend_failed, "no"} : value_of(k);
      });
  auto results = rig.get_many(0, keys);
  BOOST_TEST_REQUIRE(results.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto& x = results[i];
    if (keys[i] == missing) {
      BOOST_TEST(x.ok());
      BOOST_TEST(!x.content.found());
    } else if (keys[i] == broken) {
      BOOST_TEST(x.error == errc::backend_failed);
      BOOST_TEST(x.reason == "no");
    } else {
      BOOST_TEST(x.content.bytes() == "value of " + keys[i]);
      auto own = x.content.owner.bytes() == "node0";
      BOOST_TEST(x.content.level
                 == (own ? hit_level::backend : hit_level::peer));
    }
  }
  BOOST_TEST(rig[1].source->calls() == 50u);
}

BOOST_AUTO_TEST_CASE(a_slow_key_at_the_owner_holds_up_no_other) {
  cluster_options options;
  options.galaxy.promote = promote_none();
  cluster_rig rig{options};
  auto slow = rig.key_of(1);
  rig[1].source->react([&, slow](auto k, auto&) -> load_result {
    if (k == slow)
      eventually([&] { return rig.book->size() == 2; });
    return value_of(k);
  });
  rig.ask(0, slow);
  eventually([&] { return rig[1].source->calls_of(slow) == 1; });
  for (std::size_t n = 1; n < 200; ++n)
    BOOST_TEST(rig.get(0, rig.key_of(1, n)).content.level == hit_level::peer);
  BOOST_TEST(rig.book->owed() == 1u);
  rig.ask(0, rig.key_of(0)); // lets go of it
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).content.level == hit_level::peer);
}

BOOST_AUTO_TEST_CASE(a_get_gives_up_on_a_slow_owner_after_a_third_of_its_time) {
  cluster_rig rig;
  rig[1].source.hold();
  auto key = rig.key_of(1);
  rig.ask(0, key, within(300ms));
  eventually([&] { return rig[1].source->held() == 1; });
  rig.time->advance(102ms);
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).content.level == hit_level::backend);
  BOOST_TEST(rig.stats(0).peer_load_errors == 1u);
}

BOOST_AUTO_TEST_CASE(a_get_waits_at_most_a_second_for_a_slow_owner) {
  cluster_rig rig;
  rig[1].source.hold();
  rig.ask(0, rig.key_of(1), within(1h));
  eventually([&] { return rig[1].source->held() == 1; });
  rig.time->advance(998ms);
  BOOST_TEST(rig.book->owed() == 1u);
  rig.time->advance(4ms);
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).content.level == hit_level::backend);
}

BOOST_AUTO_TEST_SUITE_END()
