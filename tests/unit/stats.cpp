#include "galaxycache/runtime/stats.hpp"

#include <boost/test/unit_test.hpp>

#include <iterator>
#include <set>
#include <string_view>
#include <thread>
#include <vector>

using namespace galaxycache;

namespace {

#define GALAXYCACHE_X(name, text) #name,
constexpr std::string_view names[] = {GALAXYCACHE_COUNTERS(GALAXYCACHE_X)};
#undef GALAXYCACHE_X

#define GALAXYCACHE_X(name, text) text,
constexpr std::string_view texts[] = {GALAXYCACHE_COUNTERS(GALAXYCACHE_X)};
#undef GALAXYCACHE_X

constexpr auto size = std::size(names);

// The fields of `x`, in order of the counters.
std::vector<std::uint64_t> fields(const galaxy_stats& x) {
#define GALAXYCACHE_X(name, text) x.name,
  return {GALAXYCACHE_COUNTERS(GALAXYCACHE_X)};
#undef GALAXYCACHE_X
}

} // namespace

BOOST_AUTO_TEST_SUITE(stats)

BOOST_AUTO_TEST_CASE(every_counter_appears_once_and_says_what_it_counts) {
  BOOST_TEST(
    std::set<std::string_view>(std::begin(names), std::end(names)).size()
    == size);
  for (auto text : texts)
    BOOST_TEST(!text.empty());
}

BOOST_AUTO_TEST_CASE(a_counter_counts_for_itself_alone) {
  for (std::size_t i = 0; i < size; ++i) {
    counters some;
    some.add(static_cast<counter>(i));
    some.add(static_cast<counter>(i), 5);
    for (std::size_t j = 0; j < size; ++j)
      BOOST_TEST(some.get(static_cast<counter>(j)) == (i == j ? 6u : 0u));
  }
}

BOOST_AUTO_TEST_CASE(counters_add_up_to_statistics) {
  counters some;
  for (std::size_t i = 0; i < size; ++i)
    some.add(static_cast<counter>(i), i + 1);
  galaxy_stats sum;
  sum.add(some);
  sum.add(some);
  const auto all = fields(sum);
  BOOST_TEST_REQUIRE(all.size() == size);
  for (std::size_t i = 0; i < size; ++i)
    BOOST_TEST_CONTEXT(names[i])
  BOOST_TEST(all[i] == 2 * (i + 1));
}

BOOST_AUTO_TEST_CASE(statistics_begin_at_zero) {
  for (auto x : fields(galaxy_stats{}))
    BOOST_TEST(x == 0u);
  BOOST_TEST((galaxy_stats{}.maincache == cache_stats{}));
}

BOOST_AUTO_TEST_CASE(statistics_differ_if_one_number_does) {
  galaxy_stats x;
  BOOST_TEST((x == galaxy_stats{}));
  x.hotcache.evictions = 1;
  BOOST_TEST((x != galaxy_stats{}));
  x = {};
  x.gets = 1;
  BOOST_TEST((x != galaxy_stats{}));
}

BOOST_AUTO_TEST_CASE(no_count_of_any_thread_is_lost) {
  counters some;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 10'000; ++j) {
        some.add(counter::gets);
        some.add(counter::loads, 2);
      }
    });
  for (auto& t : threads)
    t.join();
  BOOST_TEST(some.get(counter::gets) == 40'000u);
  BOOST_TEST(some.get(counter::loads) == 80'000u);
}

BOOST_AUTO_TEST_SUITE_END()
