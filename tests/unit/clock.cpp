#include "galaxycache/runtime/clock.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

// The C library has a function of this name: hence the namespace.
namespace {

using galaxycache_clock = galaxycache::clock;
using numbers = std::vector<int>;

// How long to wait for what must happen.
constexpr auto patience = 30s;

} // namespace

namespace of_runtime {

BOOST_AUTO_TEST_SUITE(clock)

BOOST_AUTO_TEST_CASE(a_value_expires_at_its_expiry_and_not_before) {
  const wall_time expiry{1h};
  BOOST_TEST(!expired(expiry, expiry - 1ns));
  BOOST_TEST(expired(expiry, expiry));
  BOOST_TEST(expired(expiry, expiry + 1ns));
}

BOOST_AUTO_TEST_CASE(never_is_not_a_time_in_1970) {
  BOOST_TEST(!expired(never_expires, never_expires));
  BOOST_TEST(!expired(never_expires, wall_time{1h}));
  BOOST_TEST(!expired(never_expires, wall_time::max()));
  BOOST_TEST(expired(wall_time{-1ns}, wall_time{1h}));
}

BOOST_AUTO_TEST_CASE(a_manual_clock_stands_still_until_told_to_move) {
  manual_clock time;
  const auto now = time.now();
  const auto wall = time.wall_now();
  BOOST_TEST((time.now() == now));
  time.advance(5ms);
  BOOST_TEST((time.now() == now + 5ms));
  BOOST_TEST((time.wall_now() == wall + 5ms));
  time.advance(0ns);
  BOOST_TEST((time.now() == now + 5ms));
}

BOOST_AUTO_TEST_CASE(a_manual_clock_begins_far_from_zero) {
  manual_clock time;
  BOOST_TEST((time.now() - 100h > mono_time{}));
  BOOST_TEST((time.wall_now() - 100h > never_expires));
}

BOOST_AUTO_TEST_CASE(the_wall_clock_jumps_alone) {
  manual_clock time;
  const auto now = time.now();
  const auto wall = time.wall_now();
  time.jump_wall(-3h);
  BOOST_TEST((time.now() == now));
  BOOST_TEST((time.wall_now() == wall - 3h));
  time.advance(1s);
  BOOST_TEST((time.wall_now() == wall - 3h + 1s));
}

BOOST_AUTO_TEST_CASE(manual_time_never_goes_backwards) {
  manual_clock time;
  const auto now = time.now();
  const auto wall = time.wall_now();
  time.advance(-1s);
  BOOST_TEST((time.now() == now));
  BOOST_TEST((time.wall_now() == wall));
  // An alarm that moves the clock further than the advance it is part of.
  time.call_at(now + 1s, [&] { time.advance(1h); });
  time.advance(2s);
  BOOST_TEST((time.now() == now + 1s + 1h));
  BOOST_TEST((time.wall_now() == wall + 1s + 1h));
}

BOOST_AUTO_TEST_CASE(alarms_run_in_order_each_at_its_time) {
  manual_clock time;
  const auto start = time.now();
  const auto wall = time.wall_now();
  std::vector<std::pair<int, std::chrono::nanoseconds>> seen;
  const auto note = [&](int id) {
    BOOST_TEST((time.wall_now() - wall == time.now() - start));
    seen.emplace_back(id, time.now() - start);
  };
  time.call_at(start + 30ms, [&] { note(3); });
  time.call_at(start + 10ms, [&] { note(1); });
  time.call_at(start + 20ms, [&] { note(2); });
  time.call_at(start + 31ms, [&] { note(4); });
  BOOST_TEST(time.pending() == 4u);
  time.advance(30ms);
  BOOST_TEST((seen == decltype(seen){{1, 10ms}, {2, 20ms}, {3, 30ms}}));
  BOOST_TEST(time.pending() == 1u);
  time.advance(1ns);
  BOOST_TEST(seen.size() == 3u);
  time.advance(1h);
  BOOST_TEST(seen.size() == 4u);
  BOOST_TEST((time.now() == start + 30ms + 1ns + 1h));
}

BOOST_AUTO_TEST_CASE(alarms_of_the_same_time_run_in_order_of_their_calls) {
  manual_clock time;
  numbers seen;
  for (int i = 0; i < 5; ++i)
    time.call_at(time.now() + 1ms, [&, i] { seen.push_back(i); });
  time.advance(1ms);
  BOOST_TEST((seen == numbers{0, 1, 2, 3, 4}));
}

BOOST_AUTO_TEST_CASE(an_alarm_for_the_past_runs_at_once) {
  manual_clock time;
  numbers seen;
  time.call_at(time.now(), [&] { seen.push_back(1); });
  time.call_at(time.now() - 1h, [&] { seen.push_back(2); });
  BOOST_TEST((seen == numbers{1, 2}));
  BOOST_TEST(time.pending() == 0u);
}

BOOST_AUTO_TEST_CASE(an_alarm_may_set_the_next_one) {
  manual_clock time;
  const auto start = time.now();
  int rings = 0;
  std::function<void()> ring = [&] {
    ++rings;
    time.call_at(time.now() + 10ms, ring);
  };
  time.call_at(start + 10ms, ring);
  time.advance(95ms);
  BOOST_TEST(rings == 9);
  BOOST_TEST(time.pending() == 1u);
  BOOST_TEST((time.now() == start + 95ms));
}

BOOST_AUTO_TEST_CASE(alarms_still_waiting_are_dropped_with_their_clock) {
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = held;
  {
    manual_clock time;
    time.call_at(time.now() + 1h, [held] { ++*held; });
    held.reset();
    BOOST_TEST(!watch.expired());
  }
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_CASE(a_manual_clock_may_be_used_from_many_threads) {
  manual_clock time;
  const auto start = time.now();
  std::atomic<int> rings{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 1'000; ++j) {
        time.call_at(time.now() + 1ms, [&] { ++rings; });
        time.advance(1ms);
      }
    });
  for (auto& t : threads)
    t.join();
  time.advance(1ms);
  BOOST_TEST(rings == 3'000);
  BOOST_TEST((time.now() > start));
}

BOOST_AUTO_TEST_CASE(the_system_clock_tells_the_systems_time) {
  const auto time = make_system_clock();
  const auto before = std::chrono::steady_clock::now();
  const auto first = time->now();
  const auto second = time->now();
  const auto after = std::chrono::steady_clock::now();
  BOOST_TEST((before <= first));
  BOOST_TEST((first <= second));
  BOOST_TEST((second <= after));
  // Written in 2026.
  BOOST_TEST((time->wall_now() > wall_time{24h * 365 * 50}));
}

BOOST_AUTO_TEST_CASE(an_alarm_of_the_system_rings_once_and_not_early) {
  const auto time = make_system_clock();
  std::promise<mono_time> rung;
  const auto when = time->now() + 2ms;
  // Setting a promise twice throws, which ends the program.
  time->call_at(when, [&] { rung.set_value(time->now()); });
  auto at = rung.get_future();
  BOOST_TEST_REQUIRE((at.wait_for(patience) == std::future_status::ready));
  BOOST_TEST((at.get() >= when));
}

BOOST_AUTO_TEST_CASE(an_earlier_alarm_overtakes_a_later_one) {
  const auto time = make_system_clock();
  std::promise<void> rung;
  auto late = std::make_shared<std::atomic<bool>>(false);
  time->call_at(time->now() + 1h, [late] { *late = true; });
  time->call_at(time->now() + 1ms, [&] { rung.set_value(); });
  BOOST_TEST(
    (rung.get_future().wait_for(patience) == std::future_status::ready));
  BOOST_TEST(!*late);
}

BOOST_AUTO_TEST_CASE(alarms_of_the_system_ring_in_order_of_their_time) {
  const auto time = make_system_clock();
  numbers seen; // only touched by the thread of the alarms
  std::promise<void> rung;
  const auto now = time->now();
  // The first holds up the others until all are set.
  std::promise<void> all_set;
  time->call_at(now, [&, set = all_set.get_future().share()] { set.wait(); });
  time->call_at(now + 3us, [&] { rung.set_value(); });
  time->call_at(now + 2us, [&] { seen.push_back(2); });
  time->call_at(now + 1us, [&] { seen.push_back(1); });
  time->call_at(mono_time{}, [&] { seen.push_back(0); });
  all_set.set_value();
  BOOST_TEST_REQUIRE(
    (rung.get_future().wait_for(patience) == std::future_status::ready));
  BOOST_TEST((seen == numbers{0, 1, 2}));
}

BOOST_AUTO_TEST_CASE(the_system_clock_drops_alarms_that_still_wait) {
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = held;
  auto time = make_system_clock();
  time->call_at(mono_time::max(), [held] { ++*held; });
  held.reset();
  BOOST_TEST(!watch.expired());
  time.reset();
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_CASE(an_alarm_may_be_the_last_to_hold_its_clock) {
  std::promise<void> rung;
  auto time = make_system_clock();
  const std::weak_ptr<galaxycache_clock> watch = time;
  std::promise<void> released;
  auto* raw = time.get();
  raw->call_at(raw->now(), [&, last = std::move(time),
                            go = released.get_future().share()]() mutable {
    go.wait();
    last.reset();
    rung.set_value();
  });
  released.set_value();
  BOOST_TEST(
    (rung.get_future().wait_for(patience) == std::future_status::ready));
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_CASE(many_threads_may_set_alarms_of_the_system) {
  constexpr int each = 500;
  constexpr int setters = 4;
  std::promise<void> all;
  std::atomic<int> left{each * setters};
  const auto time = make_system_clock();
  std::vector<std::thread> threads;
  for (int i = 0; i < setters; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < each; ++j)
        time->call_at(time->now() + std::chrono::microseconds{j % 7}, [&] {
          if (--left == 0)
            all.set_value();
        });
    });
  for (auto& t : threads)
    t.join();
  BOOST_TEST(
    (all.get_future().wait_for(patience) == std::future_status::ready));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace of_runtime
