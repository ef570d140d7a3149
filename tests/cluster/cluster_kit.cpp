// The test kit itself.

#include "galaxycache/testing/cluster.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::testing;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(cluster_kit)

BOOST_AUTO_TEST_CASE(a_key_is_loaded_once_by_its_owner) {
  cluster c{{.nodes = 3, .seed = 7}};
  c.add_galaxy("things");
  for (std::size_t node = 0; node < 3; ++node) {
    auto got = c.get(node, "things", "key");
    BOOST_TEST(got.text() == "value of key");
    BOOST_TEST(got.answers == 1u);
  }
  BOOST_TEST(c.calls().size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_same_seed_is_the_same_run) {
  auto hash_of = [](std::uint64_t seed) {
    cluster c{{.nodes = 4, .seed = seed}};
    c.add_galaxy("things");
    c.faults(0, 1, {.drop = 0.3, .delay_max = 5ms});
    for (int i = 0; i < 50; ++i)
      c.ask(static_cast<std::size_t>(i % 4), "things", std::to_string(i % 9));
    c.advance(10s);
    c.kill(2);
    for (int i = 0; i < 50; ++i)
      c.ask(static_cast<std::size_t>(i % 2), "things", std::to_string(i));
    c.advance(10s);
    BOOST_TEST(c.pending() == 0u);
    return c.trace_hash();
  };
  auto first = hash_of(1);
  BOOST_TEST(hash_of(1) == first);
  BOOST_TEST(hash_of(2) != first);
}

BOOST_AUTO_TEST_SUITE_END()
