#include "galaxycache/runtime/circuit_breaker.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

using state = galaxycache::circuit_breaker::state;

struct fixture {
  galaxycache::circuit_breaker tested{3};
  mono_time now{1h};

  void fail(std::size_t times) {
    for (std::size_t i = 0; i < times; ++i)
      tested.failed(now);
  }

  void succeed(std::size_t times) {
    for (std::size_t i = 0; i < times; ++i)
      tested.succeeded(now);
  }

  /// How long it stays open.
  std::chrono::milliseconds pause() {
    auto begin = now;
    while (!tested.try_pass(now))
      now += 1ms;
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - begin);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(circuit_breaker, fixture)

BOOST_AUTO_TEST_CASE(few_failures_say_nothing) {
  fail(19);
  BOOST_TEST(tested.try_pass(now));
  fail(1);
  BOOST_TEST(!tested.try_pass(now));
  BOOST_TEST((tested.current() == state::open));
}

BOOST_AUTO_TEST_CASE(half_of_all_must_fail) {
  succeed(30);
  fail(29);
  BOOST_TEST(tested.try_pass(now));
  fail(1);
  BOOST_TEST(!tested.try_pass(now));
}

BOOST_AUTO_TEST_CASE(old_outcomes_do_not_count) {
  fail(19);
  now += 10s;
  fail(10);
  BOOST_TEST(tested.try_pass(now));
  now += 6s; // those are of the window before
  fail(10);
  BOOST_TEST(!tested.try_pass(now));
}

BOOST_AUTO_TEST_CASE(pauses_grow_up_to_a_bound_and_vary) {
  fail(20);
  auto expected = 1000ms;
  for (int i = 0; i < 8; ++i) {
    auto took = pause();
    BOOST_TEST(took.count() >= expected.count());
    BOOST_TEST(took.count() <= expected.count() * 3 / 2 + 1);
    BOOST_TEST((tested.current() == state::half_open));
    fail(1);
    expected = std::min(2 * expected, 30'000ms);
  }
}

BOOST_AUTO_TEST_CASE(one_success_after_the_pause_closes_it_as_new) {
  fail(20);
  pause();
  fail(1);
  pause();
  BOOST_TEST(tested.try_pass(now)); // all may ask until one has heard
  succeed(1);
  BOOST_TEST((tested.current() == state::closed));
  fail(19);
  BOOST_TEST(tested.try_pass(now));
  fail(1);
  BOOST_TEST(pause().count() <= 1501);
}

BOOST_AUTO_TEST_CASE(what_was_asked_before_it_opened_does_not_matter) {
  fail(20);
  succeed(100);
  fail(100);
  BOOST_TEST((tested.current() == state::open));
  BOOST_TEST(pause().count() <= 1501);
}

BOOST_AUTO_TEST_SUITE_END()
