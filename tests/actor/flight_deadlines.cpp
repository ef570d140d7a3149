// Each get has its own deadline, whoever else waits for the same key.

#include "fixtures/flight_rig.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

// Those whose calls may be held for long.
constexpr backend_kind patient_backends[] = {backend_kind::function,
                                             backend_kind::actor};

get_options within(std::chrono::nanoseconds timeout) {
  get_options result;
  result.timeout = timeout;
  return result;
}

/// A function backend that notices being asked to stop.
struct stoppable_backend {
  std::atomic<int> calls{0};
  std::atomic<int> stopped{0};
  std::atomic<bool> wait_for_stop{true};

  backend make() {
    return backend::function(
      [this](std::string_view key, const load_context& context) -> load_result {
        ++calls;
        while (wait_for_stop && !context.stop.stop_requested())
          std::this_thread::sleep_for(100us);
        if (!context.stop.stop_requested())
          return value_of(key);
        ++stopped;
        while (hold_after_stop)
          std::this_thread::sleep_for(100us);
        return failure{errc::backend_failed, "nobody waits"};
      });
  }

  std::atomic<bool> hold_after_stop{false};
};

} // namespace

BOOST_AUTO_TEST_SUITE(flight_deadlines)

BOOST_DATA_TEST_CASE(each_waiter_leaves_at_its_own_deadline, patient_backends,
                     kind) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{kind};
  flight_rig rig{source, {}, 1 << 20, time};
  source.hold();
  // The longest first: nobody inherits another's.
  for (int seconds = 10; seconds > 0; --seconds)
    rig.ask("key", within(std::chrono::seconds{seconds}));
  rig.await_waiting(10);
  for (std::size_t second = 1; second < 10; ++second) {
    time->advance(1s - 2ms);
    BOOST_TEST(rig.book->owed() == 11 - second);
    time->advance(2ms);
    eventually([&] { return rig.book->owed() == 10 - second; });
    BOOST_TEST(rig.book->at(10 - second).code == errc::deadline_exceeded);
    BOOST_TEST(rig.shared->stats().waiters == 10 - second);
  }
  source.release();
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.book->at(0).found());
  BOOST_TEST(rig.book->codes()[errc::deadline_exceeded] == 9u);
  BOOST_TEST(rig.shared->stats().deadline_exceeded == 9u);
  BOOST_TEST(source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(no_waiter_leaves_before_its_deadline) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, {}, 1 << 20, time};
  source.hold();
  rig.ask("key", within(100ms));
  rig.ask("another key", within(50ms));
  eventually([&] { return source->held() == 2; });
  time->advance(50ms + 1ms);
  eventually([&] { return rig.book->owed() == 1; });
  time->advance(48ms);
  // Whatever the time has set off, the cache actor did before this get.
  rig.ask("a third key", within(50ms));
  eventually([&] { return source->held() == 3; });
  BOOST_TEST(rig.book->owed() == 2u);
  source.release();
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).found());
  BOOST_TEST(rig.book->at(1).code == errc::deadline_exceeded);
}

BOOST_AUTO_TEST_CASE(a_get_without_a_timeout_has_that_of_the_galaxy) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  galaxy_options options;
  options.default_timeout = 20ms;
  flight_rig rig{source, options, 1 << 20, time};
  source.hold();
  rig.ask("key");
  eventually([&] { return source->held() == 1; });
  time->advance(19ms);
  BOOST_TEST(rig.book->owed() == 1u);
  time->advance(2ms);
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).code == errc::deadline_exceeded);
}

BOOST_AUTO_TEST_CASE(a_timeout_of_centuries_is_a_long_one) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, {}, 1 << 20, time};
  source.hold();
  rig.ask("key", within(std::chrono::nanoseconds::max()));
  eventually([&] { return source->held() == 1; });
  time->advance(30s);
  BOOST_TEST(rig.book->owed() == 1u);
  source.release();
  rig.await_answers();
  BOOST_TEST(rig.book->at(0).found());
}

BOOST_DATA_TEST_CASE(a_value_that_comes_when_all_have_left_is_cached,
                     patient_backends, kind) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{kind};
  flight_rig rig{source, {}, 1 << 20, time};
  source.hold();
  rig.ask("key", within(100ms));
  eventually([&] { return source->held() == 1; });
  time->advance(101ms);
  rig.await_answers();
  auto meanwhile = rig.shared->stats();
  BOOST_TEST(meanwhile.waiters == 0u);
  BOOST_TEST(meanwhile.flights == 1u);
  source.release();
  rig.await_rest();
  BOOST_TEST(rig.g.find("key").has_value());
  BOOST_TEST(source->calls() == 1u);
}

BOOST_DATA_TEST_CASE(a_get_rejoins_a_flight_that_all_have_left,
                     patient_backends, kind) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{kind};
  flight_rig rig{source, {}, 1 << 20, time};
  source.hold();
  rig.ask("key", within(100ms));
  eventually([&] { return source->held() == 1; });
  time->advance(101ms);
  rig.await_answers();
  rig.ask("key", within(10s));
  rig.await_waiting(1);
  source.release();
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.book->at(1).found());
  BOOST_TEST(source->calls() == 1u);
  BOOST_TEST(rig.shared->stats().coalesced_loads == 1u);
}

BOOST_AUTO_TEST_CASE(the_last_waiter_that_leaves_asks_the_load_to_stop) {
  auto time = std::make_shared<manual_clock>();
  stoppable_backend source;
  flight_rig rig{source.make(), {}, 1 << 20, time};
  rig.ask("key", within(100ms));
  rig.ask("key", within(200ms));
  rig.await_waiting(2);
  eventually([&] { return source.calls == 1; });
  time->advance(101ms);
  eventually([&] { return rig.book->owed() == 1; });
  BOOST_TEST(source.stopped == 0);
  time->advance(100ms);
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(source.stopped == 1);
  // The next get is none of the business of the one that was stopped.
  source.wait_for_stop = false;
  BOOST_TEST(rig.get("key").first.found());
}

BOOST_AUTO_TEST_CASE(what_a_backend_does_when_stopped_holds_up_nobody_else) {
  auto time = std::make_shared<manual_clock>();
  std::atomic<bool> begun{false};
  std::atomic<bool> stopping{false};
  std::atomic<bool> blocked{true};
  auto load = [&](std::string_view key, const load_context& context) {
    if (key == "key") {
      std::stop_callback on_stop{context.stop, [&] {
                                   stopping = true;
                                   while (blocked)
                                     std::this_thread::sleep_for(100us);
                                 }};
      begun = true;
      while (!stopping)
        std::this_thread::sleep_for(100us);
    }
    return value_of(key);
  };
  galaxy_options options;
  options.shards = 1;
  flight_rig rig{backend::function(load), options, 1 << 20, time};
  rig.ask("key", within(100ms));
  rig.await_waiting(1);
  eventually([&] { return begun.load(); });
  time->advance(101ms);
  eventually([&] { return stopping.load(); });
  // Its stop callback blocks, and the cache actor does not care.
  BOOST_TEST(rig.get("another key").first.found());
  blocked = false;
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.g.find("key").has_value());
}

BOOST_AUTO_TEST_CASE(a_backend_whose_loader_dies_is_asked_to_stop) {
  stoppable_backend source;
  flight_rig rig{source.make()};
  rig.ask("key");
  eventually([&] { return source.calls == 1; });
  rig.shut_down();
  eventually([&] { return source.stopped == 1; });
  rig.await_answers();
}

BOOST_AUTO_TEST_CASE(a_backend_that_stopped_is_asked_again_for_who_rejoined) {
  auto time = std::make_shared<manual_clock>();
  stoppable_backend source;
  source.hold_after_stop = true;
  flight_rig rig{source.make(), {}, 1 << 20, time};
  rig.ask("key", within(100ms));
  eventually([&] { return source.calls == 1; });
  time->advance(101ms);
  rig.await_answers();
  eventually([&] { return source.stopped == 1; });
  rig.ask("key", within(10s));
  rig.await_waiting(1);
  source.wait_for_stop = false;
  source.hold_after_stop = false;
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.book->at(1).found());
  BOOST_TEST(source.calls == 2);
}

BOOST_AUTO_TEST_CASE(a_caller_that_died_is_dropped_and_no_other) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, {}, 1 << 20, time};
  source.hold();
  auto dead = rig.ask("key", within(1h));
  rig.ask("key", within(1h));
  rig.await_waiting(2);
  kill(dead);
  rig.book->write_off(0);
  eventually([&] {
    time->advance(1s);
    return rig.shared->stats().waiters == 1;
  });
  source.release();
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.book->at(0).answers == 0);
  BOOST_TEST(rig.book->at(1).found());
}

BOOST_AUTO_TEST_CASE(a_load_that_nobody_living_waits_for_is_asked_to_stop) {
  auto time = std::make_shared<manual_clock>();
  stoppable_backend source;
  flight_rig rig{source.make(), {}, 1 << 20, time};
  auto dead = rig.ask("key", within(1h));
  eventually([&] { return source.calls == 1; });
  kill(dead);
  eventually([&] {
    time->advance(1s);
    return source.stopped == 1;
  });
  rig.await_rest();
}

BOOST_DATA_TEST_CASE(a_backend_that_never_returns_fails_the_load_in_the_end,
                     patient_backends, kind) {
  auto time = std::make_shared<manual_clock>();
  galaxy_options options;
  options.load_timeout = 10s;
  scripted_backend source{kind};
  flight_rig rig{source, options, 1 << 20, time};
  source.hold();
  rig.ask("key", within(1h));
  rig.ask("key", within(5s));
  eventually([&] { return source->held() == 1; });
  rig.await_waiting(2);
  time->advance(5001ms);
  eventually([&] { return rig.book->owed() == 1; });
  eventually([&] {
    time->advance(1s);
    return rig.book->owed() == 0;
  });
  rig.await_rest();
  BOOST_TEST(rig.book->at(0).code == errc::backend_failed);
  BOOST_TEST(rig.book->at(1).code == errc::deadline_exceeded);
  // What comes after all is of no use, and of no harm.
  source.release();
  eventually([&] { return source->held() == 0; });
  BOOST_TEST(rig.get("key").first.found());
  BOOST_TEST(source->calls() == 2u);
}

BOOST_AUTO_TEST_CASE(deadlines_far_apart_all_pass_in_one_leap) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  galaxy_options options;
  options.load_timeout = 24h * 365;
  flight_rig rig{source, options, 1 << 20, time};
  source.hold();
  for (auto timeout : {1ms, 63ms, 64ms, 65ms, 4095ms, 4096ms, 300'000ms})
    rig.ask("key", within(timeout));
  rig.await_waiting(7);
  time->advance(1h);
  rig.await_answers();
  BOOST_TEST(rig.book->codes()[errc::deadline_exceeded] == 7u);
  source.release();
  rig.await_rest();
}

BOOST_AUTO_TEST_SUITE_END()
