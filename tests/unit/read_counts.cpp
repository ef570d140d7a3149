#include "galaxycache/runtime/read_counts.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

using namespace galaxycache;

namespace {

using counts = galaxycache::read_counts;

constexpr read_outcome all_outcomes[]
  = {read_outcome::main_hit, read_outcome::hot_hit, read_outcome::goes_on,
     read_outcome::absent};

} // namespace

BOOST_AUTO_TEST_SUITE(read_counts)

BOOST_AUTO_TEST_CASE(an_outcome_counts_for_itself_alone) {
  for (auto what : all_outcomes) {
    const auto some = std::make_unique<counts>();
    const read_guard guard;
    some->add(guard, what);
    some->add(guard, what);
    for (auto other : all_outcomes)
      BOOST_TEST(some->get(other) == (other == what ? 2u : 0u));
  }
}

BOOST_AUTO_TEST_CASE(no_read_of_any_thread_is_lost) {
  // More than have a lane of their own, all at once, and twice, so that lanes
  // go from one thread to another.
  constexpr int threads = 80;
  constexpr int reads = 500;
  const auto some = std::make_unique<counts>();
  for (int round = 1; round <= 2; ++round) {
    std::latch all_there{threads};
    std::atomic<std::uint32_t> highest{0};
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i)
      running.emplace_back([&] {
        {
          const read_guard guard;
          auto known = highest.load();
          while (
            known < guard.thread_number()
            && !highest.compare_exchange_weak(known, guard.thread_number()))
            ;
        }
        all_there.arrive_and_wait();
        for (int j = 0; j < reads; ++j) {
          const read_guard guard;
          some->add(guard, read_outcome::main_hit);
          if (j % 2 == 0)
            some->add(guard, read_outcome::goes_on);
        }
      });
    for (auto& t : running)
      t.join();
    BOOST_TEST(highest >= 63u);
    BOOST_TEST(some->get(read_outcome::main_hit)
               == static_cast<unsigned>(round * threads * reads));
    BOOST_TEST(some->get(read_outcome::goes_on)
               == static_cast<unsigned>(round * threads * reads / 2));
    BOOST_TEST(some->get(read_outcome::absent) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(counts_may_be_read_while_threads_count) {
  const auto some = std::make_unique<counts>();
  std::vector<std::thread> running;
  for (int i = 0; i < 2; ++i)
    running.emplace_back([&] {
      for (int j = 0; j < 20'000; ++j)
        some->add(read_guard{}, read_outcome::absent);
    });
  std::uint64_t last = 0;
  while (last < 40'000) {
    const auto now = some->get(read_outcome::absent);
    BOOST_TEST_REQUIRE(now >= last);
    last = now;
    std::this_thread::yield();
  }
  for (auto& t : running)
    t.join();
  BOOST_TEST(some->get(read_outcome::absent) == 40'000u);
}

BOOST_AUTO_TEST_SUITE_END()
