// Thousands of gets while random victims die at random moments.

#include "fixtures/flight_rig.hpp"
#include "fixtures/scripted_peer.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <set>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

constexpr std::uint64_t seeds[] = {1, 2, 3};

/// A galaxy among scripted peers, and whoever may be killed.
struct arena {
  random_source random;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>();
  scripted_backend source;
  flight_rig rig;
  scripted_peer peer{rig.system};
  std::vector<std::pair<std::size_t, caf::actor>> askers;

  arena(backend_kind kind, std::uint64_t seed)
    : random(seed),
      source(kind),
      rig(source, options(), 1 << 16, time) {
    // Half of the keys are the peer's; ours are peeked at there first. So it
    // gets to know most loaders.
    rig.core->view.set(make_view({{"self", 1}, {"peer", 1, peer.handle()}}));
    auto moody = [this](std::string_view key, auto&) -> load_result {
      switch (mood++ % 11) {
        case 3:
          return errc::not_found;
        case 5:
          return failure{errc::peer_failed, "moody"};
        case 7:
          return loaded{value::take("short"), time->wall_now()};
        default:
          return value_of(key);
      }
    };
    source->react(moody);
    peer->react(moody);
  }

  static galaxy_options options() {
    galaxy_options result;
    result.shards = 2;
    result.peek = peek_options{};
    result.peek->warm_time = 24h;
    result.load_timeout = 20s;
    return result;
  }

  void kill_somebody() {
    switch (random.below(4)) {
      case 0:
        kill_one_of(peer->take_callers());
        break;
      case 1:
        kill_one_of(source->take_callers());
        break;
      case 2:
        // Rarely: six in ten seconds are the end of the galaxy. And one after
        // the other, as they count when they are noticed, which takes long
        // while the backend holds up who dies.
        if (time->now() - last_crash > 3s
            && rig.shared->stats().cache_restarts == crashes)
          if (auto cache = rig.cache_of(some_key())) {
            last_crash = time->now();
            ++crashes;
            kill(cache);
          }
        break;
      default:
        if (!askers.empty()) {
          auto [id, asker] = askers[random.below(askers.size())];
          kill(asker);
          dead.insert(id);
        }
    }
  }

  void kill_one_of(const std::vector<caf::strong_actor_ptr>& loaders) {
    if (!loaders.empty())
      kill(loaders[random.below(loaders.size())]);
  }

  std::string some_key() {
    return "key " + std::to_string(random.below(12));
  }

  void ask_something() {
    get_options how;
    how.mode = random.below(3) == 0 ? fetch_mode::no_peer_backend
                                    : fetch_mode::regular;
    how.timeout = std::chrono::milliseconds{1 + random.below(3'000)};
    auto id = rig.book->size();
    switch (random.below(8)) {
      case 0:
        break;
      case 1:
      case 2:
        askers.emplace_back(id, rig.ask_bare(some_key(), how));
        return;
      default:
        askers.emplace_back(id, rig.ask(some_key(), how));
        return;
    }
    auto first = some_key();
    std::vector<std::string> keys;
    for (int i = 0; i < 5; ++i)
      if (auto key = some_key();
          rig.shared->shard_of(key) == rig.shared->shard_of(first))
        keys.push_back(key);
    keys.push_back(first);
    rig.ask_numbered(std::move(keys), how);
  }

  void some_things_happen() {
    switch (random.below(12)) {
      case 0:
        source.hold();
        break;
      case 1:
      case 2:
        source.release();
        break;
      case 3:
        peer.hold();
        break;
      case 4:
      case 5:
        peer.release();
        break;
      case 6:
      case 7:
        time->advance(std::chrono::milliseconds{random.below(1'500)});
        break;
      case 8:
        kill_somebody();
        break;
      default:
        for (auto n = random.below(8); n > 0; --n)
          ask_something();
    }
  }

  std::atomic<unsigned> mood{0};
  mono_time last_crash{};
  std::uint64_t crashes = 0;
  std::set<std::size_t> dead;
};

} // namespace

BOOST_AUTO_TEST_SUITE(flight_random_kills)

BOOST_DATA_TEST_CASE(whoever_dies_every_get_is_answered_once,
                     boost::unit_test::data::make(all_backends)
                       * boost::unit_test::data::make(seeds),
                     kind, seed) {
  arena all{kind, seed};
  while (all.rig.book->size() < 3000)
    all.some_things_happen();
  all.source.release();
  all.peer.release();
  for (auto id : all.dead)
    all.rig.book->write_off(id);
  // Deadlines pass for those whose loader or cache actor is not to blame.
  eventually([&] {
    all.time->advance(500ms);
    return all.rig.book->owed() == 0;
  });
  BOOST_TEST(all.rig.book->answered_twice() == 0u);
  for (auto [code, count] : all.rig.book->codes()) {
    auto expected = code == errc::none || code == errc::backend_failed
                    || code == errc::deadline_exceeded
                    || code == errc::internal_error
                    || code == errc::unavailable;
    BOOST_TEST(expected,
               "unexpected: " << name_of(code) << ", " << count << " times");
  }
  eventually([&] {
    all.time->advance(500ms);
    return all.rig.at_rest() && all.rig.shared->jobs->inside() == 0;
  });
  BOOST_TEST(!all.rig.shared->failed);
  all.source->react({});
  all.peer->react({});
  // The last victims may still be dying.
  for (int i = 0; i < 12; ++i)
    eventually([&] {
      return all.rig.get("key " + std::to_string(i)).second == errc::none;
    });
  all.rig.shut_down();
}

BOOST_AUTO_TEST_SUITE_END()
