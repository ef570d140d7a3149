#include "galaxycache/runtime/timer_wheel.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

using wheel = galaxycache::timer_wheel;
using timer = wheel::timer;

constexpr auto tick = wheel::tick;
constexpr auto year = std::chrono::nanoseconds{24h * 365};

// Not on a tick of any other clock.
constexpr mono_time origin{123'456'789'123ns};

std::vector<timer*> pop_all(wheel& w, mono_time now) {
  std::vector<timer*> result;
  while (auto* t = w.pop_due(now))
    result.push_back(t);
  return result;
}

struct numbered : timer {
  mono_time when;
  std::uint64_t due = 0; // in ticks, as the reference has it
};

// A wheel beside a sorted map that says what it must do.
class compared {
public:
  explicit compared(std::uint64_t seed) : random_(seed), timers_(40) {
    // nop
  }

  void step() {
    switch (random_.below(8)) {
      case 0:
      case 1:
      case 2:
        arm(any());
        break;
      case 3:
        cancel(any());
        break;
      case 4:
        // Just before there is something to do, and then.
        if (auto next = wheel_.next(); next && *next - now_ < year) {
          advance_to(std::max(now_, *next - 1ns));
          advance_to(std::max(now_, *next));
        }
        break;
      default:
        advance_to(now_ + random_pause());
    }
    check();
  }

private:
  numbered& any() {
    return timers_[random_.below(timers_.size())];
  }

  std::chrono::nanoseconds up_to(std::chrono::nanoseconds most) {
    return std::chrono::nanoseconds{static_cast<std::int64_t>(
      random_.below(static_cast<std::uint64_t>(most.count()) + 1))};
  }

  std::chrono::nanoseconds random_pause() {
    switch (random_.below(200)) {
      case 0:
        return up_to(year);
      case 1:
        return up_to(100h);
      default:
        break;
    }
    switch (random_.below(5)) {
      case 0:
        return 0ns;
      case 1:
        return up_to(2 * tick);
      case 2:
        return up_to(1s);
      case 3:
        return up_to(10min);
      default:
        return up_to(70 * tick);
    }
  }

  mono_time random_time() {
    switch (random_.below(12)) {
      case 0:
        return now_ - up_to(10s);
      case 1:
        return now_;
      case 2:
        return now_ + up_to(2 * tick);
      case 3:
        return now_ + up_to(64 * tick);
      case 4:
        return now_ + up_to(1h);
      case 5:
        return now_ + up_to(1'000h);
      case 6:
        return now_ + up_to(5 * year);
      case 7:
        // On a tick that begins a coarse slot.
        return origin + (now_ - origin) / (4096 * tick) * (4096 * tick)
               + static_cast<std::int64_t>(random_.below(3)) * 4096 * tick;
      case 8:
        switch (random_.below(3)) {
          case 0:
            return mono_time::max();
          case 1:
            return mono_time::min();
          default:
            return mono_time{};
        }
      default:
        return now_ + up_to(5s);
    }
  }

  void arm(numbered& t) {
    cancel(t);
    t.when = random_time();
    const auto after = std::max(t.when, origin) - origin;
    t.due = static_cast<std::uint64_t>(after / tick)
            + (after % tick == 0ns ? 0 : 1);
    t.due = std::max(t.due, elapsed_);
    wheel_.arm(t, t.when);
    expected_.emplace(t.due, &t);
  }

  void cancel(numbered& t) {
    BOOST_TEST_REQUIRE(t.armed() == (expected_.erase({t.due, &t}) == 1));
    t.disarm();
    BOOST_TEST_REQUIRE(!t.armed());
  }

  void advance_to(mono_time now) {
    now_ = now;
    const auto now_tick = static_cast<std::uint64_t>((now_ - origin) / tick);
    for (;;) {
      const auto due = !expected_.empty()
                       && expected_.begin()->first <= now_tick;
      auto* popped = wheel_.pop_due(now_);
      BOOST_TEST_REQUIRE((popped != nullptr) == due);
      if (popped == nullptr)
        break;
      auto& t = static_cast<numbered&>(*popped);
      BOOST_TEST_REQUIRE(!t.armed());
      BOOST_TEST_REQUIRE((t.when <= now_), "early");
      BOOST_TEST_REQUIRE(t.due == expected_.begin()->first, "out of order");
      BOOST_TEST_REQUIRE(expected_.erase({t.due, &t}) == 1u);
      elapsed_ = t.due;
      if (random_.below(4) == 0 && t.due < now_tick)
        arm(any());
    }
    elapsed_ = std::max(elapsed_, now_tick);
    for (const auto& [due, t] : expected_)
      BOOST_TEST_REQUIRE((t->when > now_ - tick), "late");
  }

  void check() {
    BOOST_TEST_REQUIRE(wheel_.size() == expected_.size());
    const auto next = wheel_.next();
    BOOST_TEST_REQUIRE(next.has_value() == !expected_.empty());
    if (!next)
      return;
    const auto earliest = std::min_element(expected_.begin(), expected_.end(),
                                           [](const auto& x, const auto& y) {
                                             return x.second->when
                                                    < y.second->when;
                                           });
    const auto when = earliest->second->when;
    if (when < mono_time::max() - tick)
      BOOST_TEST_REQUIRE((*next < std::max(when, now_) + tick));
  }

  random_source random_;
  mono_time now_ = origin;
  std::uint64_t elapsed_ = 0;
  // Before the timers, which disarm themselves when they go.
  wheel wheel_{origin};
  std::vector<numbered> timers_;
  std::set<std::pair<std::uint64_t, numbered*>> expected_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(timer_wheel)

BOOST_AUTO_TEST_CASE(an_empty_wheel_has_nothing_to_do) {
  wheel w{origin};
  BOOST_TEST(w.size() == 0u);
  BOOST_TEST(!w.next());
  BOOST_TEST(w.pop_due(origin + year) == nullptr);
  BOOST_TEST(!w.next());
}

BOOST_AUTO_TEST_CASE(a_timer_fires_once_and_is_disarmed_then) {
  wheel w{origin};
  timer t;
  BOOST_TEST(!t.armed());
  w.arm(t, origin + 5ms);
  BOOST_TEST(t.armed());
  BOOST_TEST(w.size() == 1u);
  BOOST_TEST(w.pop_due(origin + 5ms - 1ns) == nullptr);
  BOOST_TEST(w.pop_due(origin + 5ms) == &t);
  BOOST_TEST(!t.armed());
  BOOST_TEST(w.pop_due(origin + 5ms) == nullptr);
  BOOST_TEST(w.size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_deadline_within_a_tick_counts_from_its_end) {
  wheel w{origin};
  timer t;
  w.arm(t, origin + 5ms + 1ns);
  BOOST_TEST(w.pop_due(origin + 6ms - 1ns) == nullptr);
  BOOST_TEST((w.next() == origin + 6ms));
  BOOST_TEST(w.pop_due(origin + 6ms) == &t);
}

BOOST_AUTO_TEST_CASE(a_time_that_has_passed_fires_at_once) {
  wheel w{origin};
  timer before;
  timer long_before;
  BOOST_TEST(w.pop_due(origin + 1h) == nullptr);
  w.arm(before, origin + 59min);
  w.arm(long_before, mono_time::min());
  BOOST_TEST((w.next() <= origin + 1h));
  BOOST_TEST(pop_all(w, origin + 1h).size() == 2u);
}

BOOST_AUTO_TEST_CASE(arming_again_replaces_the_deadline) {
  wheel w{origin};
  timer t;
  w.arm(t, origin + 1ms);
  w.arm(t, origin + 1h);
  BOOST_TEST(w.size() == 1u);
  BOOST_TEST(w.pop_due(origin + 59min) == nullptr);
  w.arm(t, origin + 59min + 1ms);
  BOOST_TEST(w.pop_due(origin + 59min + 1ms) == &t);
}

BOOST_AUTO_TEST_CASE(a_timer_may_move_to_another_wheel) {
  wheel one{origin};
  wheel two{origin};
  timer t;
  one.arm(t, origin + 1ms);
  two.arm(t, origin + 1ms);
  BOOST_TEST(one.size() == 0u);
  BOOST_TEST(one.pop_due(origin + 1ms) == nullptr);
  BOOST_TEST(two.pop_due(origin + 1ms) == &t);
}

BOOST_AUTO_TEST_CASE(a_disarmed_timer_never_fires) {
  wheel w{origin};
  timer t;
  t.disarm();
  w.arm(t, origin + 1ms);
  t.disarm();
  t.disarm();
  BOOST_TEST(!t.armed());
  BOOST_TEST(w.size() == 0u);
  BOOST_TEST(!w.next());
  BOOST_TEST(w.pop_due(origin + 1h) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_timer_that_goes_leaves_its_wheel) {
  wheel w{origin};
  timer before;
  timer after;
  w.arm(before, origin + 1ms);
  {
    timer gone;
    w.arm(gone, origin + 1ms);
    w.arm(after, origin + 1ms);
  }
  BOOST_TEST(w.size() == 2u);
  BOOST_TEST(pop_all(w, origin + 1ms).size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_wheel_that_goes_disarms_its_timers) {
  timer near_one;
  timer far_one;
  {
    wheel w{origin};
    w.arm(near_one, origin + 1ms);
    w.arm(far_one, origin + year);
  }
  BOOST_TEST(!near_one.armed());
  BOOST_TEST(!far_one.armed());
}

BOOST_AUTO_TEST_CASE(an_hour_passed_over_fires_all_in_order) {
  wheel w{origin};
  std::vector<std::unique_ptr<numbered>> timers;
  random_source random{1};
  for (int i = 0; i < 1'000; ++i) {
    auto& t = *timers.emplace_back(std::make_unique<numbered>());
    t.when = origin + std::chrono::milliseconds{random.below(3'600'000)};
    w.arm(t, t.when);
  }
  const auto fired = pop_all(w, origin + 1h);
  BOOST_TEST(fired.size() == timers.size());
  BOOST_TEST(std::is_sorted(fired.begin(), fired.end(),
                            [](const timer* x, const timer* y) {
                              return static_cast<const numbered*>(x)->when
                                     < static_cast<const numbered*>(y)->when;
                            }));
}

BOOST_AUTO_TEST_CASE(who_waits_for_next_is_woken_few_times) {
  for (auto ahead : std::initializer_list<std::chrono::nanoseconds>{
         1ms, 63ms, 64ms, 65ms, 4096ms, 1h, 100h, 2 * year}) {
    wheel w{origin};
    timer t;
    const auto start = origin + 987'654'321ns;
    BOOST_TEST(w.pop_due(start) == nullptr);
    w.arm(t, start + ahead);
    int wakes = 0;
    auto now = start;
    while (t.armed()) {
      const auto next = w.next();
      BOOST_TEST_REQUIRE(next.has_value());
      BOOST_TEST_REQUIRE((*next > now));
      now = *next;
      w.pop_due(now);
      // Once for each of the six levels at most.
      BOOST_TEST_REQUIRE(++wakes <= 6);
    }
    BOOST_TEST((now >= start + ahead));
    BOOST_TEST((now < start + ahead + tick));
  }
}

BOOST_AUTO_TEST_CASE(what_lies_beyond_the_reach_is_not_early) {
  wheel w{origin};
  timer t;
  timer never;
  const auto when = origin + 7 * year;
  w.arm(t, when);
  w.arm(never, mono_time::max());
  for (int days = 0; days < 7 * 365; ++days)
    BOOST_TEST_REQUIRE(w.pop_due(origin + days * 24h) == nullptr);
  BOOST_TEST(w.pop_due(when - 1ns) == nullptr);
  BOOST_TEST(w.pop_due(when) == &t);
  BOOST_TEST(never.armed());
}

BOOST_AUTO_TEST_CASE(all_that_a_clock_can_tell_may_be_a_deadline) {
  wheel w{mono_time{}};
  timer last;
  timer first;
  w.arm(last, mono_time::max());
  w.arm(first, mono_time::min());
  BOOST_TEST(w.pop_due(mono_time{}) == &first);
  BOOST_TEST(w.pop_due(mono_time{} + 200 * year) == nullptr);
  BOOST_TEST(last.armed());
}

BOOST_AUTO_TEST_CASE(timers_armed_while_popping_fire_in_the_same_turn) {
  wheel w{origin};
  timer t;
  w.arm(t, origin + 1ms);
  const auto now = origin + 10ms;
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST_REQUIRE(w.pop_due(now) == &t);
    w.arm(t, now);
  }
}

BOOST_AUTO_TEST_CASE(the_wheel_does_what_a_sorted_map_does) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      compared both{seed};
      for (int i = 0; i < 1'500; ++i)
        both.step();
    }
}

BOOST_AUTO_TEST_SUITE_END()
