#include "galaxycache/runtime/ghosts.hpp"

#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <vector>

using namespace galaxycache;

namespace {

using memory = galaxycache::ghosts;

constexpr std::uint64_t hash_of(std::uint64_t i) {
  return mix64(i + 1);
}

} // namespace

BOOST_AUTO_TEST_SUITE(ghosts)

BOOST_AUTO_TEST_CASE(nobody_is_remembered_at_first) {
  memory g;
  BOOST_TEST(!g.take(hash_of(1)));
  BOOST_TEST(g.bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(who_left_is_known_once) {
  memory g;
  g.add(hash_of(1), 100);
  BOOST_TEST(!g.take(hash_of(2)));
  BOOST_TEST(g.take(hash_of(1)).has_value());
  BOOST_TEST(!g.take(hash_of(1)));
}

BOOST_AUTO_TEST_CASE(who_left_twice_is_remembered_once) {
  memory g;
  g.add(hash_of(1), 100);
  g.add(hash_of(1), 100);
  BOOST_TEST(g.take(hash_of(1)).has_value());
  BOOST_TEST(!g.take(hash_of(1)));
}

BOOST_AUTO_TEST_CASE(it_is_known_how_long_ago_somebody_left) {
  memory g;
  constexpr std::uint64_t wanted = 8'000;
  for (std::uint64_t i = 0; i < 2 * wanted; ++i)
    g.add(hash_of(i), wanted);
  // On average, of those of whom it is known.
  const auto age = [&](std::uint64_t from, std::uint64_t to) {
    double sum = 0;
    double count = 0;
    for (auto i = from; i < to; ++i)
      if (const auto share = g.take(hash_of(i))) {
        sum += *share;
        ++count;
      }
    return sum / count;
  };
  const auto old = age(3 * wanted / 2 - 200, 3 * wanted / 2);
  BOOST_TEST(old > 0.4);
  BOOST_TEST(old < 0.65);
  BOOST_TEST(age(2 * wanted - 200, 2 * wanted) < 0.15);
}

BOOST_AUTO_TEST_CASE(hashes_of_any_bits_are_remembered) {
  memory g;
  for (std::uint64_t hash : {std::uint64_t{0}, std::uint64_t{1} << 32,
                             ~std::uint64_t{0}, std::uint64_t{1}}) {
    g.add(hash, 8);
    BOOST_TEST(g.take(hash).has_value());
  }
}

BOOST_AUTO_TEST_CASE(without_room_nobody_is_remembered) {
  memory g;
  g.add(hash_of(1), 0);
  BOOST_TEST(!g.take(hash_of(1)));
  BOOST_TEST(g.bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(about_as_many_are_remembered_as_wanted) {
  for (std::size_t wanted : {100u, 10'000u})
    BOOST_TEST_CONTEXT(wanted) {
      memory g;
      for (std::uint64_t i = 0; i < 4 * wanted; ++i)
        g.add(hash_of(i), wanted);
      BOOST_TEST(g.bytes() >= 4 * wanted);
      BOOST_TEST(g.bytes() < 4 * wanted + 64);
      const auto known = [&](std::uint64_t from, std::uint64_t to) {
        std::size_t result = 0;
        for (auto i = from; i < to; ++i)
          result += g.take(hash_of(i)) ? 1 : 0;
        return static_cast<double>(result) / static_cast<double>(to - from);
      };
      // The youngest half, nearly all; those long gone, hardly any.
      BOOST_TEST(known(7 * wanted / 2, 4 * wanted) > 0.9);
      BOOST_TEST(known(0, 2 * wanted) < 0.05);
    }
}

BOOST_AUTO_TEST_CASE(strangers_are_hardly_ever_known) {
  memory g;
  constexpr std::uint64_t wanted = 10'000;
  for (std::uint64_t i = 0; i < wanted; ++i)
    g.add(hash_of(i), wanted);
  std::size_t known = 0;
  for (std::uint64_t i = wanted; i < 100 * wanted; ++i)
    known += g.take(hash_of(i)) ? 1 : 0;
  // A million with a chance of 8 in 4 thousand millions.
  BOOST_TEST(known <= 1u);
}

BOOST_AUTO_TEST_CASE(clearing_gives_all_memory_back) {
  memory g;
  g.add(hash_of(1), 1'000);
  g.clear();
  BOOST_TEST(g.bytes() == 0u);
  BOOST_TEST(!g.take(hash_of(1)));
  g.add(hash_of(1), 1'000);
  BOOST_TEST(g.take(hash_of(1)).has_value());
}

BOOST_AUTO_TEST_CASE(all_is_forgotten_if_far_more_or_fewer_are_wanted) {
  memory g;
  g.add(hash_of(1), 1'000);
  // Not far from what there is room for.
  for (std::size_t wanted : {500u, 999u, 1'500u, 2'000u}) {
    g.add(hash_of(2), wanted);
    BOOST_TEST(g.take(hash_of(2)).has_value());
  }
  BOOST_TEST(g.take(hash_of(1)).has_value());
  for (std::size_t wanted : {2'100u, 100u, 1'000u}) {
    g.add(hash_of(2), wanted);
    BOOST_TEST(!g.take(hash_of(1)).has_value());
    BOOST_TEST(g.take(hash_of(2)).has_value());
    BOOST_TEST(g.bytes() == 0u);
    g.add(hash_of(1), wanted);
    BOOST_TEST(g.bytes() > 0u);
  }
}

// Sets of eight, each a queue of its own.
BOOST_AUTO_TEST_CASE(each_set_is_a_queue) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      constexpr std::size_t sets = 5;
      random_source random{seed};
      memory g;
      std::vector<std::deque<std::uint64_t>> model(sets); // newest first
      for (int i = 0; i < 20'000; ++i) {
        const auto hash = hash_of(random.below(100));
        auto& set = model[mul_high(mix64(hash), sets)];
        const auto known = std::find(set.begin(), set.end(), hash);
        const auto was_known = known != set.end();
        const auto known_at = known - set.begin();
        if (was_known)
          set.erase(known);
        if (random.below(3) == 0) {
          const auto position = static_cast<double>(known_at) + 0.5;
          const auto share = g.take(hash);
          BOOST_TEST_REQUIRE(share.has_value() == was_known);
          if (share)
            BOOST_TEST_REQUIRE(*share == position / 8);
          continue;
        }
        g.add(hash, 8 * sets);
        set.push_front(hash);
        if (set.size() > 8)
          set.pop_back();
        // Sets that have somebody cost what they take.
        const auto used = std::count_if(model.begin(), model.end(),
                                        [](auto& x) { return !x.empty(); });
        BOOST_TEST_REQUIRE(g.bytes() == 32 * static_cast<std::size_t>(used));
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()
