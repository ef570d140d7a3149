#include "fixtures/cluster_rig.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

constexpr std::size_t nodes = 20;
constexpr std::size_t keys = 200;

// How much later than its deadline a get may be answered, in the time of its
// universe: ticks of timers.
constexpr auto slack = 50ms;

enum class truth { found, missing, broken };

truth truth_of(std::size_t key) {
  return key % 7 == 0    ? truth::missing
         : key % 11 == 0 ? truth::broken
                         : truth::found;
}

/// A cluster to which all sorts of things happen, as a seed has it.
struct storm {
  explicit storm(std::uint64_t seed) : random(seed), rig(make_options(seed)) {
    for (std::size_t i = 0; i < nodes; ++i)
      rig[i].source->react([this](std::string_view key, auto&) -> load_result {
        switch (truths.at(std::string{key})) {
          case truth::missing:
            return errc::not_found;
          case truth::broken:
            throw std::runtime_error{"broken"};
          default:
            return value_of(key);
        }
      });
  }

  static cluster_options make_options(std::uint64_t seed) {
    cluster_options options;
    options.nodes = nodes;
    options.placement.kind = seed % 2 == 0 ? placement_kind::rendezvous
                                           : placement_kind::hash_ring_crc32;
    options.kind = backend_kind::in_place;
    options.peers = lively_peers();
    options.galaxy.peek = peek_options{10ms, 10s};
    options.galaxy.get_ttl = {2s, 1s};
    return options;
  }

  static std::map<std::string, truth> make_truths() {
    std::map<std::string, truth> result;
    for (std::size_t i = 0; i < keys; ++i)
      result.emplace("S3CR3T storm " + std::to_string(i), truth_of(i));
    return result;
  }

  std::size_t any(std::size_t bound) {
    return static_cast<std::size_t>(random.below(bound));
  }

  std::string any_key() {
    return "S3CR3T storm " + std::to_string(any(keys));
  }

  void ask() {
    auto timeout = std::chrono::milliseconds{1 + any(5000)};
    auto mode = any(10) == 0 ? fetch_mode::no_peer_backend
                             : fetch_mode::regular;
    auto deadline = rig.time->now() + timeout;
    asked.emplace_back(deadline,
                       rig.ask(any(nodes), any_key(), {mode, timeout}));
  }

  /// No time passes before all are answered that should be.
  void keep_deadlines() {
    std::erase_if(asked, [&](auto& x) {
      if (x.first + slack > rig.time->now())
        return rig.book->at(x.second).answers > 0;
      BOOST_TEST_CHECKPOINT("get " << x.second << " is answered");
      eventually([&] { return rig.book->at(x.second).answers > 0; });
      return true;
    });
  }

  void pass(std::chrono::nanoseconds by) {
    rig.await_asked();
    while (by > 0ns) {
      auto step = std::min<std::chrono::nanoseconds>(by, 20ms);
      rig.time->advance(step);
      keep_deadlines();
      by -= step;
    }
  }

  void shake() {
    auto i = any(nodes);
    auto j = any(nodes);
    auto& u = *rig[i].u;
    switch (any(12)) {
      case 0:
        rig.net.cut(rig[i].id, rig[j].id);
        break;
      case 1:
        rig.net.freeze(rig[i].id);
        break;
      case 2:
        rig.net.thaw(rig[i].id);
        break;
      case 3:
        rig.net.heal();
        break;
      case 4:
        u.remove_peers({rig[j].id});
        break;
      case 5:
        u.add_peer(rig.info(j));
        break;
      case 6:
        u.include_self(any(2) == 0);
        break;
      case 7:
        u.set_peers({rig.info(i), rig.info(j), rig.info(any(nodes))});
        break;
      case 8:
        rig.join(i);
        break;
      case 9:
        rig.stop(i);
        rig.start(i);
        rig.join(i);
        break;
      case 10:
        rig.crash(i);
        rig.start(i);
        rig.join(i);
        break;
      default:
        pass(std::chrono::milliseconds{any(500)});
    }
  }

  void check(const outcome& x) {
    BOOST_TEST(x.answers == 1);
    if (x.found()) {
      BOOST_TEST((truths.at(x.key) == truth::found));
      BOOST_TEST(x.content.bytes() == "value of " + x.key);
    } else if (x.code == errc::none) {
      BOOST_TEST((truths.at(x.key) == truth::missing));
    } else if (x.code == errc::backend_failed) {
      BOOST_TEST((truths.at(x.key) == truth::broken));
    } else {
      auto told = x.code == errc::deadline_exceeded || x.code == errc::draining
                  || x.code == errc::unavailable
                  || x.code == errc::internal_error; // of a crash
      BOOST_TEST(told, name_of(x.code) << ": " << x.reason);
    }
  }

  random_source random;
  const std::map<std::string, truth> truths = make_truths();
  std::deque<std::pair<mono_time, std::size_t>> asked;
  cluster_rig rig;
};

const std::uint64_t seeds[] = {1, 2, 3};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_storm)

BOOST_DATA_TEST_CASE(whatever_happens_every_get_is_answered_once_and_right,
                     seeds, seed) {
  storm s{seed};
  auto& rig = s.rig;
  for (int step = 0; step < 120; ++step) {
    for (auto n = s.any(20); n > 0; --n)
      s.ask();
    s.shake();
    s.pass(std::chrono::milliseconds{s.any(100)});
  }
  // The sky clears: soon everybody knows everybody again.
  rig.net.heal();
  for (std::size_t i = 0; i < nodes; ++i)
    rig.join(i);
  s.pass(6s);
  BOOST_TEST_CHECKPOINT("all gets are answered");
  rig.await_answers();
  BOOST_TEST_CHECKPOINT("all peers are up");
  rig.advance_until(100ms, [&] {
    for (std::size_t i = 0; i < nodes; ++i)
      for (auto& x : rig[i].u->peers())
        if (x.state != peer_state::up && x.state != peer_state::self)
          return false;
    return true;
  });
  for (std::size_t i = 0; i < rig.book->size(); ++i)
    s.check(rig.book->at(i));
  // And every key is where it belongs.
  for (std::size_t i = 0; i < keys; ++i) {
    auto key = "S3CR3T storm " + std::to_string(i);
    auto at = s.any(nodes);
    auto got = rig.get(at, key);
    s.check(got);
    if (got.found() && got.content.level != hit_level::peek)
      BOOST_TEST(got.content.owner.bytes() == rig[rig.owner_of(key)].id);
  }
  BOOST_TEST(rig.lines->count(log_level::error) == 0u,
             rig.lines->all(log_level::error));
}

BOOST_AUTO_TEST_SUITE_END()
