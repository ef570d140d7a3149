// Many keys with one message.

#include "fixtures/flight_rig.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

struct many_results {
  std::atomic<int> answers{0};
  std::vector<get_result> results;
  errc code = errc::none;
};

/// Gets many keys from an actor of its own.
std::shared_ptr<many_results> ask_many(flight_rig& rig,
                                       std::vector<std::string> keys,
                                       get_options options = {}) {
  auto out = std::make_shared<many_results>();
  rig.system.spawn(
    [g = rig.g, keys, options, out](caf::event_based_actor* self) {
      g.get_many(self, keys, options)
        .then(
          [out](const std::vector<get_result>& x) {
            out->results = x;
            ++out->answers;
          },
          [out](const caf::error& why) {
            out->code = code_of(why);
            ++out->answers;
          });
    });
  return out;
}

std::shared_ptr<many_results> get_many(flight_rig& rig,
                                       std::vector<std::string> keys,
                                       get_options options = {}) {
  auto out = ask_many(rig, std::move(keys), options);
  eventually([&] { return out->answers > 0; });
  return out;
}

std::vector<std::string> numbered(std::size_t count) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i)
    keys.push_back("key " + std::to_string(i));
  return keys;
}

galaxy_options with_shards(std::size_t count) {
  galaxy_options result;
  result.shards = count;
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(flight_get_many)

BOOST_DATA_TEST_CASE(results_come_in_the_order_of_the_keys, all_backends,
                     kind) {
  scripted_backend source{kind};
  flight_rig rig{source, with_shards(4)};
  // Some are hits.
  for (int i = 0; i < 500; i += 3)
    rig.ask("key " + std::to_string(i));
  rig.await_answers();
  auto keys = numbered(500);
  auto got = get_many(rig, keys);
  BOOST_REQUIRE(got->results.size() == 500u);
  for (std::size_t i = 0; i < 500; ++i) {
    BOOST_REQUIRE(got->results[i].ok());
    BOOST_REQUIRE(got->results[i].content.bytes() == "value of " + keys[i]);
  }
  BOOST_TEST(source->calls() == 500u);
  rig.await_rest();
}

BOOST_DATA_TEST_CASE(a_key_that_repeats_is_loaded_once, all_backends, kind) {
  scripted_backend source{kind};
  flight_rig rig{source, with_shards(2)};
  auto got = get_many(rig, {"a", "b", "a", "a", "b", "c", "a"});
  BOOST_REQUIRE(got->results.size() == 7u);
  std::string order;
  for (auto& x : got->results)
    order += x.content.bytes().back();
  BOOST_TEST(order == "abaabca");
  BOOST_TEST(source->calls() == 3u);
}

BOOST_AUTO_TEST_CASE(no_keys_are_no_results) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  auto got = get_many(rig, {});
  BOOST_TEST(got->code == errc::none);
  BOOST_TEST(got->results.empty());
}

BOOST_AUTO_TEST_CASE(a_blocking_actor_gets_many) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  caf::scoped_actor self{rig.system};
  rig.g.get_many(self, {"a", "b"})
    .receive(
      [](const std::vector<get_result>& all) {
        BOOST_REQUIRE(all.size() == 2u);
        BOOST_TEST(all[1].content.bytes() == "value of b");
      },
      [](const caf::error& why) { BOOST_ERROR(describe(why)); });
}

BOOST_DATA_TEST_CASE(some_fail_and_others_do_not, all_backends, kind) {
  scripted_backend source{kind};
  source->react([](std::string_view key, auto&) -> load_result {
    if (key == "bad")
      return failure{errc::backend_failed, "a bad key"};
    if (key == "none")
      return errc::not_found;
    return value_of(key);
  });
  flight_rig rig{source, with_shards(2)};
  auto got = get_many(rig, {"good", "bad", "none",
                            std::string(key_bytes_max + 1, 'k'), "bad"});
  BOOST_REQUIRE(got->results.size() == 5u);
  BOOST_TEST(got->results[0].content.found());
  BOOST_TEST(got->results[1].error == errc::backend_failed);
  BOOST_TEST(got->results[1].reason.find("a bad key") != std::string::npos);
  BOOST_TEST(got->results[2].ok());
  BOOST_TEST(!got->results[2].content.found());
  BOOST_TEST(got->results[3].error == errc::key_too_long);
  BOOST_TEST(got->results[4].error == errc::backend_failed);
  rig.await_rest();
}

BOOST_AUTO_TEST_CASE(all_keys_share_one_deadline) {
  auto time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, with_shards(2), 1 << 20, time};
  rig.get("held");
  source.hold();
  get_options options;
  options.timeout = 100ms;
  auto got = ask_many(rig, {"held", "slow", "slower"}, options);
  eventually([&] { return source->held() == 2; });
  time->advance(99ms);
  BOOST_TEST(got->answers == 0);
  time->advance(2ms);
  eventually([&] { return got->answers == 1; });
  BOOST_REQUIRE(got->results.size() == 3u);
  BOOST_TEST(got->results[0].content.level == hit_level::main);
  BOOST_TEST(got->results[1].error == errc::deadline_exceeded);
  BOOST_TEST(got->results[2].error == errc::deadline_exceeded);
  source.release();
  rig.await_rest();
  BOOST_TEST(got->answers == 1);
}

BOOST_AUTO_TEST_CASE(a_dying_cache_actor_fails_its_keys_only) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, with_shards(2)};
  source.hold();
  auto keys = numbered(50);
  auto got = ask_many(rig, keys);
  eventually([&] { return source->held() == 50; });
  auto dead = rig.shared->shard_of(keys[0]);
  kill(rig.cache_of(keys[0]));
  eventually([&] { return rig.shared->stats().cache_restarts == 1; });
  source.release();
  eventually([&] { return got->answers == 1; });
  BOOST_REQUIRE(got->results.size() == 50u);
  for (std::size_t i = 0; i < 50; ++i)
    BOOST_TEST(got->results[i].error
               == (rig.shared->shard_of(keys[i]) == dead ? errc::internal_error
                                                         : errc::none));
  rig.await_rest();
}

BOOST_AUTO_TEST_CASE(a_cache_actor_that_dies_at_any_moment_leaves_no_get_open) {
  scripted_backend source{backend_kind::in_place};
  for (int round = 0; round < 20; ++round) {
    flight_rig rig{source, with_shards(2)};
    auto keys = numbered(200);
    std::vector<std::shared_ptr<many_results>> all;
    for (int i = 0; i < 5; ++i)
      all.push_back(ask_many(rig, keys));
    kill(rig.cache_of(keys[0]));
    for (auto& got : all) {
      eventually([&] { return got->answers == 1; });
      BOOST_REQUIRE(got->results.size() == 200u);
      for (auto& x : got->results)
        BOOST_REQUIRE((x.ok() || x.error == errc::internal_error
                       || x.error == errc::unavailable));
    }
    rig.await_rest();
  }
}

BOOST_AUTO_TEST_CASE(a_dying_galaxy_actor_leaves_no_get_open) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, with_shards(2)};
  source.hold();
  auto got = ask_many(rig, numbered(50));
  eventually([&] { return source->held() == 50; });
  kill(rig.supervisor);
  eventually([&] { return got->answers == 1; });
  BOOST_TEST(got->code == errc::internal_error);
  auto late = get_many(rig, numbered(5));
  BOOST_TEST(late->code == errc::unavailable);
}

BOOST_AUTO_TEST_CASE(of_more_keys_than_there_is_room_for_the_rest_is_refused) {
  auto options = with_shards(1);
  options.waiters_max = 10;
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source, options};
  rig.get("key 0");
  auto got = get_many(rig, numbered(31));
  BOOST_REQUIRE(got->results.size() == 31u);
  // One is in memory, and there is room for ten.
  for (std::size_t i = 0; i < 11; ++i)
    BOOST_TEST(got->results[i].ok());
  for (std::size_t i = 11; i < 31; ++i)
    BOOST_TEST(got->results[i].error == errc::overloaded);
  BOOST_TEST(rig.shared->stats().overloaded == 20u);
  BOOST_TEST(get_many(rig, numbered(21))->results[20].ok());
  rig.await_rest();
}

BOOST_AUTO_TEST_CASE(more_keys_than_a_message_may_have_are_refused) {
  scripted_backend source{backend_kind::in_place};
  flight_rig rig{source};
  std::vector<std::string> keys((1 << 20) + 1, "key");
  BOOST_TEST(get_many(rig, keys)->code == errc::overloaded);
  keys.pop_back();
  auto got = get_many(rig, keys);
  BOOST_REQUIRE(got->results.size() == 1u << 20);
  BOOST_TEST(got->results.back().ok());
  BOOST_TEST(source->calls() == 1u);
}

BOOST_AUTO_TEST_CASE(many_keys_are_in_flight_together_with_single_ones) {
  scripted_backend source{backend_kind::actor};
  flight_rig rig{source, with_shards(2)};
  source.hold();
  auto keys = numbered(100);
  for (auto& key : keys)
    rig.ask(key);
  auto got = ask_many(rig, keys);
  rig.await_waiting(200);
  source.release();
  rig.await_answers();
  eventually([&] { return got->answers == 1; });
  BOOST_TEST(source->calls() == 100u);
}

BOOST_AUTO_TEST_SUITE_END()
