#include "galaxycache/runtime/ttl.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

// In 2024.
const wall_time now{std::chrono::seconds{1'717'171'717}};

wall_time capped(ttl_cap cap, wall_time expiry) {
  random_source random{1};
  return cap.apply(expiry, now, random);
}

} // namespace

BOOST_AUTO_TEST_SUITE(ttl)

BOOST_AUTO_TEST_CASE(without_a_maximum_every_expiry_stays) {
  for (auto max : {0h, -3h})
    for (auto jitter : {0h, 1h, -1h}) {
      BOOST_TEST((capped({max, jitter}, never_expires) == never_expires));
      BOOST_TEST((capped({max, jitter}, now + 1h) == now + 1h));
      BOOST_TEST((capped({max, jitter}, now + 90'000h) == now + 90'000h));
    }
  BOOST_TEST((capped({}, never_expires) == never_expires));
}

// The cases galaxycache itself is tested with.
BOOST_AUTO_TEST_CASE(expiries_are_capped_as_galaxycache_does) {
  struct row {
    const char* name;
    ttl_cap cap;
    wall_time expiry;
    wall_time least;
    wall_time most;
  };
  const row rows[] = {
    {"no jitter", {2h, 0ns}, never_expires, now + 2h, now + 2h},
    {"negative jitter", {2h, -1h}, never_expires, now + 2h, now + 2h},
    {"jitter", {2h, 3min}, never_expires, now + 2h - 3min, now + 2h},
    {"too far", {2h, 3min}, now + 20h, now + 2h - 3min, now + 2h},
    {"near", {2h, 3min}, now + 1h, now + 1h, now + 1h},
    {"just in time",
     {2h, -3min},
     now + 2h - 1ns,
     now + 2h - 1ns,
     now + 2h - 1ns},
  };
  for (const auto& x : rows)
    for (std::uint64_t seed = 0; seed < 100; ++seed)
      BOOST_TEST_CONTEXT(x.name << ", seed " << seed) {
        random_source random{seed};
        const auto result = x.cap.apply(x.expiry, now, random);
        BOOST_TEST((result >= x.least));
        BOOST_TEST((result <= x.most));
      }
}

BOOST_AUTO_TEST_CASE(an_expiry_stays_up_to_the_maximum_and_the_jitter) {
  const ttl_cap cap{2h, 3min};
  for (auto ahead : std::initializer_list<std::chrono::nanoseconds>{
         -1h, 0h, 1ns, 2h, 2h + 1ns, 2h + 3min})
    BOOST_TEST((capped(cap, now + ahead) == now + ahead));
  const auto beyond = capped(cap, now + 2h + 3min + 1ns);
  BOOST_TEST((beyond <= now + 2h));
  BOOST_TEST((beyond > now + 2h - 3min));
}

BOOST_AUTO_TEST_CASE(jitter_shortens_by_less_than_itself) {
  random_source random{3};
  const ttl_cap cap{100ns, 4ns};
  auto least = wall_time::max();
  auto most = wall_time::min();
  for (int i = 0; i < 1'000; ++i) {
    const auto result = cap.apply(never_expires, now, random);
    least = std::min(least, result);
    most = std::max(most, result);
  }
  BOOST_TEST((least == now + 97ns));
  BOOST_TEST((most == now + 100ns));
}

BOOST_AUTO_TEST_CASE(jitter_beyond_the_maximum_counts_as_the_maximum) {
  random_source random{4};
  const ttl_cap cap{4ns, 1h};
  // Stays: at most twice the maximum away.
  BOOST_TEST((cap.apply(now + 8ns, now, random) == now + 8ns));
  auto least = wall_time::max();
  for (int i = 0; i < 1'000; ++i) {
    const auto result = cap.apply(now + 9ns, now, random);
    BOOST_TEST_REQUIRE((result <= now + 4ns));
    least = std::min(least, result);
  }
  // Never at once.
  BOOST_TEST((least == now + 1ns));
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_jitter) {
  const ttl_cap cap{1h, 1h};
  BOOST_TEST((capped(cap, never_expires) == capped(cap, never_expires)));
}

BOOST_AUTO_TEST_CASE(the_longest_of_times_do_not_overflow) {
  const auto longest = std::chrono::nanoseconds::max();
  for (auto jitter : {0ns, 1ns, longest}) {
    const ttl_cap cap{longest, jitter};
    BOOST_TEST((capped(cap, never_expires) > now));
    BOOST_TEST((capped(cap, now + 1h) == now + 1h));
    BOOST_TEST((capped(cap, wall_time::max()) > now));
    BOOST_TEST((capped(cap, wall_time::min()) == wall_time::min()));
  }
  BOOST_TEST((capped({1h, 0ns}, wall_time::max()) == now + 1h));
  BOOST_TEST((capped({1h, 0ns}, wall_time::min()) == wall_time::min()));
}

BOOST_AUTO_TEST_SUITE_END()
