#include "galaxycache/runtime/hash_ring.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#ifndef GALAXYCACHE_TEST_DATA
#  define GALAXYCACHE_TEST_DATA "tests/data"
#endif

using namespace galaxycache;

namespace {

using ring = galaxycache::hash_ring;
using names = std::vector<std::string>;

std::uint32_t crc32_mod_61(std::string_view bytes) noexcept {
  return crc32_ieee(bytes) % 61;
}

std::uint32_t fnv1a_mod_7(std::string_view bytes) noexcept {
  return fnv1a_32(bytes) % 7;
}

std::uint32_t always_42(std::string_view) noexcept {
  return 42;
}

// Leaves room for no hash after the last point.
std::uint32_t fnv1a_upper(std::string_view bytes) noexcept {
  return 0xffffffffu - fnv1a_32(bytes) % 50;
}

std::uint32_t decimal(std::string_view bytes) noexcept {
  std::uint32_t result = 0;
  for (auto digit : bytes)
    result = result * 10 + static_cast<std::uint32_t>(digit - '0');
  return result;
}

const std::vector<ring::hash_function> hashes{crc32_ieee,   fnv1a_32,
                                              crc32_mod_61, fnv1a_mod_7,
                                              always_42,    fnv1a_upper};

std::vector<member> members_of(const names& ids) {
  std::vector<member> result;
  for (const auto& id : ids)
    result.push_back({id});
  return result;
}

// The same, as simply as can be said: what the Go code does, except that it
// stops where that would not.
class reference {
public:
  reference(const names& owners, std::uint32_t segments,
            ring::hash_function hash)
    : hash_(hash) {
    for (const auto& owner : owners)
      for (std::uint32_t i = 0; i < segments; ++i) {
        auto& there = points_[hash(std::to_string(i) + owner)];
        there = std::max(there, owner);
      }
    for (const auto& [_, owner] : points_)
      visible_.insert(owner);
  }

  names replicated(const std::string& key, std::size_t count) const {
    names result;
    for (std::size_t i = 0; i < std::min(count, visible_.size()); ++i) {
      auto name = key;
      if (i > 0) {
        name += "\xaa\xaa";
        if (i >= 128)
          name += static_cast<char>(i % 128 + 128);
        name += static_cast<char>(i < 128 ? i : i / 128);
      }
      auto at = points_.lower_bound(hash_(name));
      for (;; ++at) {
        if (at == points_.end())
          at = points_.begin();
        if (std::find(result.begin(), result.end(), at->second) == result.end())
          break;
      }
      result.push_back(at->second);
    }
    return result;
  }

  std::string owner(const std::string& key) const {
    const auto found = replicated(key, 1);
    return found.empty() ? "nobody" : found.front();
  }

private:
  ring::hash_function hash_;
  std::map<std::uint32_t, std::string> points_;
  std::set<std::string> visible_;
};

std::string name(const ring& r, std::optional<std::uint32_t> index) {
  return index ? r.members()[*index].id : "nobody";
}

std::string owner(const ring& r, std::string_view key) {
  return name(r, r.owner(key));
}

std::string successor(const ring& r, std::string_view key) {
  return name(r, r.successor(key));
}

names replicated(const ring& r, std::string_view key, std::size_t count) {
  names result;
  for (auto index : r.replicated(key, count))
    result.push_back(name(r, index));
  return result;
}

names without(names ids, const std::string& id) {
  std::erase(ids, id);
  return ids;
}

std::string random_bytes(random_source& random, std::size_t size_max) {
  std::string result(random.below(size_max + 1), '\0');
  for (auto& byte : result)
    byte = static_cast<char>(random.below(256));
  return result;
}

// Up to `count` ids, each ordinary or any bytes.
names random_ids(random_source& random, std::size_t count) {
  std::set<std::string> ids;
  for (std::size_t i = 0; i < count; ++i)
    ids.insert(random.below(2) == 0
                 ? "10.0.0." + std::to_string(random.below(256)) + ":8080"
                 : random_bytes(random, 5));
  return {ids.begin(), ids.end()};
}

std::string unhex(const std::string& hex) {
  std::string result;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    result += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(hash_ring)

BOOST_AUTO_TEST_CASE(every_answer_of_the_go_code_is_ours) {
  std::ifstream file{GALAXYCACHE_TEST_DATA "/ring_vectors.json"};
  BOOST_REQUIRE(file.good());
  const std::map<std::string, ring::hash_function> functions{
    {"crc32-ieee", crc32_ieee},
    {"fnv1a-32", fnv1a_32},
    {"crc32-ieee mod 61", crc32_mod_61}};
  int checked = 0;
  for (const auto& vector : nlohmann::json::parse(file)) {
    const auto hash = functions.at(vector.at("hash").get<std::string>());
    const ring r{members_of(vector.at("owners").get<names>()),
                 vector.at("segs_per_owner").get<std::uint32_t>(), hash};
    for (const auto& entry : vector.at("keys")) {
      const auto key = unhex(entry.at("key_hex").get<std::string>());
      BOOST_TEST(hash(key) == entry.at("hash").get<std::uint32_t>());
      BOOST_TEST(owner(r, key) == entry.at("owner").get<std::string>());
      if (const auto& expected = entry.at("replicated"); !expected.is_null()) {
        const auto all = expected.get<names>();
        BOOST_TEST(replicated(r, key, all.size()) == all);
      }
      ++checked;
    }
  }
  BOOST_TEST(checked == 6 * 71);
}

BOOST_AUTO_TEST_CASE(the_first_point_at_or_after_a_key_owns_it) {
  // Points at 2, 12, 22 and so on.
  auto ids = names{"6", "4", "2"};
  const ring three{members_of(ids), 3, decimal};
  BOOST_TEST(owner(three, "2") == "2");
  BOOST_TEST(owner(three, "11") == "2");
  BOOST_TEST(owner(three, "23") == "4");
  BOOST_TEST(owner(three, "26") == "6");
  BOOST_TEST(owner(three, "27") == "2");
  ids.push_back("8");
  const ring four{members_of(ids), 3, decimal};
  BOOST_TEST(owner(four, "11") == "2");
  BOOST_TEST(owner(four, "27") == "8");
  BOOST_TEST(owner(four, "29") == "2");
}

BOOST_AUTO_TEST_CASE(random_rings_answer_as_the_plain_definition_does) {
  random_source random{20};
  for (int i = 0; i < 300; ++i) {
    const auto ids = random_ids(random, random.below(20) + 1);
    const auto segments = static_cast<std::uint32_t>(random.below(50) + 1);
    const auto hash = hashes[random.below(hashes.size())];
    const reference expected{ids, segments, hash};
    const ring r{members_of(ids), segments, hash};
    for (int j = 0; j < 20; ++j) {
      const auto key = random_bytes(random, 20);
      const auto count = random.below(ids.size() + 3);
      BOOST_REQUIRE_EQUAL(owner(r, key), expected.owner(key));
      BOOST_REQUIRE(replicated(r, key, count)
                    == expected.replicated(key, count));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_successor_owns_the_key_in_the_ring_without_its_owner) {
  random_source random{21};
  for (int i = 0; i < 200; ++i) {
    const auto ids = random_ids(random, random.below(20) + 1);
    const auto segments = static_cast<std::uint32_t>(random.below(20) + 1);
    const auto hash = hashes[random.below(hashes.size())];
    const ring r{members_of(ids), segments, hash};
    for (int j = 0; j < 5; ++j) {
      const auto key = random_bytes(random, 20);
      const auto rest = without(ids, owner(r, key));
      BOOST_REQUIRE_EQUAL(successor(r, key),
                          reference(rest, segments, hash).owner(key));
      BOOST_REQUIRE_EQUAL(successor(r, key),
                          owner(ring{members_of(rest), segments, hash}, key));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_order_of_insertion_does_not_matter) {
  random_source random{22};
  for (auto hash : hashes) {
    auto ids = random_ids(random, 12);
    const ring r{members_of(ids), 20, hash};
    for (int i = 0; i < 5; ++i) {
      for (auto j = ids.size(); j > 1; --j)
        std::swap(ids[j - 1], ids[random.below(j)]);
      const ring shuffled{members_of(ids), 20, hash};
      BOOST_TEST(shuffled.digest() == r.digest());
      for (int j = 0; j < 50; ++j) {
        const auto key = random_bytes(random, 10);
        BOOST_TEST(owner(shuffled, key) == owner(r, key));
        BOOST_TEST(replicated(shuffled, key, 12) == replicated(r, key, 12));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(where_points_coincide_the_larger_id_wins) {
  // Two ids whose first points really have one CRC.
  random_source random{23};
  std::unordered_map<std::uint32_t, std::string> seen;
  names pair;
  while (pair.empty()) {
    const auto id = "peer-" + std::to_string(random.next());
    const auto [there, is_new] = seen.emplace(crc32_ieee("0" + id), id);
    if (!is_new)
      pair = {std::min(id, there->second), std::max(id, there->second)};
  }
  const auto key = "0" + pair[0];
  for (const auto& ids : {pair, names{pair[1], pair[0]}}) {
    const ring r{members_of(ids), 1, crc32_ieee};
    BOOST_TEST(owner(r, key) == pair[1]);
    BOOST_TEST(successor(r, key) == pair[0]);
    BOOST_TEST(owner(r, "anything") == pair[1]);
  }
  const ring many{members_of(pair), 50, crc32_ieee};
  BOOST_TEST(owner(many, key) == pair[1]);
  BOOST_TEST(successor(many, key) == pair[0]);
}

BOOST_AUTO_TEST_CASE(larger_is_meant_bytewise_and_unsigned) {
  const ring r{members_of({"z", "\xc3\xa9", "zz", "Z"}), 3, always_42};
  BOOST_TEST(owner(r, "key") == "\xc3\xa9");
  BOOST_TEST(successor(r, "key") == "zz");
}

BOOST_AUTO_TEST_CASE(a_member_without_a_point_left_is_never_waited_for) {
  const ring r{members_of({"a", "b", "c"}), 50, always_42};
  BOOST_TEST(r.size() == 3u);
  BOOST_TEST(owner(r, "key") == "c");
  BOOST_TEST(successor(r, "key") == "b");
  BOOST_TEST(replicated(r, "key", 3) == names{"c"});
}

BOOST_AUTO_TEST_CASE(an_empty_ring_has_no_owners) {
  for (const auto& r :
       {ring{}, ring{{{"idle", 0}}}, ring{members_of({"a", "b"}), 0}}) {
    BOOST_TEST(owner(r, "key") == "nobody");
    BOOST_TEST(successor(r, "key") == "nobody");
    BOOST_TEST(replicated(r, "key", 5) == names{});
  }
}

BOOST_AUTO_TEST_CASE(a_single_member_owns_all_and_has_no_successor) {
  const ring r{members_of({"solo"})};
  for (const auto* key : {"", "a", "key"}) {
    BOOST_TEST(owner(r, key) == "solo");
    BOOST_TEST(successor(r, key) == "nobody");
    BOOST_TEST(replicated(r, key, 0) == names{});
    BOOST_TEST(replicated(r, key, 9) == names{"solo"});
  }
}

BOOST_AUTO_TEST_CASE(a_member_of_weight_0_has_no_points) {
  const ring r{{{"a"}, {"idle", 0}, {"b", 7}}};
  const ring two{{{"a"}, {"b"}}};
  for (int i = 0; i < 500; ++i) {
    const auto key = std::to_string(i);
    BOOST_TEST(owner(r, key) == owner(two, key));
    BOOST_TEST(successor(r, key) == successor(two, key));
  }
}

BOOST_AUTO_TEST_CASE(more_than_128_replicas_take_two_bytes_to_number) {
  names ids;
  for (int i = 0; i < 200; ++i)
    ids.push_back("peer-" + std::to_string(i));
  const reference expected{ids, 3, fnv1a_32};
  const ring r{members_of(ids), 3, fnv1a_32};
  for (const auto* key : {"", "foo", "user:1"})
    BOOST_TEST(replicated(r, key, 200) == expected.replicated(key, 200));
}

BOOST_AUTO_TEST_CASE(a_leaver_s_keys_move_and_no_others) {
  names ids;
  for (int i = 0; i < 32; ++i)
    ids.push_back("peer-" + std::to_string(i));
  const ring before{members_of(ids)};
  const ring after{members_of(without(ids, "peer-7"))};
  int moved = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto key = "key:" + std::to_string(i);
    const auto was = owner(before, key);
    const auto now = owner(after, key);
    BOOST_REQUIRE_EQUAL(now, was == "peer-7" ? successor(before, key) : was);
    moved += was != now;
  }
  BOOST_TEST(moved > 0);
}

BOOST_AUTO_TEST_CASE(the_digest_changes_with_every_ingredient) {
  const std::set<std::uint64_t> digests{
    ring{{{"a"}, {"b"}}}.digest(),
    ring{{{"a"}, {"c"}}}.digest(),
    ring{{{"a"}, {"b"}, {"c"}}}.digest(),
    ring{{{"ab"}}}.digest(),
    ring{{{"a"}, {"b", 2}}}.digest(),
    ring{{{"a"}, {"b"}}, 51}.digest(),
    ring{{{"a"}, {"b"}}, 50, fnv1a_32}.digest(),
    ring{}.digest()};
  BOOST_TEST(digests.size() == 8u);
}

BOOST_AUTO_TEST_SUITE_END()
