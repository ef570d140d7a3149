#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <vector>

using namespace galaxycache;

// The C library has a function of this name: hence the namespace.
namespace of_runtime {

BOOST_AUTO_TEST_SUITE(random)

BOOST_AUTO_TEST_CASE(the_numbers_are_the_published_ones) {
  random_source source{1234567};
  BOOST_TEST(source.next() == 6457827717110365317u);
  BOOST_TEST(source.next() == 3203168211198807973u);
  BOOST_TEST(source.next() == 9817491932198370423u);
  BOOST_TEST(source.next() == 4593380528125082431u);
  BOOST_TEST(source.next() == 16408922859458223821u);
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_numbers) {
  random_source one{7};
  random_source two{7};
  random_source other{8};
  int same = 0;
  for (int i = 0; i < 100; ++i) {
    const auto x = one.next();
    BOOST_TEST(x == two.next());
    same += x == other.next() ? 1 : 0;
  }
  BOOST_TEST(same == 0);
}

BOOST_AUTO_TEST_CASE(numbers_stay_below_their_bound) {
  random_source source{1};
  for (std::uint64_t bound :
       {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3},
        std::uint64_t{1000}, std::uint64_t{1} << 63,
        std::numeric_limits<std::uint64_t>::max()})
    for (int i = 0; i < 1'000; ++i)
      BOOST_TEST_REQUIRE(source.below(bound) < bound);
}

BOOST_AUTO_TEST_CASE(nothing_is_below_zero) {
  random_source source{1};
  BOOST_TEST(source.below(0) == 0u);
}

BOOST_AUTO_TEST_CASE(all_numbers_below_a_bound_come_equally_often) {
  random_source source{2};
  constexpr int rounds = 70'000;
  std::vector<int> count(7);
  for (int i = 0; i < rounds; ++i)
    ++count[source.below(count.size())];
  // 10,000 each, with a standard deviation of 93.
  for (auto n : count) {
    BOOST_TEST(n > 9'500);
    BOOST_TEST(n < 10'500);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace of_runtime
