#include "galaxycache/runtime/hotness.hpp"
#include "galaxycache/runtime/random.hpp"
#include "galaxycache/runtime/shard.hpp"
#include "galaxycache/runtime/ttl.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

using promoter_pointer = std::shared_ptr<promoter>;

bool asks(const promoter_pointer& p, const promotion_stats& stats = {}) {
  return p->should_promote("key", value{}, stats);
}

// What a promoter was shown, and what it answered.
struct decision {
  promotion_stats stats;
  bool promoted;
};

// A shard that hands every decision to one promoter and keeps a record.
class watched_shard {
public:
  explicit watched_shard(promoter_pointer inner,
                         std::chrono::nanoseconds reset_idle = 1min)
    : shard_(settings(std::move(inner), reset_idle)) {
    // nop
  }

  watched_shard(const watched_shard&) = delete;

  // Offers a value of the key, as one fetched from its owner for `gets` gets.
  decision offer(std::string_view key, std::uint64_t gets = 1,
                 wall_time expiry = never_expires) {
    const auto kept = shard_.offer_hot(key, value::copy("data"), expiry, gets,
                                       time);
    BOOST_TEST_REQUIRE(kept == decisions.back().promoted);
    return decisions.back();
  }

  std::optional<shard::hit> find(std::string_view key) {
    return shard_.find(key, time);
  }

  shard::contents stats() const {
    return shard_.stats();
  }

  manual_clock time;
  std::vector<decision> decisions;

private:
  shard::settings settings(promoter_pointer inner,
                           std::chrono::nanoseconds reset_idle) {
    shard::settings result;
    result.capacity_bytes = 1 << 20;
    result.candidates_max = 100;
    result.reset_idle_stats = reset_idle;
    result.promote = make_promoter(
      [this, inner = std::move(inner)](std::string_view key, const value& data,
                                       const promotion_stats& stats) {
        const auto promoted = inner->should_promote(key, data, stats);
        decisions.push_back({stats, promoted});
        return promoted;
      });
    return result;
  }

  shard shard_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(promoters)

// -- one by one ---------------------------------------------------------------

// galaxycache's formula knows no "empty": the victim's rate is 0 then.
BOOST_AUTO_TEST_CASE(the_default_decides_as_galaxycaches_formula) {
  const auto p = make_qps_promoter();
  const double rates[] = {0.0, 0.1, 10.0, 111.1, 1'000.0, 5'000.0, 1e9};
  for (auto key_qps : rates) {
    promotion_stats stats;
    stats.key_qps = key_qps;
    BOOST_TEST(asks(p, stats) == (key_qps >= 0.0));
    stats.hot.empty = false;
    for (auto victim_qps : rates) {
      stats.hot.victim_qps = victim_qps;
      BOOST_TEST(asks(p, stats) == (key_qps >= victim_qps));
      // Neither hits nor sizes count.
      stats.hits = 1'000;
      stats.hot.bytes = 1'000;
      BOOST_TEST(asks(p, stats) == (key_qps >= victim_qps));
      stats.hits = 0;
      stats.hot.bytes = 0;
    }
  }
}

BOOST_AUTO_TEST_CASE(a_known_key_is_one_with_hits) {
  const auto p = make_previously_known_promoter();
  promotion_stats stats;
  stats.key_qps = 1'000;
  BOOST_TEST(!asks(p, stats));
  stats.key_qps = 0;
  stats.hits = 1;
  BOOST_TEST(asks(p, stats));
  stats.hits = std::numeric_limits<std::uint64_t>::max();
  BOOST_TEST(asks(p, stats));
}

BOOST_AUTO_TEST_CASE(always_and_never_look_at_nothing) {
  promotion_stats cold;
  cold.hot.empty = false;
  cold.hot.victim_qps = 1e9;
  promotion_stats hot;
  hot.key_qps = 1e9;
  hot.hits = 1'000;
  for (const auto& stats : {cold, hot}) {
    BOOST_TEST(asks(make_always_promoter(), stats));
    BOOST_TEST(!asks(make_never_promoter(), stats));
  }
}

BOOST_AUTO_TEST_CASE(one_in_n_is_promoted) {
  for (std::uint64_t n : {2u, 3u, 10u, 100u})
    for (std::uint64_t seed : {0u, 1u, 2u})
      BOOST_TEST_CONTEXT("one in " << n << ", seed " << seed) {
        const auto p = make_probabilistic_promoter(n, seed);
        constexpr int offers = 100'000;
        int promoted = 0;
        for (int i = 0; i < offers; ++i)
          promoted += asks(p) ? 1 : 0;
        const auto mean = offers / static_cast<double>(n);
        // Five standard deviations, and a bit.
        BOOST_TEST(promoted > mean - 5 * std::sqrt(mean));
        BOOST_TEST(promoted < mean + 5 * std::sqrt(mean));
      }
}

BOOST_AUTO_TEST_CASE(one_in_one_is_always_and_one_in_none_never) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto always = make_probabilistic_promoter(1, seed);
    const auto never = make_probabilistic_promoter(0, seed);
    const auto seldom = make_probabilistic_promoter(
      std::numeric_limits<std::uint64_t>::max(), seed);
    for (int i = 0; i < 1'000; ++i) {
      BOOST_TEST_REQUIRE(asks(always));
      BOOST_TEST_REQUIRE(!asks(never));
      BOOST_TEST_REQUIRE(!asks(seldom));
    }
  }
}

BOOST_AUTO_TEST_CASE(chance_comes_from_the_seed) {
  const auto one = make_probabilistic_promoter(3, 42);
  const auto other = make_probabilistic_promoter(3, 43);
  random_source random{42};
  int different = 0;
  for (int i = 0; i < 1'000; ++i) {
    const auto promoted = asks(one);
    BOOST_TEST_REQUIRE(promoted == (random.below(3) == 0));
    different += promoted != asks(other) ? 1 : 0;
  }
  BOOST_TEST(different > 300);
}

BOOST_AUTO_TEST_CASE(threads_share_the_chances_of_one_seed) {
  constexpr int threads = 4;
  constexpr int each = 10'000;
  const auto alone = make_probabilistic_promoter(5, 7);
  int expected = 0;
  for (int i = 0; i < threads * each; ++i)
    expected += asks(alone) ? 1 : 0;
  const auto shared = make_probabilistic_promoter(5, 7);
  std::atomic<int> promoted{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&] {
      for (int i = 0; i < each; ++i)
        promoted += asks(shared) ? 1 : 0;
    });
  for (auto& t : workers)
    t.join();
  BOOST_TEST(promoted == expected);
}

BOOST_AUTO_TEST_CASE(what_room_is_left_may_be_less_than_none) {
  hot_cache_stats stats;
  BOOST_TEST(stats.room_bytes() == 0);
  stats.capacity_bytes = 1'000;
  BOOST_TEST(stats.room_bytes() == 1'000);
  stats.bytes = 1'300;
  BOOST_TEST(stats.room_bytes() == -300);
}

// -- in a shard ---------------------------------------------------------------

// galaxycache's own table of a hot key's rate, seen as the promoter sees it:
// how hot a key has to be to come in beside it. Other than there, the reads of
// a hot entry are counted without their times, and many of them by samples: its
// rate is that of all its time in the hot cache, however idle it was.
BOOST_AUTO_TEST_CASE(a_hot_key_sets_the_bar_as_in_galaxycache) {
  struct row {
    const char* name;
    std::uint64_t gets;
    int bursts;
    std::chrono::nanoseconds reset_idle;
    std::chrono::nanoseconds pause;
    std::chrono::nanoseconds then;
    double qps;
  };
  const row rows[] = {
    {"10k gets each second", 10'000, 5, 1min, 1s, 0s, 10'000.0},
    {"10k gets each second, 5 s later", 10'000, 5, 1min, 1s, 5s, 5'000.0},
    {"10k gets every 5 s", 10'000, 5, 1min, 5s, 0s, 2'000.0},
    {"10k gets every 5 s, 25 s later", 10'000, 5, 1min, 5s, 25s, 1'000.0},
    {"1k gets every 4 s, not forgotten after 3 s", 1'000, 3, 3s, 4s, 0s, 250.0},
    {"the same, 5 s later", 1'000, 3, 3s, 4s, 5s, 3'000.0 / 17},
  };
  for (const auto& x : rows)
    BOOST_TEST_CONTEXT(x.name) {
      watched_shard s{make_qps_promoter(), x.reset_idle};
      // The first get is a load, all others are hits.
      const auto first = s.offer("hi");
      BOOST_TEST(first.promoted);
      BOOST_TEST(first.stats.hot.empty);
      for (int i = 0; i < x.bursts; ++i) {
        for (std::uint64_t j = i == 0 ? 1 : 0; j < x.gets; ++j)
          BOOST_TEST_REQUIRE(s.find("hi").has_value());
        s.time.advance(x.pause);
      }
      s.time.advance(x.then);
      // A key nobody knows is not hot enough.
      const auto stranger = s.offer("stranger");
      BOOST_TEST(!stranger.promoted);
      BOOST_TEST(stranger.stats.key_qps == 0.0);
      BOOST_TEST(!stranger.stats.hot.empty);
      const auto bar = stranger.stats.hot.victim_qps;
      BOOST_TEST(bar == x.qps, boost::test_tools::tolerance(0.01));
      // Gets a moment ago count as gets in 0.1 s.
      const auto enough = static_cast<std::uint64_t>(std::ceil(bar / 10));
      s.offer("below", enough - 1);
      const auto below = s.offer("below");
      BOOST_TEST(below.stats.key_qps == static_cast<double>(10 * (enough - 1)));
      BOOST_TEST(!below.promoted);
      s.offer("enough", enough);
      const auto equal = s.offer("enough", 0);
      BOOST_TEST(equal.stats.key_qps >= bar);
      BOOST_TEST(equal.promoted);
    }
}

// galaxycache's hot cache grows past its share while there is memory, so what
// its promoters see of the room may be negative.
BOOST_AUTO_TEST_CASE(promoters_see_the_room_in_the_hot_cache) {
  watched_shard s{make_always_promoter()};
  const auto first = s.offer("0").stats.hot;
  BOOST_TEST(first.capacity_bytes == (1u << 20) / 8);
  BOOST_TEST(first.bytes == 0u);
  BOOST_TEST(first.room_bytes() == (1 << 20) / 8);
  for (int i = 1; i < 4'000; ++i)
    s.offer(std::to_string(i));
  s.time.advance(1s);
  const auto held = s.stats().hot.bytes;
  BOOST_TEST(held > (1u << 20) / 8);
  const auto then = s.offer("last").stats.hot;
  BOOST_TEST(then.bytes == held);
  BOOST_TEST(then.room_bytes() < 0);
}

// The cases of galaxycache's promotion test.
BOOST_AUTO_TEST_CASE(never_promoted_means_a_candidate_for_ever) {
  watched_shard s{make_never_promoter()};
  const auto first = s.offer("key");
  BOOST_TEST(!first.promoted);
  BOOST_TEST(first.stats.hits == 0u);
  BOOST_TEST(first.stats.key_qps == 0.0);
  const auto second = s.offer("key");
  BOOST_TEST(!second.promoted);
  BOOST_TEST(second.stats.hits == 1u);
  BOOST_TEST(second.stats.key_qps == 10.0);
  BOOST_TEST(!s.find("key"));
  BOOST_TEST(s.stats().hot.entries == 0u);
  BOOST_TEST(s.stats().candidates == 1u);
  BOOST_TEST(s.decisions.size() == 2u);
}

BOOST_AUTO_TEST_CASE(always_promoted_means_hot_at_once) {
  watched_shard s{make_always_promoter()};
  BOOST_TEST(s.offer("key").promoted);
  const auto found = s.find("key");
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST(found->data.bytes() == "data");
  BOOST_TEST((found->where == cache_kind::hot));
}

BOOST_AUTO_TEST_CASE(a_promoted_value_keeps_its_capped_expiry) {
  watched_shard s{make_always_promoter()};
  random_source random{1};
  const auto now = s.time.wall_now();
  s.offer("key", 1, ttl_cap{1h, 0ns}.apply(never_expires, now, random));
  const auto found = s.find("key");
  BOOST_TEST_REQUIRE(found.has_value());
  BOOST_TEST((found->expiry == now + 1h));
}

BOOST_AUTO_TEST_CASE(a_key_known_already_leaves_candidacy) {
  watched_shard s{make_previously_known_promoter()};
  BOOST_TEST(!s.offer("key").promoted);
  BOOST_TEST(!s.find("key"));
  BOOST_TEST(s.stats().candidates == 1u);
  const auto second = s.offer("key");
  BOOST_TEST(second.promoted);
  BOOST_TEST(second.stats.hits == 1u);
  BOOST_TEST(second.stats.key_qps == 10.0);
  BOOST_TEST((s.find("key")->where == cache_kind::hot));
  // Known is known, however long ago.
  s.offer("slow");
  s.time.advance(1h);
  BOOST_TEST(s.offer("slow").promoted);
  // But not for ever: candidates come and go.
  s.offer("forgotten");
  for (int i = 0; i < 100; ++i)
    s.offer(std::to_string(i));
  BOOST_TEST(!s.offer("forgotten").promoted);
}

BOOST_AUTO_TEST_CASE(chance_decides_in_a_shard_as_it_does_alone) {
  watched_shard s{make_probabilistic_promoter(4, 11)};
  random_source random{11};
  for (int i = 0; i < 200; ++i)
    BOOST_TEST_REQUIRE(s.offer(std::to_string(i)).promoted
                       == (random.below(4) == 0));
}

BOOST_AUTO_TEST_CASE(the_default_fills_an_empty_hot_cache_for_a_second) {
  watched_shard s{make_qps_promoter()};
  // As the last sample has it, the hot cache is empty.
  for (const auto* key : {"a", "b", "c"})
    BOOST_TEST(s.offer(key).promoted);
  s.time.advance(1s);
  // The least recently used one was asked for once in this second.
  const auto next = s.offer("d");
  BOOST_TEST(!next.promoted);
  BOOST_TEST(next.stats.hot.victim_qps == 1.0);
  BOOST_TEST(s.offer("d").promoted);
}

BOOST_AUTO_TEST_SUITE_END()
