#include "galaxycache/runtime/rendezvous.hpp"

#include "galaxycache/runtime/hash.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace galaxycache;

namespace {

using race = galaxycache::rendezvous;
using indexes = std::vector<std::uint32_t>;

std::vector<member> peers(std::size_t count, std::uint32_t weight = 1) {
  std::vector<member> result;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back({"peer-" + std::to_string(i), weight});
  return result;
}

std::vector<member> without(std::vector<member> members,
                            const std::string& id) {
  std::erase_if(members, [&](const member& x) { return x.id == id; });
  return members;
}

// Short keys that cost nothing to make: the bytes of a number.
class numbered_key {
public:
  explicit numbered_key(std::uint64_t number) {
    std::memcpy(bytes_, &number, sizeof(bytes_));
  }

  operator std::string_view() const {
    return {bytes_, sizeof(bytes_)};
  }

private:
  char bytes_[8];
};

std::string name(const race& r, std::optional<std::uint32_t> index) {
  return index ? r.members()[*index].id : "nobody";
}

// How many of `keys` keys each member owns.
std::vector<double> shares(const race& r, std::uint64_t keys) {
  std::vector<double> result(r.size());
  for (std::uint64_t i = 0; i < keys; ++i)
    result[*r.owner(numbered_key{i})] += 1;
  return result;
}

double max_over_mean(const race& r, std::uint64_t keys) {
  const auto counts = shares(r, keys);
  return *std::max_element(counts.begin(), counts.end())
         * static_cast<double>(r.size()) / static_cast<double>(keys);
}

} // namespace

BOOST_AUTO_TEST_SUITE(rendezvous)

BOOST_AUTO_TEST_CASE(thirty_two_peers_are_balanced_within_3_percent) {
  BOOST_TEST(max_over_mean(race{peers(32)}, 500'000) < 1.03);
}

BOOST_AUTO_TEST_CASE(a_thousand_peers_are_balanced_within_12_percent) {
  BOOST_TEST(max_over_mean(race{peers(1000)}, 2'000'000) < 1.12);
}

BOOST_AUTO_TEST_CASE(few_peers_are_balanced_within_2_percent) {
  for (std::size_t count : {2u, 3u, 5u, 8u})
    BOOST_TEST(max_over_mean(race{peers(count)}, 200'000) < 1.02);
}

BOOST_AUTO_TEST_CASE(shares_are_proportional_to_weights) {
  for (std::size_t count : {3u, 20u}) {
    auto members = peers(count);
    double total = 0;
    for (std::size_t i = 0; i < count; ++i) {
      members[i].weight = static_cast<std::uint32_t>(1 + i * i % 10 * 10);
      total += members[i].weight;
    }
    const race r{members};
    constexpr std::uint64_t keys = 200'000;
    const auto counts = shares(r, keys);
    for (std::size_t i = 0; i < count; ++i) {
      const auto expected = r.members()[i].weight / total * keys;
      // Six standard deviations of the keys, less than as much of the slots.
      BOOST_TEST(std::abs(counts[i] - expected) < 10 * std::sqrt(expected));
    }
  }
}

BOOST_AUTO_TEST_CASE(only_the_ratio_of_weights_counts) {
  const race ones{peers(5)};
  const race large{peers(5, weight_max)};
  for (std::uint64_t i = 0; i < 20'000; ++i)
    BOOST_TEST_REQUIRE(
      (ones.owner(numbered_key{i}) == large.owner(numbered_key{i})));
}

BOOST_AUTO_TEST_CASE(a_lone_giant_leaves_the_others_their_share) {
  auto members = peers(40);
  members[0].weight = weight_max;
  const race r{members};
  constexpr std::uint64_t keys = 400'000;
  const auto counts = shares(r, keys);
  const auto others = keys - counts[0];
  // The expected 39 in 65,574 are 238 keys, in some 620 slots.
  BOOST_TEST(others > 140);
  BOOST_TEST(others < 340);
}

// Below, 8 members have no table and 9 have one.
BOOST_AUTO_TEST_CASE(whoever_leaves_hands_each_key_to_its_successor) {
  for (std::size_t count : {2u, 3u, 8u, 9u, 10u}) {
    auto members = peers(count);
    members[0].weight = 3;
    const race before{members};
    const race after{without(members, "peer-1")};
    for (std::uint64_t i = 0; i < 20'000; ++i) {
      const numbered_key key{i};
      const auto was = name(before, before.owner(key));
      const auto heir = name(before, before.successor(key));
      BOOST_TEST_REQUIRE(was != heir);
      const auto now = name(after, after.owner(key));
      BOOST_TEST_REQUIRE(now == (was == "peer-1" ? heir : was));
      // The order of the others is as it was.
      if (was != "peer-1" && heir != "peer-1")
        BOOST_TEST_REQUIRE(name(after, after.successor(key)) == heir);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_leaver_of_32_moves_its_own_share_evenly_to_all_others) {
  const race before{peers(32)};
  const race after{without(peers(32), "peer-5")};
  constexpr int keys = 200'000;
  std::vector<double> gained(after.size());
  double moved = 0;
  for (std::uint64_t i = 0; i < keys; ++i) {
    const numbered_key key{i};
    const auto now = after.owner(key);
    if (name(before, before.owner(key)) == name(after, now))
      continue;
    ++moved;
    ++gained[*now];
  }
  BOOST_TEST(moved / keys > 0.029);
  BOOST_TEST(moved / keys < 0.034);
  const auto mean = moved / 31;
  for (auto count : gained)
    BOOST_TEST(std::abs(count - mean) < 6 * std::sqrt(mean));
}

BOOST_AUTO_TEST_CASE(the_table_says_what_the_race_itself_says) {
  const std::vector<std::pair<std::size_t, std::uint64_t>> sizes{{9, 20'000},
                                                                 {100, 10'000},
                                                                 {1000, 3'000}};
  for (const auto& [count, keys] : sizes) {
    auto members = peers(count);
    for (std::size_t i = 0; i < count; ++i)
      members[i].weight = static_cast<std::uint32_t>(i % 7);
    const race r{members};
    int wrong = 0;
    for (std::uint64_t i = 0; i < keys; ++i) {
      const numbered_key key{i};
      // Replicas are always taken from a race.
      const auto expected = r.replicated(key, 2);
      wrong += *r.owner(key) != expected[0];
      wrong += *r.successor(key) != expected[1];
    }
    BOOST_TEST(wrong == 0);
  }
}

BOOST_AUTO_TEST_CASE(each_replica_is_the_successor_of_those_before_it) {
  auto members = peers(7);
  members[3].weight = 4;
  const race all{members};
  for (std::uint64_t i = 0; i < 200; ++i) {
    const numbered_key key{i};
    auto rest = members;
    for (auto index : all.replicated(key, 7)) {
      const auto expected = all.members()[index].id;
      const race r{rest};
      BOOST_TEST_REQUIRE(name(r, r.owner(key)) == expected);
      rest = without(rest, expected);
    }
    BOOST_TEST(rest.empty());
  }
}

BOOST_AUTO_TEST_CASE(nobody_owns_anything_where_nobody_is) {
  for (const auto& r : {race{}, race{{{"idle", 0}}}}) {
    BOOST_TEST((r.owner("key") == std::nullopt));
    BOOST_TEST((r.successor("key") == std::nullopt));
    BOOST_TEST((r.replicated("key", 3) == indexes{}));
  }
}

BOOST_AUTO_TEST_CASE(a_single_member_owns_all_and_has_no_successor) {
  const race r{{{"aside", 0}, {"solo"}}};
  for (const auto* key : {"", "a", "key"}) {
    BOOST_TEST((r.owner(key) == 1u));
    BOOST_TEST((r.successor(key) == std::nullopt));
    BOOST_TEST((r.replicated(key, 0) == indexes{}));
    BOOST_TEST((r.replicated(key, 9) == indexes{1}));
  }
}

BOOST_AUTO_TEST_CASE(members_without_weight_change_nothing_for_the_others) {
  auto members = peers(9);
  const race nine{members};
  members.push_back({"peer-00", 0}); // sorts second
  const race ten{members};
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const numbered_key key{i};
    BOOST_TEST_REQUIRE(name(nine, nine.owner(key))
                       == name(ten, ten.owner(key)));
    BOOST_TEST_REQUIRE(name(nine, nine.successor(key))
                       == name(ten, ten.successor(key)));
  }
}

BOOST_AUTO_TEST_CASE(too_many_members_are_refused) {
  BOOST_CHECK_THROW(race{peers(race::members_max + 1)}, std::length_error);
}

// Owners must never change from one release to the next, nor between machines.
BOOST_AUTO_TEST_CASE(the_owners_are_these_for_ever) {
  const auto summary = [](const race& r) {
    std::uint64_t result = 0;
    for (int i = 0; i < 10'000; ++i) {
      const auto key = "user:" + std::to_string(i);
      result = mix64(result + *r.owner(key));
      result = mix64(result + *r.successor(key));
    }
    return result;
  };
  BOOST_TEST(name(race{peers(3)}, race{peers(3)}.owner("")) == "peer-2");
  auto weighted = peers(5);
  weighted[2].weight = 10;
  auto many = peers(50);
  many[20].weight = 10;
  BOOST_TEST(summary(race{peers(3)}) == 15737621081192817306u);
  BOOST_TEST(summary(race{weighted}) == 1475022061919312482u);
  BOOST_TEST(summary(race{many}) == 9221370842699544778u);
  BOOST_TEST(race{weighted}.digest() == 15896864921921478726u);
}

BOOST_AUTO_TEST_SUITE_END()
