// The code that doc/how-to.md shows, and that it does what the page says.

#include "fixtures/certificates.hpp"
#include "fixtures/waiting.hpp"

#include "galaxycache/actors/app_options.hpp"
#include "galaxycache/galaxycache.hpp"
#include "galaxycache/runtime/caf/startup.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <thread>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

// -- backends -----------------------------------------------------------------

const std::vector<std::pair<std::string, std::string>> table{
  {"1", "one"},
  {"2", "two"},
};

load_result read_row(std::string_view key, const load_context& context) {
  for (auto& [id, text] : table) {
    if (context.stop.stop_requested())
      return failure{errc::backend_failed, "nobody waits any more"};
    if (id == key)
      return value::copy(text);
  }
  return errc::not_found;
}

load_result read_session(std::string_view user) {
  auto until = std::chrono::system_clock::now() + 30min;
  return loaded{value::copy(user), until};
}

backend_actor::behavior_type price_list() {
  return {
    [](load_atom, const std::string& key) -> result<loaded> {
      if (key == "pen")
        return loaded{value::copy("3.20")};
      return make_error({errc::not_found, {}});
    },
  };
}

load_result shout(std::string_view key) {
  return value::copy(std::string{key} + '!');
}

load_result wait_until_stopped(std::string_view, const load_context& context) {
  while (!context.stop.stop_requested())
    std::this_thread::sleep_for(1ms);
  return failure{errc::backend_failed, "nobody waits any more"};
}

// -- actors -------------------------------------------------------------------

void teller(caf::event_based_actor* self, const galaxy& prices,
            const std::string& item, std::promise<std::string>* told) {
  prices.get(self, item)
    .then(
      [told](const answer& x) {
        told->set_value(x.found() ? std::string{x.bytes()} : "not found");
      },
      [told](const caf::error& why) { told->set_value(describe(why)); });
}

void stranger(caf::event_based_actor* self, const galaxy_actor& prices,
              const std::string& item, std::promise<std::string>* told) {
  request(self, prices, get_atom_v, item)
    .then([told](const answer& x) { told->set_value(std::string{x.bytes()}); },
          [told](const caf::error& why) {
            told->set_value(std::string{name_of(code_of(why))});
          });
}

// -- statistics ---------------------------------------------------------------

std::map<std::string, std::uint64_t> by_name(const galaxy_stats& stats) {
  std::map<std::string, std::uint64_t> result;
#define ADD_COUNTER(name, text) result[#name] = stats.name;
  GALAXYCACHE_COUNTERS(ADD_COUNTER)
#undef ADD_COUNTER
  return result;
}

// -- keys ---------------------------------------------------------------------

load_result read_video(std::string_view key) {
  std::string_view kind;
  std::uint64_t id = 0;
  if (key_reader{key}.str_id(kind).uint(id).finish() != key_error::none)
    return errc::not_found;
  return value::take(std::string{kind} + " number " + std::to_string(id));
}

// -- an application's options -------------------------------------------------

class app_config : public caf::actor_system_config {
public:
  app_config() {
    galaxycache::add_message_types(*this);
    galaxycache::add_options(*this);
    load<caf::io::middleman>();
    set_caf_option(*this, "middleman.heartbeat-interval", caf::timespan{500ms});
    set_caf_option(*this, "middleman.connection-timeout", caf::timespan{3s});
  }
};

// -- what the cases have ------------------------------------------------------

universe_options quiet(std::string self) {
  universe_options result;
  result.self = std::move(self);
  result.verbosity = log_level::off;
  return result;
}

/// A universe of one.
struct alone {
  std::string get(const galaxy& g, const std::string& key) {
    std::string result;
    g.get(self, key).receive(
      [&](const answer& x) { result = x.found() ? x.bytes() : "not found"; },
      [&](const caf::error& why) { result = describe(why); });
    return result;
  }

  config cfg;
  caf::actor_system system{cfg};
  universe here{system, quiet("here")};
  caf::scoped_actor self{system};
};

/// A ring of two.
struct pair_of_members {
  pair_of_members()
    : here(system, on_network("here")),
      there(system, on_network("there")) {
    std::vector<peer_info> ring{{"here", here.uri()}, {"there", there.uri()}};
    here.set_peers(ring);
    there.set_peers(ring);
    eventually([&] { return is_up(here, "there") && is_up(there, "here"); });
  }

  universe_options on_network(const std::string& id) {
    auto result = quiet(id);
    result.listen = "inproc://" + id;
    result.transports = {net.join(id)};
    return result;
  }

  static bool is_up(const universe& at, const std::string& id) {
    return std::ranges::any_of(at.peers(), [&](const peer_status& x) {
      return x.info.id == id && x.state == peer_state::up;
    });
  }

  static std::string key_of(const std::string& owner) {
    placement place{{{"here"}, {"there"}}};
    for (int i = 0;; ++i)
      if (place.members()[*place.owner(std::to_string(i))].id == owner)
        return std::to_string(i);
  }

  answer get(const galaxy& g, const std::string& key) {
    answer result;
    g.get(self, key).receive([&](const answer& x) { result = x; },
                             [](const caf::error& why) {
                               BOOST_ERROR(describe(why));
                             });
    return result;
  }

  config cfg;
  caf::actor_system system{cfg};
  network net{system};
  universe here;
  universe there;
  caf::scoped_actor self{system};
};

} // namespace

BOOST_AUTO_TEST_SUITE(how_to)

BOOST_FIXTURE_TEST_CASE(a_function_runs_on_workers, alone) {
  auto rows = here.add_galaxy("rows", 64 << 20,
                              backend::function(read_row, 16));
  BOOST_TEST(get(rows, "2") == "two");
  BOOST_TEST(get(rows, "3") == "not found");
}

BOOST_FIXTURE_TEST_CASE(a_value_says_when_it_expires, alone) {
  auto sessions = here.add_galaxy("sessions", 1 << 20,
                                  backend::function(read_session));
  BOOST_TEST(get(sessions, "ada") == "ada");
  auto held = sessions.find("ada");
  BOOST_REQUIRE(held.has_value());
  auto left = held->expiry - std::chrono::system_clock::now();
  BOOST_TEST((left > 29min && left <= 30min));
}

BOOST_FIXTURE_TEST_CASE(a_function_that_never_blocks_runs_in_place, alone) {
  auto greetings = here.add_galaxy(
    "greetings", 1 << 20, backend::in_place([](std::string_view key) {
      return value::take("hello, " + std::string{key});
    }));
  BOOST_TEST(get(greetings, "world") == "hello, world");
}

BOOST_FIXTURE_TEST_CASE(an_actor_may_be_the_backend, alone) {
  auto list = system.spawn(price_list);
  auto prices = here.add_galaxy("prices", 1 << 20, backend::actor(list));
  BOOST_TEST(get(prices, "pen") == "3.20");
  BOOST_TEST(get(prices, "book") == "not found");
  caf::anon_send_exit(list, caf::exit_reason::user_shutdown);
}

BOOST_FIXTURE_TEST_CASE(a_promoter_of_ones_own_decides, pair_of_members) {
  galaxy_options options;
  options.promote = make_promoter(
    [](std::string_view, const value& data, const promotion_stats& stats) {
      return data.size() <= 4096 && stats.hits > 0;
    });
  options.hot_ratio = 4;
  options.candidates_max = 10'000;
  options.reset_idle_stats = 5min;
  auto pages = here.add_galaxy("pages", 256 << 20, backend::function(shout),
                               options);
  there.add_galaxy("pages", 1 << 20, backend::function(shout));
  auto key = key_of("there");
  BOOST_TEST((get(pages, key).level == hit_level::peer));
  BOOST_TEST(pages.stats().candidates == 1u);
  BOOST_TEST(pages.stats().promotions == 0u);
  BOOST_TEST((get(pages, key).level == hit_level::peer));
  BOOST_TEST(pages.stats().promotions == 1u);
  BOOST_TEST((get(pages, key).level == hit_level::hot));
}

BOOST_FIXTURE_TEST_CASE(lifetimes_are_capped, alone) {
  galaxy_options options;
  options.get_ttl = {.max = 1h, .jitter = 10min};
  options.peek_ttl = {.max = 5min};
  auto rows = here.add_galaxy("rows", 64 << 20, backend::function(read_row),
                              options);
  BOOST_TEST(get(rows, "1") == "one");
  auto left = rows.find("1")->expiry - std::chrono::system_clock::now();
  BOOST_TEST((left > 49min && left <= 1h));
}

BOOST_FIXTURE_TEST_CASE(a_young_member_peeks_at_previous_owners,
                        pair_of_members) {
  galaxy_options options;
  options.peek = peek_options{.timeout = 10ms, .warm_time = 5min};
  auto rows = here.add_galaxy("rows", 64 << 20, backend::function(shout),
                              options);
  there.add_galaxy("rows", 1 << 20, backend::function(shout));
  get(rows, key_of("here"));
  BOOST_TEST(rows.stats().coalesced_peer_peeks == 1u);
  get(rows, key_of("there"));
  BOOST_TEST(rows.stats().coalesced_peer_peeks == 1u);
}

BOOST_FIXTURE_TEST_CASE(every_get_has_a_deadline, alone) {
  galaxy_options options;
  options.default_timeout = 500ms;
  options.load_timeout = 10s;
  options.loads_max = 1000;
  options.waiters_max = 100'000;
  options.value_bytes_max = 1 << 20;
  auto slow = here.add_galaxy("slow", 1 << 20,
                              backend::function(wait_until_stopped), options);
  auto what = errc::none;
  slow.get(self, "key", {.timeout = 20ms})
    .receive([](const answer& x) { std::cout << x.bytes() << '\n'; },
             [&](const caf::error& why) { what = code_of(why); });
  BOOST_TEST((what == errc::deadline_exceeded));
  BOOST_TEST(retryable(what));
  eventually([&] { return slow.stats().flights == 0; });
}

BOOST_FIXTURE_TEST_CASE(a_get_may_ask_for_no_more_than_a_look, alone) {
  auto words = here.add_galaxy("words", 1 << 20, backend::function(shout));
  auto found = true;
  words.get(self, "key", {.mode = fetch_mode::peek})
    .receive([&](const answer& x) { found = x.found(); },
             [](const caf::error& why) { std::cerr << describe(why) << '\n'; });
  BOOST_TEST(!found);
  BOOST_TEST(words.stats().loads == 0u);
}

BOOST_FIXTURE_TEST_CASE(many_keys_are_asked_for_at_once, alone) {
  auto rows = here.add_galaxy("rows", 1 << 20, backend::function(read_row));
  std::size_t found = 0;
  rows.get_many(self, {"1", "2", "3", "1"})
    .receive(
      [&](const std::vector<get_result>& results) {
        for (auto& x : results)
          if (x.ok() && x.content.found())
            ++found;
      },
      [](const caf::error& why) { std::cerr << describe(why) << '\n'; });
  BOOST_TEST(found == 3u);
}

BOOST_FIXTURE_TEST_CASE(what_is_held_is_read_without_messages, alone) {
  auto rows = here.add_galaxy("rows", 1 << 20, backend::function(read_row));
  get(rows, "1");
  std::string text;
  if (auto held = rows.find("1"))
    text = held->bytes();
  auto had = rows.visit("2", [&](const held& x) { text += x.bytes; });
  BOOST_TEST(text == "one");
  BOOST_TEST(!had);
}

BOOST_FIXTURE_TEST_CASE(actors_of_all_kinds_ask, alone) {
  auto prices = here.add_galaxy("prices", 1 << 20, backend::function(read_row));
  std::promise<std::string> first;
  std::promise<std::string> second;
  system.spawn(teller, prices, "1", &first);
  BOOST_TEST(first.get_future().get() == "one");
  system.spawn(stranger, prices.actor(), "2", &second);
  BOOST_TEST(second.get_future().get() == "two");
}

BOOST_AUTO_TEST_CASE(heavier_members_own_more) {
  placement place{{{"large", 3}, {"small", 1}}};
  auto owner_of = [&](std::string_view key) {
    return place.members()[*place.owner(key)].id;
  };
  auto large = 0;
  for (int i = 0; i < 10'000; ++i)
    large += owner_of(std::to_string(i)) == "large" ? 1 : 0;
  BOOST_TEST((large > 7'200 && large < 7'800), large);
}

BOOST_AUTO_TEST_CASE(a_hash_ring_places_keys_as_galaxycache_does) {
  universe_options options;
  options.self = "peer-a";
  options.placement = {placement_kind::hash_ring_crc32, 50};
  placement place{{{"peer-a"}, {"peer-b"}, {"peer-c"}}, options.placement};
  BOOST_TEST(place.members()[*place.owner("foo")].id == "peer-a");
  BOOST_TEST(place.members()[*place.owner("user:1")].id == "peer-b");
  BOOST_TEST(place.members()[*place.owner("user:2")].id == "peer-c");
}

BOOST_FIXTURE_TEST_CASE(members_come_and_go, pair_of_members) {
  here.set_peers({{"here", here.uri()}, {"there", there.uri()}});
  here.add_peer({"new", "inproc://new", 2});
  here.remove_peers({"new", "unknown"});
  here.include_self(false);
  for (auto& x : here.peers())
    std::cout << x.info.id << ' ' << to_string(x.state) << '\n';
  auto left = here.peers();
  BOOST_REQUIRE(left.size() == 1u);
  BOOST_TEST(left[0].info.id == "there");
  auto wrong = [&] { here.add_peer({"bad", "nowhere://at.all"}); };
  BOOST_CHECK_THROW(wrong(), galaxycache::exception);
}

BOOST_FIXTURE_TEST_CASE(members_come_by_message, pair_of_members) {
  auto done = false;
  request(self.ptr(), here.ring(), join_atom_v,
          peer_info{"new", "inproc://new", 2})
    .receive([&] { done = true; },
             [](const caf::error& why) { std::cerr << describe(why) << '\n'; });
  BOOST_TEST(done);
  BOOST_TEST(here.peers().size() == 3u);
}

BOOST_AUTO_TEST_CASE(options_come_from_the_command_line) {
  app_config cfg;
  auto wrong = cfg.parse(std::vector<std::string>{
    "--galaxycache.self=node-1",
    "--galaxycache.listen=caf://127.0.0.1:0",
    R"(--galaxycache.peers=["node-1=127.0.0.1:8","node-2=127.0.0.1:9"])",
    "--galaxycache.stop-grace=5s",
  });
  BOOST_REQUIRE_MESSAGE(!wrong, describe(wrong));
  caf::actor_system system{cfg};
  auto options = options_from(cfg);
  options.universe.peers.reconnect_max = 30s; // what has no option of its own
  universe here{system, options.universe};
  if (!options.peers.empty())
    here.set_peers(options.peers);
  BOOST_TEST(here.self() == "node-1");
  BOOST_TEST(here.uri().starts_with("caf://127.0.0.1:"));
  BOOST_TEST(here.peers().size() == 2u);
  BOOST_TEST((options.universe.stop_grace == 5s));
}

BOOST_AUTO_TEST_CASE(peers_show_certificates) {
  certificate_folder folder;
  std::vector<std::unique_ptr<app_config>> configs;
  std::vector<std::unique_ptr<caf::actor_system>> systems;
  std::vector<std::unique_ptr<universe>> all;
  for (auto* id : {"node-1", "node-2"}) {
    auto files = folder.issue("ring", id);
    auto& cfg = *configs.emplace_back(std::make_unique<app_config>());
    set_caf_option(cfg, "openssl.certificate", files.certificate);
    set_caf_option(cfg, "openssl.key", files.key);
    set_caf_option(cfg, "openssl.cafile", files.cafile);
    systems.push_back(std::make_unique<caf::actor_system>(cfg));
    universe_options options;
    options.self = id;
    options.listen = "cafs://127.0.0.1:0";
    all.push_back(std::make_unique<universe>(*systems.back(), options));
  }
  all[0]->add_peer({"node-2", all[1]->uri()});
  eventually([&] {
    return std::ranges::any_of(all[0]->peers(), [](const peer_status& x) {
      return x.info.id == "node-2" && x.state == peer_state::up;
    });
  });
}

BOOST_AUTO_TEST_CASE(options_come_from_a_file) {
  std::istringstream file{R"(galaxycache {
  self = "node-2"
  peers = ["node-1=caf://h1:4711", "node-2=caf://h2:4711"]
  heartbeat-interval = 1s
}
)"};
  app_config cfg;
  auto wrong = cfg.parse(std::vector<std::string>{}, file);
  BOOST_REQUIRE_MESSAGE(!wrong, describe(wrong));
  auto options = options_from(cfg);
  BOOST_TEST(options.universe.self == "node-2");
  BOOST_TEST((options.universe.peers.heartbeat_interval == 1s));
  BOOST_REQUIRE(options.peers.size() == 2u);
  BOOST_TEST(options.peers[0].uri == "caf://h1:4711");
}

BOOST_AUTO_TEST_CASE(log_lines_go_where_they_are_wanted) {
  config cfg;
  caf::actor_system system{cfg};
  std::mutex mutex;
  std::string text;
  universe_options options;
  options.self = "node-1";
  options.verbosity = log_level::info;
  options.log_to = [&](log_level, std::string_view line) {
    std::lock_guard guard{mutex};
    text += std::string{line} + '\n';
  };
  universe here{system, options};
  here.stop(0s);
  std::lock_guard guard{mutex};
  BOOST_TEST(text == "draining\nstopped\n");
}

BOOST_FIXTURE_TEST_CASE(statistics_are_read_and_exported, alone) {
  auto rows = here.add_galaxy("rows", 1 << 20, backend::function(read_row));
  get(rows, "1");
  get(rows, "1");
  auto stats = rows.stats();
  auto hits = stats.maincache_hits + stats.hotcache_hits;
  auto ratio = stats.gets ? double(hits) / double(stats.gets) : 0;
  BOOST_TEST(ratio == 0.5);
  auto exported = by_name(stats);
  BOOST_TEST(exported["gets"] == 2u);
  BOOST_TEST(exported["coalesced_backend_loads"] == 1u);
  std::uint64_t gets = 0;
  request(self.ptr(), rows.actor(), stats_atom_v)
    .receive([&](const galaxy_stats& x) { gets = x.gets; },
             [](const caf::error& why) { std::cerr << describe(why) << '\n'; });
  BOOST_TEST(gets == 2u);
}

BOOST_FIXTURE_TEST_CASE(keys_have_parts, alone) {
  auto videos = here.add_galaxy("videos", 1 << 20,
                                backend::function(read_video));
  auto key = key_writer{}.str_id("video").uint(42).take();
  BOOST_TEST(get(videos, key) == "video number 42");
  BOOST_TEST(get(videos, "no such fields") == "not found");
}

BOOST_AUTO_TEST_CASE(keys_change_with_the_epoch) {
  epoch_config epochs;
  epochs.zero = std::chrono::sys_days{2024y / 1 / 1};
  auto key_at = [&](wall_time now) {
    return key_writer{}
      .str_id("video")
      .uint(42)
      .epoch(epochs, now, integer_jitter(epochs, 42))
      .take();
  };
  wall_time noon = std::chrono::sys_days{2024y / 6 / 1} + 12h;
  BOOST_TEST(key_at(noon) == key_at(noon));
  BOOST_TEST(key_at(noon) != key_at(noon + epochs.length));
}

BOOST_AUTO_TEST_CASE(a_test_moves_the_clock) {
  config cfg;
  caf::actor_system system{cfg};
  caf::scoped_actor self{system};
  network net{system};
  auto time = std::make_shared<manual_clock>();
  universe_options options;
  options.self = "node-1";
  options.listen = "inproc://node-1";
  options.transports = {net.join("node-1")};
  options.time = time;
  options.seed = 1;
  universe here{system, options};
  auto words = here.add_galaxy("words", 1 << 20, backend::in_place(shout),
                               {.get_ttl = {.max = 1min}});
  words.get(self, "key")
    .receive([](const answer&) {},
             [](const caf::error& why) { BOOST_ERROR(describe(why)); });
  BOOST_TEST(words.find("key").has_value());
  time->advance(1min);
  BOOST_TEST(!words.find("key").has_value());
}

BOOST_FIXTURE_TEST_CASE(links_are_cut_and_members_freeze, pair_of_members) {
  auto words = here.add_galaxy("words", 1 << 20, backend::function(shout));
  there.add_galaxy("words", 1 << 20, backend::function(shout));
  net.cut("here", "there");
  auto key = key_of("there");
  BOOST_TEST((get(words, key).level == hit_level::backend));
  eventually([&] { return !is_up(here, "there"); });
  net.heal();
  eventually([&] { return is_up(here, "there"); });
}

BOOST_FIXTURE_TEST_CASE(a_universe_stops, alone) {
  auto words = here.add_galaxy("words", 1 << 20, backend::function(shout));
  BOOST_TEST(get(words, "old") == "old!");
  here.stop(5s);
  BOOST_TEST(here.actors_alive() == 0u);
  auto why = errc::none;
  words.get(self, "new")
    .receive([](const answer&) {},
             [&](const caf::error& x) { why = code_of(x); });
  BOOST_TEST((why == errc::unavailable || why == errc::draining));
}

BOOST_FIXTURE_TEST_CASE(a_universe_stops_by_message, alone) {
  post(here.actor(), stop_atom_v, caf::timespan{5s});
  eventually([&] { return here.actors_alive() == 0; });
}

BOOST_AUTO_TEST_SUITE_END()
