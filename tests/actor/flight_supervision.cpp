// Cache actors are replaced when they crash, up to a point.

#include "fixtures/flight_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <mutex>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

galaxy_options with_shards(std::size_t count) {
  galaxy_options result;
  result.shards = count;
  return result;
}

struct crashing {
  std::mutex mutex;
  std::vector<std::string> errors;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::in_place};
  flight_rig rig;

  explicit crashing(std::size_t shards = 1)
    : rig(source, with_shards(shards), 1 << 20, time,
          std::make_shared<galaxycache::log>(
            log_level::error, [this](log_level, std::string_view line) {
              std::lock_guard guard{mutex};
              errors.emplace_back(line);
            })) {
    // nop
  }

  void crash(std::string_view key) {
    eventually([&] { return rig.cache_of(key) != cache_actor{}; });
    auto dead = rig.cache_of(key);
    kill(dead);
    eventually([&] { return rig.cache_of(key) != dead; });
  }

  std::vector<std::string> said() {
    std::lock_guard guard{mutex};
    return errors;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(flight_supervision)

BOOST_AUTO_TEST_CASE(five_crashes_in_ten_seconds_are_survived) {
  crashing all;
  for (int i = 0; i < 5; ++i) {
    all.crash("key");
    eventually([&] { return all.rig.cache_of("key") != cache_actor{}; });
    BOOST_TEST(all.rig.get("key").second == errc::none);
  }
  BOOST_TEST(!all.rig.shared->failed);
  BOOST_TEST(all.rig.shared->stats().cache_restarts == 5u);
  BOOST_TEST(all.said().empty());
}

BOOST_AUTO_TEST_CASE(a_sixth_crash_in_ten_seconds_fails_the_galaxy) {
  crashing all;
  for (int i = 0; i < 6; ++i) {
    all.time->advance(1900ms);
    all.crash("key");
  }
  eventually([&] { return all.rig.shared->failed.load(); });
  BOOST_TEST(!all.rig.cache_of("key"));
  all.rig.ask("key");
  all.rig.await_answers();
  BOOST_TEST(all.rig.book->at(0).code == errc::unavailable);
  BOOST_TEST(all.rig.book->at(0).reason.find("has failed")
             != std::string::npos);
  // By message, too.
  caf::scoped_actor self{all.rig.system};
  request(self.ptr(), all.rig.g.actor(), get_atom_v, std::string{"key"})
    .receive([](answer&) { BOOST_TEST(false, "an answer"); },
             [](caf::error& why) {
               BOOST_TEST(code_of(why) == errc::unavailable);
               BOOST_TEST(describe(why).find("has failed")
                          != std::string::npos);
             });
  eventually([&] { return all.said().size() == 1; });
  BOOST_TEST(all.said()[0].find("things") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(crashes_far_apart_are_survived_for_ever) {
  crashing all;
  for (int i = 0; i < 20; ++i) {
    all.time->advance(2001ms);
    all.crash("key");
    eventually([&] { return all.rig.cache_of("key") != cache_actor{}; });
  }
  BOOST_TEST(!all.rig.shared->failed);
  BOOST_TEST(all.rig.get("key").second == errc::none);
}

BOOST_AUTO_TEST_CASE(a_galaxy_that_has_failed_can_be_stopped) {
  crashing all;
  for (int i = 0; i < 6; ++i)
    all.crash("key");
  eventually([&] { return all.rig.shared->failed.load(); });
  post(all.rig.supervisor, stop_atom_v);
  eventually([&] { return all.rig.core->actors_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(a_galaxy_that_is_stopped_answers_its_waiters_draining) {
  scripted_backend source{backend_kind::function};
  flight_rig rig{source, with_shards(3)};
  source.hold();
  for (int i = 0; i < 100; ++i)
    rig.ask("key " + std::to_string(i));
  rig.await_waiting(100);
  post(rig.supervisor, stop_atom_v);
  rig.await_answers();
  BOOST_TEST(rig.book->codes()[errc::draining] == 100u);
  eventually([&] { return rig.core->actors_alive() == 0; });
  rig.await_rest();
  BOOST_TEST(rig.get("key").second == errc::unavailable);
}

BOOST_AUTO_TEST_CASE(a_galaxy_may_be_stopped_twice) {
  scripted_backend source{backend_kind::function};
  flight_rig rig{source, with_shards(3)};
  post(rig.supervisor, stop_atom_v);
  post(rig.supervisor, stop_atom_v);
  eventually([&] { return rig.core->actors_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(a_crash_while_stopping_replaces_nobody) {
  for (int round = 0; round < 20; ++round) {
    scripted_backend source{backend_kind::function};
    flight_rig rig{source, with_shards(2)};
    auto victim = rig.cache_of("key");
    if (round % 2 == 0)
      kill(victim);
    post(rig.supervisor, stop_atom_v);
    if (round % 2 == 1)
      kill(victim);
    eventually([&] { return rig.core->actors_alive() == 0; });
  }
}

BOOST_AUTO_TEST_CASE(while_draining_hits_and_flights_go_on_and_misses_do_not) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source};
  rig.get("held");
  source.hold();
  rig.ask("in flight");
  eventually([&] { return source->held() == 1; });
  rig.core->phase = life::draining;
  BOOST_TEST(rig.get("held").first.level == hit_level::main);
  BOOST_TEST(rig.get("cold").second == errc::draining);
  rig.ask("in flight");
  rig.await_waiting(2);
  source.release();
  rig.await_answers();
  BOOST_TEST(rig.book->codes()[errc::none] == 2u);
}

BOOST_AUTO_TEST_CASE(the_memory_of_other_shards_survives_a_crash) {
  crashing all{4};
  for (int i = 0; i < 100; ++i)
    all.rig.get("key " + std::to_string(i));
  auto before = all.rig.shared->stats().maincache.entries;
  BOOST_TEST(before == 100u);
  all.crash("key 0");
  eventually([&] { return all.rig.cache_of("key 0") != cache_actor{}; });
  BOOST_TEST(!all.rig.g.find("key 0").has_value());
  auto after = all.rig.shared->stats().maincache.entries;
  BOOST_TEST(after > 0u);
  BOOST_TEST(after < before);
}

BOOST_AUTO_TEST_CASE(a_crash_drops_no_reader_between_two_memories) {
  crashing all;
  all.rig.get("key");
  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0};
  std::thread reader{[&] {
    while (!done)
      if (auto held = all.rig.g.find("key"))
        wrong += held->bytes() != "value of key";
  }};
  for (int i = 0; i < 5; ++i) {
    all.crash("key");
    all.rig.get("key");
  }
  done = true;
  reader.join();
  BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
