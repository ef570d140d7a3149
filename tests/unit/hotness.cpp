#include "galaxycache/runtime/hotness.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <list>
#include <string>
#include <utility>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

constexpr mono_time start{1'000h};

} // namespace

BOOST_AUTO_TEST_SUITE(hotness)

BOOST_AUTO_TEST_CASE(a_key_never_asked_for_has_no_rate) {
  const key_stats stats{start};
  BOOST_TEST(stats.hits() == 0u);
  BOOST_TEST(stats.qps(start) == 0.0);
  BOOST_TEST(stats.qps(start + 1h) == 0.0);
}

BOOST_AUTO_TEST_CASE(one_get_just_now_makes_a_rate_of_ten) {
  key_stats stats{start};
  stats.touch(start, 1min);
  BOOST_TEST(stats.hits() == 1u);
  BOOST_TEST(stats.qps(start) == 10.0);
  BOOST_TEST(stats.qps(start + 100ms) == 10.0);
  BOOST_TEST(stats.qps(start + 1s) == 1.0);
}

// The cases galaxycache itself is tested with.
BOOST_AUTO_TEST_CASE(rates_are_galaxycaches) {
  struct row {
    int gets;
    int bursts;
    std::chrono::nanoseconds reset_idle;
    std::chrono::nanoseconds pause;
    std::chrono::nanoseconds then;
    std::uint64_t hits;
    double qps_first;
    double qps_then;
  };
  const row rows[] = {
    {10'000, 5, 1min, 1s, 5s, 50'000, 10'000.0, 5'000.0},
    {10'000, 5, 1min, 5s, 25s, 50'000, 2'000.0, 1'000.0},
    {1'000, 3, 3s, 4s, 5s, 1'000, 250.0, 1000.0 / 9},
  };
  for (const auto& x : rows) {
    auto now = start;
    key_stats stats{now};
    for (int i = 0; i < x.bursts; ++i) {
      for (int j = 0; j < x.gets; ++j)
        stats.touch(now, x.reset_idle);
      now += x.pause;
    }
    BOOST_TEST(stats.hits() == x.hits);
    BOOST_TEST(stats.qps(now) == x.qps_first,
               boost::test_tools::tolerance(1e-9));
    now += x.then;
    BOOST_TEST(stats.hits() == x.hits);
    BOOST_TEST(stats.qps(now) == x.qps_then,
               boost::test_tools::tolerance(1e-9));
  }
}

BOOST_AUTO_TEST_CASE(only_longer_idleness_counts_anew) {
  key_stats stats{start};
  stats.touch(start, 1min, 7);
  stats.touch(start + 1min, 1min);
  BOOST_TEST(stats.hits() == 8u);
  stats.touch(start + 2min + 1ns, 1min);
  BOOST_TEST(stats.hits() == 1u);
  BOOST_TEST(stats.qps(start + 2min + 1ns) == 10.0);
}

BOOST_AUTO_TEST_CASE(each_get_begins_idleness_anew) {
  key_stats stats{start};
  for (int i = 1; i <= 100; ++i)
    stats.touch(start + i * 59s, 1min);
  BOOST_TEST(stats.hits() == 100u);
}

BOOST_AUTO_TEST_CASE(several_gets_count_at_once) {
  key_stats stats{start};
  stats.touch(start, 1min, 5);
  BOOST_TEST(stats.hits() == 5u);
  BOOST_TEST(stats.qps(start) == 50.0);
  stats.touch(start + 1h, 1min, 3);
  BOOST_TEST(stats.hits() == 3u);
}

// Threads read the clock before they take the lock.
BOOST_AUTO_TEST_CASE(a_touch_from_a_moment_ago_counts_as_well) {
  key_stats stats{start};
  stats.touch(start + 50s, 1min);
  stats.touch(start + 10s, 1min);
  stats.touch(start - 1s, 1min);
  BOOST_TEST(stats.hits() == 3u);
  // The last use stays where it was.
  stats.touch(start + 110s, 1min);
  BOOST_TEST(stats.hits() == 4u);
  BOOST_TEST(stats.qps(start - 1h) == 40.0);
}

BOOST_AUTO_TEST_CASE(the_default_promoter_compares_with_the_next_victim) {
  const auto p = make_qps_promoter();
  promotion_stats stats;
  stats.hot.empty = false;
  stats.hot.victim_qps = 5.0;
  stats.key_qps = 4.9;
  BOOST_TEST(!p->should_promote("key", value{}, stats));
  stats.key_qps = 5.0;
  BOOST_TEST(p->should_promote("key", value{}, stats));
  stats.key_qps = 5.1;
  BOOST_TEST(p->should_promote("key", value{}, stats));
}

BOOST_AUTO_TEST_CASE(an_empty_hot_cache_takes_every_key) {
  promotion_stats stats;
  stats.hot.victim_qps = std::numeric_limits<double>::max();
  BOOST_TEST(stats.hot.empty);
  BOOST_TEST(make_qps_promoter()->should_promote("key", value{}, stats));
}

BOOST_AUTO_TEST_CASE(any_function_may_promote) {
  const auto data = value::copy("data");
  const auto p = make_promoter(
    [&](std::string_view key, const value& x, const promotion_stats& stats) {
      return key == "key" && x.shares_bytes_with(data) && stats.hits == 3;
    });
  promotion_stats stats;
  stats.hits = 3;
  BOOST_TEST(p->should_promote("key", data, stats));
  BOOST_TEST(!p->should_promote("other", data, stats));
  BOOST_TEST(!p->should_promote("key", value::copy("data"), stats));
}

BOOST_AUTO_TEST_CASE(a_new_candidate_has_no_hits) {
  candidates some{2};
  BOOST_TEST(some.size() == 0u);
  BOOST_TEST(some.find("a") == nullptr);
  auto* stats = some.find_or_add("a", start);
  BOOST_TEST_REQUIRE(stats != nullptr);
  BOOST_TEST(stats->hits() == 0u);
  BOOST_TEST(some.size() == 1u);
  stats->touch(start, 1min);
  BOOST_TEST(some.find("a") == stats);
  BOOST_TEST(some.find_or_add("a", start + 1h) == stats);
  BOOST_TEST(stats->hits() == 1u);
}

BOOST_AUTO_TEST_CASE(the_least_recently_used_candidate_leaves_first) {
  candidates some{3};
  for (const auto* key : {"a", "b", "c", "a"})
    some.find_or_add(key, start);
  some.find_or_add("d", start);
  BOOST_TEST(some.size() == 3u);
  BOOST_TEST(some.find("b") == nullptr);
  for (const auto* key : {"a", "c", "d"})
    BOOST_TEST(some.find(key) != nullptr);
}

BOOST_AUTO_TEST_CASE(looking_at_a_candidate_does_not_use_it) {
  candidates some{2};
  some.find_or_add("a", start);
  some.find_or_add("b", start);
  BOOST_TEST(some.find("a") != nullptr);
  some.find_or_add("c", start);
  BOOST_TEST(some.find("a") == nullptr);
}

BOOST_AUTO_TEST_CASE(statistics_that_come_back_replace_those_kept) {
  candidates some{2};
  key_stats many{start};
  many.touch(start, 1min, 100);
  some.find_or_add("a", start);
  some.find_or_add("b", start);
  some.put("a", many);
  BOOST_TEST(some.size() == 2u);
  BOOST_TEST(some.find("a")->hits() == 100u);
  // Which counts as a use.
  some.put("c", many);
  BOOST_TEST(some.size() == 2u);
  BOOST_TEST(some.find("b") == nullptr);
  BOOST_TEST(some.find("c")->hits() == 100u);
}

BOOST_AUTO_TEST_CASE(without_capacity_there_are_no_candidates) {
  candidates none{0};
  BOOST_TEST(none.find_or_add("a", start) == nullptr);
  none.put("a", key_stats{start});
  BOOST_TEST(none.find("a") == nullptr);
  BOOST_TEST(none.size() == 0u);
}

BOOST_AUTO_TEST_CASE(candidates_are_a_list_in_order_of_use) {
  constexpr std::size_t capacity = 20;
  for (std::uint64_t seed = 1; seed <= 5; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      random_source random{seed};
      candidates some{capacity};
      std::list<std::pair<std::string, std::uint64_t>> model; // key, hits
      for (int i = 0; i < 5'000; ++i) {
        // Longer than a string holds without an allocation, at times.
        const auto key = std::string(random.below(2) * 40, 'k')
                         + std::to_string(random.below(20));
        auto at = std::find_if(model.begin(), model.end(),
                               [&](auto& x) { return x.first == key; });
        const auto hits = at != model.end() ? at->second : 0;
        switch (random.below(3)) {
          case 0: {
            const auto* found = some.find(key);
            BOOST_TEST_REQUIRE((found != nullptr) == (at != model.end()));
            if (found != nullptr)
              BOOST_TEST_REQUIRE(found->hits() == hits);
            break;
          }
          case 1: {
            auto* stats = some.find_or_add(key, start);
            BOOST_TEST_REQUIRE(stats->hits() == hits);
            stats->touch(start, 1min);
            if (at != model.end())
              model.erase(at);
            model.emplace_front(key, hits + 1);
            break;
          }
          default: {
            key_stats stats{start};
            stats.touch(start, 1min, static_cast<std::uint64_t>(i));
            some.put(key, stats);
            if (at != model.end())
              model.erase(at);
            model.emplace_front(key, i);
          }
        }
        if (model.size() > capacity)
          model.pop_back();
        BOOST_TEST_REQUIRE(some.size() == model.size());
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()
