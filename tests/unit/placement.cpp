#include "galaxycache/runtime/placement.hpp"

#include "galaxycache/runtime/hash_ring.hpp"
#include "galaxycache/runtime/random.hpp"
#include "galaxycache/runtime/rendezvous.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace galaxycache;

namespace {

using place = galaxycache::placement;
using indexes = std::vector<std::uint32_t>;

const std::vector<placement_options> kinds{{placement_kind::rendezvous},
                                           {placement_kind::hash_ring_crc32},
                                           {placement_kind::hash_ring_fnv1a},
                                           {placement_kind::hash_ring_crc32, 1},
                                           {placement_kind::hash_ring_fnv1a,
                                            1000}};

std::string name(const place& p, std::optional<std::uint32_t> index) {
  return index ? p.members()[*index].id : "nobody";
}

std::string random_bytes(random_source& random, std::size_t size_max) {
  std::string result(random.below(size_max + 1), '\0');
  for (auto& byte : result)
    byte = static_cast<char>(random.below(256));
  return result;
}

// Up to `count` members with ids of any bytes, in any order.
std::vector<member> random_members(random_source& random, std::size_t count) {
  std::vector<member> result;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back(
      {random_bytes(random, 4), static_cast<std::uint32_t>(random.below(4))});
  return result;
}

std::vector<member> peers(std::size_t count) {
  std::vector<member> result;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back({"peer-" + std::to_string(i)});
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(placement)

BOOST_AUTO_TEST_CASE(members_are_sorted_by_id_bytewise) {
  const place p{{{"b"}, {"\xff"}, {""}, {"a", 3}, {std::string{"a\0", 2}}}};
  const std::vector<member> expected{
    {""}, {"a", 3}, {std::string{"a\0", 2}}, {"b"}, {"\xff"}};
  BOOST_TEST((p.members() == expected));
  BOOST_TEST(p.size() == 5u);
}

BOOST_AUTO_TEST_CASE(of_members_with_one_id_the_last_counts) {
  const place p{{{"a", 5}, {"b", 2}, {"a", 1}, {"a", 7}}};
  const std::vector<member> expected{{"a", 7}, {"b", 2}};
  BOOST_TEST((p.members() == expected));
}

BOOST_AUTO_TEST_CASE(weights_are_capped) {
  const place p{{{"a", 4'000'000'000u}, {"b", weight_max}}};
  BOOST_TEST(p.members()[0].weight == weight_max);
  BOOST_TEST(p.members()[1].weight == weight_max);
}

BOOST_AUTO_TEST_CASE(members_are_found_by_id) {
  const place p{{{"b"}, {"a"}, {"c"}}};
  BOOST_TEST((p.index_of("a") == 0u));
  BOOST_TEST((p.index_of("c") == 2u));
  BOOST_TEST((p.index_of("bb") == std::nullopt));
  BOOST_TEST((p.index_of("d") == std::nullopt));
  BOOST_TEST((place{}.index_of("a") == std::nullopt));
}

BOOST_AUTO_TEST_CASE(each_kind_answers_as_the_class_of_its_name) {
  const auto members = peers(6);
  const galaxycache::rendezvous race{members};
  const galaxycache::hash_ring crc{members, 40, crc32_ieee};
  const galaxycache::hash_ring fnv{members, 40, fnv1a_32};
  const auto check = [&](placement_kind kind, const auto& expected) {
    const place p{members, {kind, 40}};
    BOOST_TEST((p.options() == placement_options{kind, 40}));
    for (int i = 0; i < 500; ++i) {
      const auto key = std::to_string(i);
      BOOST_TEST((p.owner(key) == expected.owner(key)));
      BOOST_TEST((p.successor(key) == expected.successor(key)));
      BOOST_TEST((p.replicated(key, 4) == expected.replicated(key, 4)));
    }
  };
  check(placement_kind::rendezvous, race);
  check(placement_kind::hash_ring_crc32, crc);
  check(placement_kind::hash_ring_fnv1a, fnv);
}

BOOST_AUTO_TEST_CASE(the_order_of_members_does_not_matter) {
  random_source random{30};
  for (const auto& options : kinds) {
    auto members = peers(7);
    members[2].weight = 5;
    const place p{members, options};
    for (int i = 0; i < 3; ++i) {
      for (auto j = members.size(); j > 1; --j)
        std::swap(members[j - 1], members[random.below(j)]);
      const place shuffled{members, options};
      BOOST_TEST((shuffled.members() == p.members()));
      BOOST_TEST(shuffled.digest() == p.digest());
      for (int j = 0; j < 200; ++j) {
        const auto key = random_bytes(random, 30);
        BOOST_TEST((shuffled.owner(key) == p.owner(key)));
        BOOST_TEST((shuffled.successor(key) == p.successor(key)));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_successor_is_the_owner_without_the_owner) {
  random_source random{31};
  for (const auto& options : kinds)
    for (int i = 0; i < 30; ++i) {
      // Few enough that rendezvous needs no table.
      const place p{random_members(random, random.below(9)), options};
      for (int j = 0; j < 10; ++j) {
        const auto key = random_bytes(random, 30);
        const auto owner = p.owner(key);
        if (!owner) {
          BOOST_TEST((p.successor(key) == std::nullopt));
          continue;
        }
        const auto rest = p.without(name(p, owner));
        BOOST_TEST_REQUIRE(rest.size() == p.size() - 1);
        BOOST_TEST_REQUIRE(name(rest, rest.owner(key))
                           == name(p, p.successor(key)));
      }
    }
}

BOOST_AUTO_TEST_CASE(all_others_keep_their_keys_when_one_leaves) {
  random_source random{32};
  for (const auto& options : kinds)
    for (int i = 0; i < 20; ++i) {
      const place p{random_members(random, 8), options};
      const auto leaver = p.members()[random.below(p.size())].id;
      const auto rest = p.without(leaver);
      for (int j = 0; j < 50; ++j) {
        const auto key = random_bytes(random, 30);
        const auto owner = name(p, p.owner(key));
        if (owner != leaver)
          BOOST_TEST_REQUIRE(name(rest, rest.owner(key)) == owner);
      }
    }
}

BOOST_AUTO_TEST_CASE(replicas_are_different_members_and_the_owner_is_first) {
  random_source random{33};
  for (const auto& options : kinds)
    for (int i = 0; i < 30; ++i) {
      const place p{random_members(random, random.below(9)), options};
      const auto owning = static_cast<std::size_t>(
        std::count_if(p.members().begin(), p.members().end(),
                      [](const member& x) { return x.weight > 0; }));
      for (std::size_t count = 0; count < p.size() + 3; ++count) {
        const auto key = random_bytes(random, 30);
        const auto found = p.replicated(key, count);
        BOOST_TEST(found.size() == std::min(count, owning));
        BOOST_TEST(std::set(found.begin(), found.end()).size() == found.size());
        if (!found.empty())
          BOOST_TEST(found.front() == *p.owner(key));
        for (auto index : found)
          BOOST_TEST(p.members().at(index).weight > 0u);
      }
    }
}

BOOST_AUTO_TEST_CASE(without_a_stranger_nothing_changes) {
  const place p{peers(3)};
  BOOST_TEST(p.without("peer").digest() == p.digest());
  BOOST_TEST(place{}.without("peer-0").size() == 0u);
}

BOOST_AUTO_TEST_CASE(without_keeps_weights_and_options) {
  const placement_options options{placement_kind::hash_ring_fnv1a, 7};
  const place p{{{"a", 2}, {"b", 3}, {"c", 4}}, options};
  const place expected{{{"a", 2}, {"c", 4}}, options};
  const auto rest = p.without("b");
  BOOST_TEST((rest.members() == expected.members()));
  BOOST_TEST((rest.options() == options));
  BOOST_TEST(rest.digest() == expected.digest());
}

BOOST_AUTO_TEST_CASE(a_placement_of_no_members_has_no_owners) {
  std::vector<place> empty{place{}};
  for (const auto& options : kinds) {
    empty.emplace_back(std::vector<member>{}, options);
    empty.push_back(place{{{"solo"}}, options}.without("solo"));
  }
  for (const auto& p : empty) {
    BOOST_TEST(p.size() == 0u);
    BOOST_TEST((p.owner("key") == std::nullopt));
    BOOST_TEST((p.successor("key") == std::nullopt));
    BOOST_TEST((p.replicated("key", 2) == indexes{}));
  }
  BOOST_TEST(place{}.digest() == place{std::vector<member>{}}.digest());
}

BOOST_AUTO_TEST_CASE(a_copy_is_the_same_and_a_moved_from_one_is_empty) {
  place p{peers(4)};
  const auto copy = p;
  BOOST_TEST(&copy.members() == &p.members());
  const auto moved = std::move(p);
  BOOST_TEST(&copy.members() == &moved.members());
  BOOST_TEST(p.size() == 0u); // NOLINT(bugprone-use-after-move)
  BOOST_TEST((p.owner("key") == std::nullopt));
}

BOOST_AUTO_TEST_CASE(the_digest_changes_with_every_ingredient) {
  std::set<std::uint64_t> digests{place{}.digest()};
  for (const auto& options : kinds) {
    digests.insert(place{{{"a"}, {"b"}}, options}.digest());
    digests.insert(place{{{"a", 2}, {"b"}}, options}.digest());
    digests.insert(place{{{"a"}, {"b", 2}}, options}.digest());
    digests.insert(place{{{"a"}, {"b", 0}}, options}.digest());
    digests.insert(place{{{"a"}, {"c"}}, options}.digest());
    digests.insert(place{{{"ab"}}, options}.digest());
    digests.insert(place{{{"ab"}, {""}}, options}.digest());
    digests.insert(place{{{"a"}, {"b"}, {"c"}}, options}.digest());
  }
  BOOST_TEST(digests.size() == 1 + 8 * kinds.size());
}

BOOST_AUTO_TEST_CASE(the_digest_is_this_on_every_machine) {
  BOOST_TEST(place{}.digest() == 18293987688420969666u);
  const place p{{{"a", 2}, {"b"}}, {placement_kind::hash_ring_crc32, 50}};
  BOOST_TEST(p.digest() == 5541743805918067467u);
}

BOOST_AUTO_TEST_CASE(only_rendezvous_limits_the_number_of_members) {
  std::vector<member> many;
  for (std::size_t i = 0; i <= galaxycache::rendezvous::members_max; ++i)
    many.push_back({std::to_string(i)});
  BOOST_CHECK_THROW(place{many}, std::length_error);
  const place p{many, {placement_kind::hash_ring_fnv1a, 1}};
  BOOST_TEST(p.owner("key").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
