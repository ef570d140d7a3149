#include "galaxycache/runtime/rolling_quantile.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

BOOST_AUTO_TEST_SUITE(rolling_quantile)

BOOST_AUTO_TEST_CASE(a_few_samples_tell_nothing) {
  galaxycache::rolling_quantile p95{0.95};
  for (int i = 0; i < 19; ++i)
    p95.add(1ms);
  BOOST_TEST(!p95.get().has_value());
  p95.add(1ms);
  BOOST_TEST(p95.get().has_value());
}

BOOST_AUTO_TEST_CASE(the_answer_is_at_most_a_quarter_too_large) {
  random_source random{1};
  for (auto scale : {1us, 1000us, 1'000'000us}) {
    galaxycache::rolling_quantile p95{0.95};
    std::vector<nanoseconds> all;
    for (int i = 0; i < 1000; ++i) {
      auto most = static_cast<std::uint64_t>(nanoseconds{scale}.count());
      nanoseconds x{static_cast<std::int64_t>(1000 + random.below(most))};
      all.push_back(x);
      p95.add(x);
    }
    std::ranges::sort(all);
    auto exact = all[949];
    auto got = p95.get().value();
    BOOST_TEST((got >= exact));
    BOOST_TEST((got <= exact * 5 / 4));
  }
}

BOOST_AUTO_TEST_CASE(what_was_long_ago_is_forgotten) {
  galaxycache::rolling_quantile p95{0.95};
  for (int i = 0; i < 2000; ++i)
    p95.add(1s);
  BOOST_TEST((p95.get().value() >= 1s));
  for (int i = 0; i < 2100; ++i)
    p95.add(1ms);
  BOOST_TEST((p95.get().value() < 2ms));
}

BOOST_AUTO_TEST_CASE(any_duration_is_taken) {
  galaxycache::rolling_quantile median{0.5};
  for (int i = 0; i < 60; ++i) {
    median.add(nanoseconds::min());
    median.add(nanoseconds::max());
    median.add(0ns);
  }
  BOOST_TEST((median.get().value() < 1us));
}

BOOST_AUTO_TEST_SUITE_END()
