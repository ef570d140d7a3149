#include "fixtures/cluster_rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

// That no line holds bytes of a key or value is checked by the rig at the end
// of every test of clusters; here are those most likely to leak some.

BOOST_AUTO_TEST_SUITE(cluster_logs)

BOOST_AUTO_TEST_CASE(nothing_is_said_as_long_as_nothing_is_wrong) {
  cluster_options options;
  options.nodes = 3;
  options.galaxy.peek = peek_options{};
  cluster_rig rig{options};
  for (std::size_t at = 0; at < 3; ++at)
    for (std::size_t owner = 0; owner < 3; ++owner)
      for (std::size_t n = 0; n < 10; ++n)
        rig.get(at, rig.key_of(owner, n));
  rig[0].u->include_self(false);
  rig[0].u->include_self(true);
  rig[0].u->remove_peers({"node2"});
  rig[0].u->add_peer(rig.info(2));
  rig.await_up(0);
  for (std::size_t i = 0; i < 3; ++i)
    rig.stop(i);
  BOOST_TEST(rig.lines->all(log_level::warning) == "");
  BOOST_TEST(rig.lines->count(log_level::info) > 0u);
}

BOOST_AUTO_TEST_CASE(by_default_only_warnings_are_shown) {
  BOOST_TEST((universe_options{}.verbosity == log_level::warning));
}

BOOST_AUTO_TEST_CASE(what_backends_throw_and_promoters_see_is_not_logged) {
  cluster_options options;
  options.nodes = 3;
  options.galaxy.promote
    = make_promoter([](std::string_view key, const value& data,
                       const promotion_stats&) -> bool {
        throw std::runtime_error{std::string{key} + std::string{data.bytes()}};
      });
  cluster_rig rig{options};
  for (std::size_t i = 0; i < 3; ++i)
    rig[i].source->react([i](auto key, auto&) -> load_result {
      if (i == 2)
        throw std::runtime_error{"cannot load " + std::string{key}};
      return value_of(key);
    });
  for (std::size_t at = 0; at < 3; ++at)
    for (std::size_t owner = 0; owner < 3; ++owner)
      rig.get(at, rig.key_of(owner));
  // The reason is for the caller.
  auto got = rig.get(2, rig.key_of(2));
  BOOST_TEST(got.code == errc::backend_failed);
  BOOST_TEST(got.reason == "cannot load " + rig.key_of(2));
}

BOOST_AUTO_TEST_CASE(what_goes_wrong_with_peers_is_logged_without_keys) {
  cluster_options options;
  options.nodes = 4;
  options.peers = lively_peers();
  cluster_rig rig{options};
  auto get_all = [&] {
    for (std::size_t owner = 0; owner < 4; ++owner)
      rig.ask(0, rig.key_of(owner), within(500ms));
  };
  get_all();
  rig.net.cut("node0", "node1");
  rig.net.freeze("node2");
  get_all();
  rig.crash(3);
  get_all();
  rig.advance_until(100ms, [&] { return rig.book->owed() == 0; });
  rig.advance_until(100ms, [&] {
    return rig.state_of_peer(0, 2) == peer_state::down;
  });
  BOOST_TEST(rig.lines->count(log_level::info, "peer node1") > 0u);
  BOOST_TEST(rig.lines->count(log_level::info, "peer node2") > 0u);
  BOOST_TEST(rig.lines->count(log_level::info, "peer node3") > 0u);
}

BOOST_AUTO_TEST_SUITE_END()
