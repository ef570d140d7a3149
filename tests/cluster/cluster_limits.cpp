#include "fixtures/cluster_rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

cluster_options plain() {
  cluster_options options;
  options.galaxy.promote = promote_none();
  return options;
}

/// A key of this length, of all sorts of bytes, that node 1 owns.
std::string key_of_length(const cluster_rig& rig, std::size_t length) {
  random_source random{length};
  for (;;) {
    std::string key(length, '\0');
    for (auto& c : key)
      c = static_cast<char>(random.below(256));
    if (rig.owner_of(key) == 1)
      return key;
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_limits)

BOOST_AUTO_TEST_CASE(the_empty_key_is_a_key) {
  cluster_rig rig{plain()};
  for (std::size_t at : {0u, 1u}) {
    auto got = rig.get(at, "");
    BOOST_TEST(got.content.bytes() == "value of ");
    BOOST_TEST(got.content.owner.bytes() == rig[rig.owner_of("")].id);
  }
  BOOST_TEST(rig[rig.owner_of("")].source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(keys_of_any_bytes_and_length_come_from_their_owner) {
  cluster_rig rig{plain()};
  for (std::size_t length : {1u, 2u, 255u, 256u, 4096u, 65'535u, 65'536u}) {
    auto key = key_of_length(rig, length);
    auto got = rig.get(0, key);
    BOOST_TEST(got.content.level == hit_level::peer);
    auto same = got.content.bytes() == "value of " + key;
    BOOST_TEST(same);
    BOOST_TEST(rig[1].source->calls_of(key) == 1u);
  }
}

BOOST_AUTO_TEST_CASE(many_long_keys_at_once_come_from_their_owner) {
  cluster_rig rig{plain()};
  std::vector<std::string> keys;
  // More than fits one batch, in items and in bytes.
  for (std::size_t length = 65'536; length > 65'496; --length)
    keys.push_back(key_of_length(rig, length));
  for (std::size_t n = 0; n < 2'000; ++n)
    keys.push_back(rig.key_of(1, n));
  auto results = rig.get_many(0, keys);
  BOOST_TEST_REQUIRE(results.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto right = results[i].content.level == hit_level::peer
                 && results[i].content.bytes() == "value of " + keys[i];
    BOOST_TEST(right);
  }
}

BOOST_AUTO_TEST_CASE(
  a_key_that_is_too_long_is_refused_before_anybody_is_asked) {
  cluster_rig rig{plain()};
  std::string key(64 * 1024 + 1, 'x');
  for (auto mode :
       {fetch_mode::regular, fetch_mode::no_peer_backend, fetch_mode::peek})
    BOOST_TEST(rig.get(0, key, in_mode(mode)).code == errc::key_too_long);
  auto many = rig.get_many(0, {key, rig.key_of(1)});
  BOOST_TEST(many[0].error == errc::key_too_long);
  BOOST_TEST(many[1].content.level == hit_level::peer);
  BOOST_TEST(rig[0].source->calls() == 0u);
  BOOST_TEST(rig[1].source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(the_largest_value_comes_from_a_peer_and_no_larger_one) {
  auto options = plain();
  options.nodes = 2;
  cluster_rig rig{options};
  auto largest = value::take(std::string(64 << 20, 'v'));
  rig[1].source->react([=](auto, auto&) { return largest; });
  auto got = rig.get(0, rig.key_of(1));
  BOOST_TEST(got.content.level == hit_level::peer);
  BOOST_TEST(got.content.data.size() == std::size_t{64} << 20);
  auto larger = value::take(std::string((64 << 20) + 1, 'v'));
  for (std::size_t i : {0u, 1u})
    rig[i].source->react([=](auto, auto&) { return larger; });
  auto refused = rig.get(0, rig.key_of(1, 1));
  BOOST_TEST(refused.code == errc::value_too_large);
}

BOOST_AUTO_TEST_CASE(empty_values_are_values) {
  cluster_rig rig{plain()};
  rig[1].source->react([](auto, auto&) { return value{}; });
  auto got = rig.get(0, rig.key_of(1));
  BOOST_TEST(got.content.found());
  BOOST_TEST(got.content.level == hit_level::peer);
  BOOST_TEST(got.content.bytes().empty());
}

BOOST_AUTO_TEST_CASE(values_too_large_for_the_cache_pass_through_it) {
  auto options = plain();
  options.capacity = 1000;
  options.galaxy.promote = promote_all();
  cluster_rig rig{options};
  auto large = value::take(std::string(2000, 'v'));
  rig[1].source->react([=](auto, auto&) { return large; });
  for (int i = 0; i < 2; ++i)
    BOOST_TEST(rig.get(0, rig.key_of(1)).content.level == hit_level::peer);
  BOOST_TEST(rig.stats(0).hotcache.entries == 0u);
  BOOST_TEST(rig.stats(1).maincache.entries == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
