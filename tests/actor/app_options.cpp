// The options of a universe on the command line and in the configuration file
// of an application.

#include "galaxycache/actors/app_options.hpp"

#include "fixtures/ledger.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/messages/init.hpp"
#include "galaxycache/runtime/caf/startup.hpp"

#include <boost/test/unit_test.hpp>

#include <sstream>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

struct app_config : caf::actor_system_config {
  app_config() {
    galaxycache::add_message_types(*this);
    galaxycache::add_options(*this);
  }
};

/// What an application with these arguments and this configuration file is
/// told.
app_options options_of(std::vector<std::string> arguments,
                       const std::string& file = "") {
  app_config cfg;
  std::istringstream in{file};
  std::string arguments_text;
  for (auto& each : arguments)
    arguments_text += each + " ";
  if (auto wrong = cfg.parse(std::move(arguments), in))
    throw std::runtime_error{"CAF does not take them: " + arguments_text};
  return options_from(cfg);
}

/// What is wrong with the value of an option.
std::string complaint(const std::string& argument) {
  try {
    options_of({"--galaxycache.self=a", argument});
  } catch (const galaxycache::exception& wrong) {
    BOOST_TEST(wrong.code() == errc::invalid_argument);
    return wrong.what();
  }
  return "";
}

void check_all(const app_options& x) {
  BOOST_TEST(x.universe.self == "a");
  BOOST_TEST(x.universe.listen == "caf://127.0.0.1:4711");
  BOOST_TEST((x.universe.placement.kind == placement_kind::hash_ring_crc32));
  BOOST_TEST(x.universe.placement.segments == 20u);
  BOOST_TEST((x.universe.peers.heartbeat_interval == 250ms));
  BOOST_TEST((x.universe.peers.heartbeat_timeout == 2s));
  BOOST_TEST((x.universe.stop_grace == 3s));
  BOOST_TEST((x.universe.verbosity == log_level::info));
  std::vector<peer_info> ring{{"a", "caf://127.0.0.1:4711"},
                              {"b", "caf://[::1]:4712"}};
  BOOST_TEST((x.peers == ring));
}

} // namespace

BOOST_AUTO_TEST_SUITE(app_options)

BOOST_AUTO_TEST_CASE(without_any_but_the_id_all_is_as_a_universe_has_it) {
  auto x = options_of({"--galaxycache.self=a"});
  universe_options standard;
  BOOST_TEST(x.universe.self == "a");
  BOOST_TEST(x.universe.listen == "");
  BOOST_TEST(!x.universe.insecure);
  BOOST_TEST((x.universe.placement.kind == standard.placement.kind));
  BOOST_TEST(x.universe.placement.segments == standard.placement.segments);
  BOOST_TEST(
    (x.universe.peers.heartbeat_interval == standard.peers.heartbeat_interval));
  BOOST_TEST(
    (x.universe.peers.heartbeat_timeout == standard.peers.heartbeat_timeout));
  BOOST_TEST((x.universe.stop_grace == standard.stop_grace));
  BOOST_TEST((x.universe.verbosity == standard.verbosity));
  BOOST_TEST(x.peers.empty());
}

BOOST_AUTO_TEST_CASE(all_can_be_given_on_the_command_line) {
  check_all(options_of({
    "--galaxycache.self=a",
    "--galaxycache.listen=caf://127.0.0.1:4711",
    "--galaxycache.insecure",
    "--galaxycache.peers=[\"a=caf://127.0.0.1:4711\", \"b=caf://[::1]:4712\"]",
    "--galaxycache.placement=hash-ring-crc32",
    "--galaxycache.segments=20",
    "--galaxycache.heartbeat-interval=250ms",
    "--galaxycache.heartbeat-timeout=2s",
    "--galaxycache.stop-grace=3s",
    "--galaxycache.log-level=info",
  }));
}

BOOST_AUTO_TEST_CASE(all_can_be_given_in_the_configuration_file) {
  check_all(options_of({}, R"(
    galaxycache {
      self = "a"
      listen = "caf://127.0.0.1:4711"
      peers = ["a=caf://127.0.0.1:4711", "b=caf://[::1]:4712"]
      placement = "hash-ring-crc32"
      segments = 20
      heartbeat-interval = 250ms
      heartbeat-timeout = 2s
      stop-grace = 3s
      log-level = "info"
    }
  )"));
}

BOOST_AUTO_TEST_CASE(the_command_line_goes_before_the_configuration_file) {
  auto x = options_of({"--galaxycache.self=b"}, "galaxycache { self = \"a\" }");
  BOOST_TEST(x.universe.self == "b");
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_refused_by_name_and_with_a_reason) {
  struct row {
    const char* argument;
    const char* reason;
  };
  const row rows[] = {
    {"--galaxycache.listen=caf://a b:1", "--galaxycache.listen: 'caf://a b:1'"},
    {"--galaxycache.listen=caf://a:99999", "the port must be a number"},
    {"--galaxycache.placement=random",
     "--galaxycache.placement: 'random' is none of rendezvous, "},
    {"--galaxycache.segments=0", "--galaxycache.segments: must be from 1"},
    {"--galaxycache.segments=1000001", "to 100000"},
    {"--galaxycache.heartbeat-interval=0s", "heartbeat_interval must be"},
    {"--galaxycache.heartbeat-timeout=600ms", "at least twice"},
    {"--galaxycache.stop-grace=-1s", "--galaxycache.stop-grace: must not be"},
    {"--galaxycache.log-level=loud", "'loud' is none of off, error, warning"},
    {"--galaxycache.peers=[\"b\"]", "'b' is no peer; expected id=address"},
    {"--galaxycache.peers=[\"=caf://b:1\"]", "is no peer; expected"},
    {"--galaxycache.peers=[\"b=caf://[b:1\"]", "a ']' is missing"},
  };
  for (auto& [argument, reason] : rows)
    BOOST_TEST_CONTEXT(argument)
  BOOST_TEST(complaint(argument).find(reason) != std::string::npos,
             complaint(argument));
}

BOOST_AUTO_TEST_CASE(a_missing_id_is_asked_for) {
  for (auto file : {"", "galaxycache { self = \"\" }"})
    BOOST_CHECK_EXCEPTION(options_of({}, file), galaxycache::exception,
                          [](const galaxycache::exception& wrong) {
                            return std::string_view{wrong.what()}.starts_with(
                              "--galaxycache.self: is needed");
                          });
}

BOOST_AUTO_TEST_CASE(the_ready_made_configuration_has_them_too) {
  config cfg;
  std::istringstream no_file;
  std::vector<std::string> arguments{"--galaxycache.self=a"};
  BOOST_TEST(!cfg.parse(std::move(arguments), no_file));
  BOOST_TEST(options_from(cfg).universe.self == "a");
}

BOOST_AUTO_TEST_CASE(what_is_no_option_is_named_and_help_is_seen) {
  for (std::string argument : {"--nonsense", "--galaxycache.segments=many"}) {
    app_config cfg;
    std::istringstream no_file;
    auto wrong = cfg.parse(std::vector<std::string>{argument}, no_file);
    BOOST_TEST_REQUIRE(!!wrong);
    auto said = describe(wrong);
    BOOST_TEST(said.find(argument.substr(2, 8)) != std::string::npos, said);
    BOOST_TEST(!printed_help(cfg));
  }
}

BOOST_AUTO_TEST_SUITE_END()
