// Every way in has its bound, and whoever is over it hears so at once.

#include "fixtures/flight_rig.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

galaxy_options one_shard() {
  galaxy_options result;
  result.shards = 1;
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(flight_bounds)

BOOST_DATA_TEST_CASE(loads_over_the_bound_are_refused_at_once,
                     boost::unit_test::data::make({backend_kind::function,
                                                   backend_kind::actor}),
                     kind) {
  auto options = one_shard();
  options.loads_max = 4;
  scripted_backend source{kind};
  flight_rig rig{source, options};
  source.hold();
  for (int i = 0; i < 4; ++i)
    rig.ask("key " + std::to_string(i));
  eventually([&] { return rig.shared->loads.inside() == 4; });
  auto refused = rig.ask("key 5");
  eventually([&] { return rig.book->at(4).answers == 1; });
  BOOST_TEST(rig.book->at(4).code == errc::overloaded);
  BOOST_TEST(rig.shared->stats().flights == 4u);
  // Joining a flight is no load.
  rig.ask("key 0");
  rig.await_waiting(5);
  source.release();
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.book->codes()[errc::none] == 5u);
  BOOST_TEST(rig.shared->stats().overloaded == 1u);
  BOOST_TEST(rig.get("key 5").second == errc::none);
}

BOOST_AUTO_TEST_CASE(waiters_over_the_bound_are_refused_at_once) {
  auto options = one_shard();
  options.waiters_max = 10;
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, options};
  source.hold();
  for (int i = 0; i < 10; ++i)
    rig.ask("key");
  rig.await_waiting(10);
  for (int i = 0; i < 5; ++i)
    BOOST_TEST(rig.get("key").second == errc::overloaded);
  source.release();
  rig.await_answers();
  rig.await_rest();
  BOOST_TEST(rig.book->codes()[errc::none] == 10u);
  BOOST_TEST(rig.shared->stats().overloaded == 5u);
  BOOST_TEST(rig.shared->stats().failed == 5u);
  BOOST_TEST(rig.get("another key").second == errc::none);
}

BOOST_AUTO_TEST_CASE(hits_need_no_place_among_the_waiters) {
  auto options = one_shard();
  options.waiters_max = 1;
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, options};
  rig.get("warm");
  source.hold();
  rig.ask("cold");
  rig.await_waiting(1);
  BOOST_TEST(rig.get("warm").first.found());
  BOOST_TEST(rig.get("colder").second == errc::overloaded);
  source.release();
  rig.await_answers();
}

BOOST_AUTO_TEST_CASE(calls_of_loads_given_up_keep_their_place_among_the_jobs) {
  auto options = one_shard();
  options.loads_max = 4;
  options.load_timeout = 10s;
  auto time = std::make_shared<manual_clock>();
  // One worker, which hangs: the others wait for it.
  scripted_backend source{backend_kind::function, 1};
  flight_rig rig{source, options, 1 << 20, time};
  source.hold();
  get_options patient;
  patient.timeout = 1h;
  for (int i = 0; i < 4; ++i)
    rig.ask("key " + std::to_string(i), patient);
  eventually([&] { return rig.shared->jobs->inside() == 4; });
  eventually([&] { return source->held() == 1; });
  eventually([&] {
    time->advance(1s);
    return rig.book->owed() == 0;
  });
  BOOST_TEST(rig.book->codes()[errc::backend_failed] == 4u);
  rig.await_rest();
  // The loads are over, but not the calls: more would pile up behind them.
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(rig.get("more " + std::to_string(i)).second == errc::overloaded);
  BOOST_TEST(rig.shared->jobs->inside() == 4u);
  source.release();
  eventually([&] { return rig.shared->jobs->inside() == 0; });
  // Those that had not begun never were called.
  BOOST_TEST(source->calls() == 1u);
  BOOST_TEST(rig.get("key 0").second == errc::none);
}

BOOST_DATA_TEST_CASE(many_loads_at_the_bound_are_not_refused_by_chance,
                     all_backends, kind) {
  auto options = one_shard();
  options.loads_max = 4;
  scripted_backend source{kind, 4};
  flight_rig rig{source, options};
  // Four actors, each with one get after the other under way.
  for (int n = 0; n < 4; ++n)
    rig.walk(500, [n](std::size_t i) {
      return std::to_string(n) + ":" + std::to_string(i);
    });
  rig.await_answers();
  BOOST_TEST(rig.book->codes()[errc::none] == 2000u);
  BOOST_TEST(source->calls() == 2000u);
}

BOOST_AUTO_TEST_CASE(keys_too_long_are_refused) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  std::string longest(key_bytes_max, 'k');
  BOOST_TEST(rig.get(longest).second == errc::none);
  BOOST_TEST(rig.get(longest + "k").second == errc::key_too_long);
  BOOST_TEST(rig.get(longest + "k", {fetch_mode::peek, {}}).second
             == errc::key_too_long);
  BOOST_TEST(!rig.g.find(longest + "k").has_value());
  BOOST_TEST(source->calls() == 1u);
  rig.await_rest();
}

BOOST_DATA_TEST_CASE(keys_are_any_bytes, all_backends, kind) {
  scripted_backend source{kind};
  flight_rig rig{source};
  std::string all_bytes;
  for (int i = 0; i < 256; ++i)
    all_bytes += static_cast<char>(i);
  std::vector<std::string> keys{
    "",       std::string(1, '\0'), std::string("a\0b", 3),
    "a",      "\xff\xfe",           "\xc3\x28",
    all_bytes};
  for (auto& key : keys) {
    auto [got, code] = rig.get(key);
    BOOST_TEST(code == errc::none);
    BOOST_TEST(std::string{got.bytes()} == "value of " + key);
    BOOST_TEST(rig.g.find(key)->bytes() == "value of " + key);
    BOOST_TEST(source->calls_of(key) == 1u);
  }
  BOOST_TEST(source->calls() == keys.size());
  BOOST_TEST(rig.shared->stats().maincache.entries == keys.size());
}

BOOST_DATA_TEST_CASE(a_value_larger_than_allowed_is_an_error, all_backends,
                     kind) {
  galaxy_options options;
  options.value_bytes_max = 1000;
  scripted_backend source{kind};
  flight_rig rig{source, options};
  source->react([](std::string_view key, auto&) {
    return value::take(std::string(key == "largest" ? 1000 : 1001, 'x'));
  });
  BOOST_TEST(rig.get("largest").first.data.size() == 1000u);
  BOOST_TEST(rig.get("too large").second == errc::value_too_large);
  BOOST_TEST(!rig.g.find("too large").has_value());
  rig.await_rest();
}

BOOST_AUTO_TEST_CASE(a_value_too_large_for_the_cache_goes_to_the_caller_only) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source, one_shard(), 1000};
  source->react(
    [](auto, auto&) { return value::take(std::string(2000, 'x')); });
  for (std::size_t round = 1; round <= 2; ++round) {
    BOOST_TEST(rig.get("key").first.data.size() == 2000u);
    BOOST_TEST(source->calls() == round);
  }
  BOOST_TEST((rig.shared->stats().maincache == cache_stats{}));
}

BOOST_AUTO_TEST_CASE(a_cache_of_no_bytes_answers_all_the_same) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source, one_shard(), 0};
  for (std::size_t round = 1; round <= 3; ++round) {
    BOOST_TEST(rig.get("key").first.found());
    BOOST_TEST(source->calls() == round);
  }
}

BOOST_AUTO_TEST_CASE(an_empty_value_is_a_value) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  source->react([](auto, auto&) { return value{}; });
  BOOST_TEST(rig.get("key").first.found());
  BOOST_TEST(rig.get("key").first.level == hit_level::main);
  BOOST_TEST(source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(a_value_that_has_expired_is_answered_and_not_kept) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source, {}, 1 << 20, time};
  source->react([time](std::string_view, auto&) {
    return loaded{value::take("old"), time->wall_now()};
  });
  BOOST_TEST(rig.get("key").first.bytes() == "old");
  BOOST_TEST(rig.shared->stats().maincache.entries == 0u);
}

BOOST_AUTO_TEST_CASE(expired_entries_are_swept_however_late_others_expire) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source, one_shard(), 1 << 20, time};
  source->react([time](std::string_view key, auto&) {
    auto after = key == "late" ? std::chrono::nanoseconds{1h} : 2s;
    return loaded{value_of(key).content().data, time->wall_now() + after};
  });
  rig.get("late");
  for (int i = 0; i < 3000; ++i)
    rig.get("soon " + std::to_string(i));
  BOOST_TEST(rig.shared->stats().maincache.entries == 3001u);
  eventually([&] {
    time->advance(100ms);
    return rig.shared->stats().maincache.entries == 1;
  });
  BOOST_TEST(rig.g.find("late").has_value());
  time->advance(1h);
  eventually([&] {
    time->advance(100ms);
    return rig.shared->stats().maincache == cache_stats{};
  });
}

BOOST_AUTO_TEST_CASE(a_peek_neither_waits_nor_loads) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  auto [got, code] = rig.get("key", {fetch_mode::peek, {}});
  BOOST_TEST(code == errc::none);
  BOOST_TEST(!got.found());
  rig.get("key");
  BOOST_TEST(rig.get("key", {fetch_mode::peek, {}}).first.found());
  BOOST_TEST(source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(the_largest_of_bounds_are_no_bounds) {
  galaxy_options options;
  options.shards = 8;
  options.waiters_max = SIZE_MAX;
  options.candidates_max = SIZE_MAX;
  options.loads_max = SIZE_MAX;
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, options};
  for (int i = 0; i < 20; ++i)
    BOOST_TEST(rig.get("key " + std::to_string(i)).second == errc::none);
}

BOOST_AUTO_TEST_SUITE_END()
