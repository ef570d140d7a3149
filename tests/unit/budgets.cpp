#include "galaxycache/runtime/retry_budget.hpp"
#include "galaxycache/runtime/token_bucket.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

std::size_t takes(token_bucket& bucket, mono_time now) {
  std::size_t n = 0;
  while (bucket.try_take(now))
    ++n;
  return n;
}

std::size_t spends(retry_budget& budget) {
  std::size_t n = 0;
  while (budget.try_spend())
    ++n;
  return n;
}

} // namespace

BOOST_AUTO_TEST_SUITE(budgets)

BOOST_AUTO_TEST_CASE(a_bucket_holds_what_a_second_brings) {
  token_bucket bucket{100};
  mono_time now{1h};
  BOOST_TEST(takes(bucket, now) == 100u);
  BOOST_TEST(takes(bucket, now + 9ms) == 0u);
  BOOST_TEST(takes(bucket, now + 500ms) == 50u);
  BOOST_TEST(takes(bucket, now + 1h) == 100u);
  BOOST_TEST(takes(bucket, now) == 0u); // a clock that goes backwards
}

BOOST_AUTO_TEST_CASE(a_bucket_of_nothing_is_empty) {
  token_bucket bucket{0};
  BOOST_TEST(takes(bucket, mono_time{1h}) == 0u);
}

BOOST_AUTO_TEST_CASE(a_tenth_of_the_attempts_may_be_second_ones) {
  retry_budget budget{10, 10};
  BOOST_TEST(spends(budget) == 10u); // for a start
  for (int i = 0; i < 55; ++i)
    budget.earn();
  BOOST_TEST(spends(budget) == 5u);
  for (int i = 0; i < 100'000; ++i)
    budget.earn();
  BOOST_TEST(spends(budget) == 100u);
}

BOOST_AUTO_TEST_CASE(nothing_is_allowed_that_is_not_earned) {
  retry_budget budget{50};
  BOOST_TEST(spends(budget) == 0u);
  for (int i = 0; i < 1000; ++i)
    budget.earn();
  BOOST_TEST(spends(budget) == 20u);
}

BOOST_AUTO_TEST_SUITE_END()
