#include "galaxycache/runtime/gate.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

using entrance = galaxycache::gate;

} // namespace

BOOST_AUTO_TEST_SUITE(gate)

BOOST_AUTO_TEST_CASE(as_many_enter_as_the_limit_says) {
  entrance g{3};
  BOOST_TEST(g.limit() == 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST(g.inside() == i);
    BOOST_TEST(g.try_enter());
  }
  BOOST_TEST(!g.try_enter());
  BOOST_TEST(g.inside() == 3u);
}

BOOST_AUTO_TEST_CASE(who_leaves_makes_room) {
  entrance g{1};
  BOOST_TEST(g.try_enter());
  g.leave();
  BOOST_TEST(g.inside() == 0u);
  BOOST_TEST(g.try_enter());
}

BOOST_AUTO_TEST_CASE(a_group_enters_together_or_not_at_all) {
  entrance g{10};
  BOOST_TEST(g.try_enter(7));
  BOOST_TEST(!g.try_enter(4));
  BOOST_TEST(g.inside() == 7u);
  BOOST_TEST(g.try_enter(3));
  g.leave(10);
  BOOST_TEST(g.inside() == 0u);
}

BOOST_AUTO_TEST_CASE(nobody_enters_a_closed_gate) {
  entrance g{0};
  BOOST_TEST(!g.try_enter());
  BOOST_TEST(g.try_enter(0));
  BOOST_TEST(g.inside() == 0u);
}

BOOST_AUTO_TEST_CASE(a_group_without_end_does_not_slip_in) {
  entrance g{10};
  BOOST_TEST(g.try_enter(5));
  BOOST_TEST(!g.try_enter(SIZE_MAX));
  BOOST_TEST(!g.try_enter(SIZE_MAX - 4));
  BOOST_TEST(g.inside() == 5u);
}

BOOST_AUTO_TEST_CASE(the_limit_holds_for_many_threads) {
  constexpr std::size_t limit = 5;
  entrance g{limit};
  std::atomic<std::size_t> inside{0};
  std::atomic<std::size_t> too_many{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i <= 4; ++i)
    threads.emplace_back([&, group = i] {
      for (int j = 0; j < 20'000; ++j) {
        if (!g.try_enter(group))
          continue;
        if (inside.fetch_add(group) + group > limit)
          ++too_many;
        inside.fetch_sub(group);
        g.leave(group);
      }
    });
  for (auto& t : threads)
    t.join();
  BOOST_TEST(too_many == 0u);
  BOOST_TEST(g.inside() == 0u);
}

BOOST_AUTO_TEST_CASE(who_is_refused_is_in_nobodys_way) {
  constexpr int rounds = 100'000;
  entrance g{10};
  std::atomic<bool> done{false};
  std::thread crowd{[&] {
    while (!done)
      g.try_enter(11);
  }};
  int refused = 0;
  for (int i = 0; i < rounds; ++i) {
    if (g.try_enter())
      g.leave();
    else
      ++refused;
  }
  done = true;
  crowd.join();
  BOOST_TEST(refused == 0);
}

BOOST_AUTO_TEST_SUITE_END()
