// Peers whose ring is of another kind, or has other segments.

#include "fixtures/scripted_peer.hpp"
#include "fixtures/wire_rigs.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace wire = galaxycache::wire;

namespace {

/// A server with a ring of this kind, that has all values.
wire_end::reaction having(placement_options ring) {
  return [ring](const wire::message& x) -> std::vector<frame> {
    if (auto* hello = std::get_if<wire::hello>(&x)) {
      auto welcome = peer_rig::welcome_to(*hello);
      wire::tell_ring(ring, welcome);
      return {peer_rig::frame_of(welcome)};
    }
    if (auto* batch = std::get_if<wire::fetch_batch>(&x)) {
      wire::fetched_batch answers;
      for (auto& each : batch->fetches)
        answers.fetched.push_back({each.id, errc::none, "", 0, never_expires});
      return {peer_rig::frame_of(answers, {value::copy("found")})};
    }
    return {};
  };
}

constexpr placement_options crc{placement_kind::hash_ring_crc32, 50};
constexpr placement_options more_crc{placement_kind::hash_ring_crc32, 60};
constexpr placement_options fnv{placement_kind::hash_ring_fnv1a, 50};
constexpr placement_options rendezvous;

} // namespace

BOOST_AUTO_TEST_SUITE(ring_kinds)

BOOST_AUTO_TEST_CASE(one_with_another_ring_is_peeked_at_and_not_asked_to_load) {
  for (auto other : {crc, more_crc, fnv, rendezvous})
    for (auto own : {crc, more_crc, fnv, rendezvous}) {
      peer_rig all{having(other), {}, own};
      all.server->await<wire::hello>();
      auto same = own == other;
      // The first fetches may come before anybody knows.
      auto got = all.get("key");
      auto code = got.failed() ? got.error().code : errc::none;
      BOOST_TEST(code == (same ? errc::none : errc::incompatible_peer));
      BOOST_TEST(all.get("key", fetch_mode::peek).found());
      BOOST_TEST(all.warned().size() == (same ? 0u : 1u));
    }
}

BOOST_AUTO_TEST_CASE(one_warning_names_both_rings) {
  peer_rig all{having(crc), {}, rendezvous};
  for (int i = 0; i < 3; ++i)
    all.get("key");
  BOOST_REQUIRE(all.warned().size() == 1u);
  auto said = all.warned()[0];
  BOOST_TEST_CONTEXT(said) {
    BOOST_TEST(said.find("server") != std::string::npos);
    BOOST_TEST(said.find("a crc32 ring of 50 segments") != std::string::npos);
    BOOST_TEST(said.find("rendezvous hashing") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(one_that_does_not_tell_its_ring_is_asked) {
  peer_rig all{[](const wire::message& x) -> std::vector<frame> {
    auto frames = having(crc)(x);
    if (auto* hello = std::get_if<wire::hello>(&x)) {
      auto welcome = peer_rig::welcome_to(*hello);
      return {peer_rig::frame_of(welcome)};
    }
    return frames;
  }};
  BOOST_TEST(all.get("key").found());
  BOOST_TEST(all.warned().empty());
}

BOOST_AUTO_TEST_CASE(keys_of_one_with_another_ring_are_loaded_here) {
  scripted_backend source{backend_kind::in_place};
  galaxy_options options;
  options.fallbacks_per_second = 1; // not what these loads are
  flight_rig rig{source, options, 1 << 20, std::make_shared<manual_clock>()};
  scripted_peer peer{rig.system};
  peer->react([](auto, auto&) {
    return failure{errc::incompatible_peer, "it finds owners in another way"};
  });
  rig.core->view.set(make_view({{"self", 0}, {"peer", 1, peer.handle()}}));
  for (int i = 0; i < 100; ++i) {
    auto [got, code] = rig.get("key " + std::to_string(i));
    BOOST_TEST(code == errc::none);
    BOOST_TEST((got.level == hit_level::backend));
  }
  auto stats = rig.shared->stats();
  BOOST_TEST(stats.peer_load_errors == 0u);
  BOOST_TEST(stats.fallbacks_refused == 0u);
  BOOST_TEST(stats.overloaded == 0u);
  BOOST_TEST(rig.get("key 0").first.found());
  BOOST_TEST(source->calls() == 100u); // they are kept
}

BOOST_AUTO_TEST_SUITE_END()
