// Which of the values that come from their owners stay here, and what is
// counted on the way.

#include "fixtures/flight_rig.hpp"
#include "fixtures/scripted_peer.hpp"

#include <boost/test/unit_test.hpp>

#include <mutex>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

/// Promotes as it is told and remembers what it was shown.
struct watched_promoter : promoter {
  bool should_promote(std::string_view, const value&,
                      const promotion_stats& stats) override {
    std::lock_guard guard{mutex};
    shown.push_back(stats);
    if (throws)
      throw std::runtime_error{"cannot decide"};
    return promotes;
  }

  promotion_stats last() {
    std::lock_guard guard{mutex};
    return shown.back();
  }

  std::size_t asked() {
    std::lock_guard guard{mutex};
    return shown.size();
  }

  std::mutex mutex;
  std::vector<promotion_stats> shown;
  std::atomic<bool> promotes{true};
  std::atomic<bool> throws{false};
};

struct hot_scene {
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>();
  std::shared_ptr<watched_promoter> promote
    = std::make_shared<watched_promoter>();
  scripted_backend source{backend_kind::in_place};
  flight_rig rig;
  scripted_peer peer{rig.system};

  explicit hot_scene(std::size_t capacity = 1 << 20)
    : rig(source, options(promote), capacity, time) {
    rig.core->view.set(make_view({{"self", 0}, {"peer", 1, peer.handle()}}));
  }

  static galaxy_options options(std::shared_ptr<promoter> promote) {
    galaxy_options result;
    result.shards = 1;
    result.promote = std::move(promote);
    return result;
  }

  galaxy_stats stats() {
    return rig.shared->stats();
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(flight_promotion)

BOOST_AUTO_TEST_CASE(a_promoted_value_is_a_hot_hit_counted_once) {
  hot_scene all;
  BOOST_TEST(all.rig.get("key").first.level == hit_level::peer);
  BOOST_TEST(all.stats().promotions == 1u);
  BOOST_TEST(all.stats().hotcache_hits == 0u);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    auto got = all.rig.get("key").first;
    BOOST_TEST(got.level == hit_level::hot);
    BOOST_TEST(got.owner.empty());
    BOOST_TEST(all.stats().hotcache_hits == i);
    BOOST_TEST(all.stats().maincache_hits == 0u);
    BOOST_TEST(all.stats().coalesced_hotcache_hits == 0u);
    BOOST_TEST(all.stats().gets == i + 1);
  }
  BOOST_TEST(all.peer->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(statistics_are_touched_once_a_get) {
  hot_scene all;
  // Not kept, so that each get is one fetch.
  all.promote->promotes = false;
  for (std::uint64_t earlier = 0; earlier < 5; ++earlier) {
    all.rig.get("key");
    BOOST_TEST(all.promote->last().hits == earlier);
  }
  // Kept now: hits touch the entry, which remembers the gets before.
  all.promote->promotes = true;
  all.rig.get("key");
  BOOST_TEST(all.promote->last().hits == 5u);
  for (int i = 0; i < 4; ++i)
    BOOST_TEST(all.rig.get("key").first.level == hit_level::hot);
  // 10 gets in all. What the hot cache knows of the key shows as the rate of
  // its next victim, once it is sampled anew.
  all.time->advance(1s);
  all.promote->promotes = false;
  all.rig.get("another key");
  BOOST_TEST(all.promote->last().hot.victim_qps == 10.0,
             boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(all_who_waited_for_a_flight_count_as_gets_of_its_key) {
  hot_scene all;
  all.promote->promotes = false;
  all.peer.hold();
  for (int i = 0; i < 20; ++i)
    all.rig.ask("key");
  all.rig.await_waiting(20);
  all.peer.release();
  all.rig.await_answers();
  BOOST_TEST(all.promote->asked() == 1u);
  BOOST_TEST(all.promote->last().hits == 0u);
  all.rig.get("key");
  BOOST_TEST(all.promote->last().hits == 20u);
}

BOOST_AUTO_TEST_CASE(a_promoter_that_throws_does_not_promote) {
  hot_scene all;
  all.promote->throws = true;
  for (std::size_t round = 1; round <= 3; ++round) {
    auto [got, code] = all.rig.get("key");
    BOOST_TEST(code == errc::none);
    BOOST_TEST(got.level == hit_level::peer);
    BOOST_TEST(all.peer->calls() == round);
  }
  BOOST_TEST(all.stats().promotions == 0u);
  BOOST_TEST(all.stats().hotcache.entries == 0u);
  BOOST_TEST(all.stats().cache_restarts == 0u);
  all.promote->throws = false;
  all.rig.get("key");
  BOOST_TEST(all.rig.get("key").first.level == hit_level::hot);
}

BOOST_AUTO_TEST_CASE(a_value_that_is_not_promoted_is_fetched_again) {
  hot_scene all;
  all.promote->promotes = false;
  for (std::size_t round = 1; round <= 3; ++round) {
    BOOST_TEST(all.rig.get("key").first.level == hit_level::peer);
    BOOST_TEST(all.peer->calls() == round);
  }
  BOOST_TEST(all.stats().candidates == 1u);
}

BOOST_AUTO_TEST_CASE(the_own_keys_are_nothing_to_promote) {
  hot_scene all;
  all.rig.core->view.set(make_view({{"self", 1}}));
  BOOST_TEST(all.rig.get("key").first.level == hit_level::backend);
  BOOST_TEST(all.rig.get("key").first.level == hit_level::main);
  BOOST_TEST(all.promote->asked() == 0u);
}

BOOST_AUTO_TEST_CASE(a_value_that_came_expired_is_no_promotion) {
  hot_scene all;
  all.peer->react([&](auto, auto&) {
    return loaded{value::take("old"), all.time->wall_now()};
  });
  BOOST_TEST(all.rig.get("key").first.bytes() == "old");
  BOOST_TEST(all.stats().hotcache.entries == 0u);
}

BOOST_AUTO_TEST_CASE(a_hot_entry_that_was_evicted_keeps_its_statistics) {
  hot_scene all{2048};
  all.peer->react(
    [](auto, auto&) { return value::take(std::string(700, 'x')); });
  all.rig.get("key");
  for (int i = 0; i < 9; ++i)
    BOOST_TEST(all.rig.get("key").first.level == hit_level::hot);
  for (int i = 0; i < 4; ++i)
    all.rig.get("filler " + std::to_string(i));
  BOOST_TEST(all.stats().hotcache.evictions > 0u);
  BOOST_TEST(!all.rig.g.find("key").has_value());
  all.rig.get("key");
  BOOST_TEST(all.promote->last().hits == 10u);
}

BOOST_AUTO_TEST_SUITE_END()
