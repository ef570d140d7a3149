// The library inside of applications that have a configuration and messages of
// their own, or no network.

#include "fixtures/ledger.hpp"
#include "fixtures/waiting.hpp"

#include "galaxycache/galaxycache.hpp"
#include "galaxycache/runtime/caf/serialize.hpp"
#include "galaxycache/runtime/caf/startup.hpp"
#include "galaxycache/runtime/caf/types.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>

#include <boost/test/unit_test.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>

using namespace galaxycache;
using namespace galaxycache::fixtures;

// -- an application's own messages --------------------------------------------

struct embedding_order {
  std::string dish;
  std::uint32_t count = 0;
};

template <class Inspector>
auto inspect(Inspector& f, embedding_order& x) {
  return galaxycache::object(f, x, "embedding_order",
                             galaxycache::field("dish", x.dish),
                             galaxycache::field("count", x.count));
}

CAF_BEGIN_TYPE_ID_BLOCK(embedding_app, first_custom_type_id)

  CAF_ADD_TYPE_ID(embedding_app, (embedding_order))

CAF_END_TYPE_ID_BLOCK(embedding_app)

namespace {

// -- an application's own configuration ---------------------------------------

struct announced {
  announced() {
    init();
    announce<caf::id_block::embedding_app>();
  }
};

/// Without anything of `galaxycache::config`.
struct app_config : private announced, public caf::actor_system_config {
  app_config() {
    announce_to<caf::id_block::embedding_app>(*this);
    galaxycache::add_message_types(*this);
  }
};

struct networked_app_config : app_config {
  networked_app_config() {
    load<caf::io::middleman>();
  }
};

// -- what its universes are like ----------------------------------------------

/// What a universe has logged.
class lines {
public:
  log::sink sink() {
    return [this](log_level, std::string_view text) {
      std::lock_guard guard{mutex_};
      text_ += std::string{text} + '\n';
    };
  }

  bool have(const std::string& words) {
    std::lock_guard guard{mutex_};
    return text_.find(words) != std::string::npos;
  }

  std::size_t count(const std::string& words) {
    std::lock_guard guard{mutex_};
    std::size_t result = 0;
    for (auto at = text_.find(words); at != std::string::npos;
         at = text_.find(words, at + 1))
      ++result;
    return result;
  }

private:
  std::mutex mutex_;
  std::string text_;
};

universe_options options_of(std::string self, std::string listen = {}) {
  universe_options result;
  result.self = std::move(self);
  result.listen = std::move(listen);
  result.verbosity = log_level::off;
  return result;
}

backend echo(const std::string& who) {
  return backend::in_place([who](std::string_view key) -> load_result {
    return value::copy(who + " has " + std::string{key});
  });
}

std::string get(caf::actor_system& system, const galaxy& g,
                const std::string& key) {
  std::string result;
  caf::scoped_actor self{system};
  g.get(self, key).receive([&](const answer& x) { result = x.bytes(); },
                           [&](const caf::error& why) {
                             result = describe(why);
                           });
  return result;
}

peer_state state_of(const universe& home, const std::string& id) {
  for (auto& x : home.peers())
    if (x.info.id == id)
      return x.state;
  return peer_state::down;
}

/// Holds up the thread on which CAF moves bytes for as long as it lives.
class held_up {
public:
  explicit held_up(caf::actor_system& system) {
    system.middleman().backend().post(
      [end = end_.get_future().share()] { end.wait(); });
  }

  ~held_up() {
    end_.set_value();
  }

private:
  std::promise<void> end_;
};

/// Waits until the middleman has done all that it was told to do.
void drain_middleman(caf::actor_system& system) {
  caf::scoped_actor self{system};
  request(self.ptr(), system.middleman().actor_handle(), caf::connect_atom_v,
          std::string{"127.0.0.1"}, std::uint16_t{1})
    .receive(
      [](caf::node_id&, caf::strong_actor_ptr&, std::set<std::string>&) {
        BOOST_ERROR("somebody listens to port 1");
      },
      [](const caf::error&) {});
}

/// By numbers that no two ever have.
std::set<std::string> open_sockets() {
  std::set<std::string> result;
  for (auto& each : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code gone;
    auto what = read_symlink(each.path(), gone).string();
    if (what.rfind("socket:", 0) == 0)
      result.insert(std::move(what));
  }
  return result;
}

/// Two universes of a ring that load from each other, and from nowhere else.
void check_pair(caf::actor_system& system, universe& a, universe& b) {
  auto ga = a.add_galaxy("things", 1 << 20, echo("a"));
  auto gb = b.add_galaxy("things", 1 << 20, echo("b"));
  std::vector<peer_info> ring{{"a", a.uri()}, {"b", b.uri()}};
  a.set_peers(ring);
  b.set_peers(ring);
  eventually([&] { return state_of(a, "b") == peer_state::up; });
  eventually([&] { return state_of(b, "a") == peer_state::up; });
  placement place{{{"a"}, {"b"}}};
  for (int i = 0; i < 20; ++i) {
    auto key = std::to_string(i);
    auto expected = place.members()[place.owner(key).value()].id + " has "
                    + key;
    BOOST_TEST(get(system, ga, key) == expected);
    BOOST_TEST(get(system, gb, key) == expected);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(embedding)

BOOST_AUTO_TEST_CASE(an_application_has_its_own_messages_and_ours) {
  app_config cfg;
  caf::actor_system system{cfg};
  auto waiter = system.spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](const embedding_order& x) { return x.count + 1; }};
  });
  caf::scoped_actor self{system};
  request(self.ptr(), waiter, embedding_order{"soup", 1})
    .receive([](std::uint32_t n) { BOOST_TEST(n == 2u); },
             [](const caf::error& why) { BOOST_ERROR(describe(why)); });
  // Neither takes the other's place on the wire.
  auto order = to_bytes(system, caf::make_message(embedding_order{"soup", 1}));
  BOOST_REQUIRE(order.has_value());
  auto back = from_bytes<caf::message>(system, *order);
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(back->get_as<embedding_order>(0).dish == "soup");
  auto ours = to_bytes(system, caf::make_message(name_list{{"a"}}));
  BOOST_REQUIRE(ours.has_value());
  back = from_bytes<caf::message>(system, *ours);
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(back->get_as<name_list>(0).names.front() == "a");
  caf::anon_send_exit(waiter, caf::exit_reason::kill);
}

BOOST_AUTO_TEST_CASE(a_universe_works_with_an_applications_configuration) {
  networked_app_config cfg;
  caf::actor_system system{cfg};
  universe a{system, options_of("a", "caf://127.0.0.1:0")};
  universe b{system, options_of("b", "caf://127.0.0.1:0")};
  check_pair(system, a, b);
}

BOOST_AUTO_TEST_CASE(where_heartbeats_of_caf_are_off_a_warning_says_so_once) {
  auto words = "CAF's heartbeats are off";
  for (auto on : {false, true}) {
    lines said;
    networked_app_config cfg;
    set_caf_option(cfg, "middleman.heartbeat-interval",
                   caf::timespan{on ? 500ms : 0ms});
    caf::actor_system system{cfg};
    auto options = options_of("a", "caf://127.0.0.1:0");
    options.verbosity = log_level::warning;
    options.log_to = said.sink();
    universe home{system, options};
    home.add_peer({"b", "caf://127.0.0.1:1"});
    eventually([&] { return state_of(home, "b") == peer_state::down; });
    BOOST_TEST(said.count(words) == (on ? 0u : 1u));
  }
}

BOOST_AUTO_TEST_CASE(announcing_our_messages_twice_does_nothing) {
  init();
  init();
  config cfg;
  galaxycache::add_message_types(cfg);
  caf::actor_system system{cfg};
  universe a{system, options_of("a")};
  auto g = a.add_galaxy("things", 1 << 20, echo("a"));
  BOOST_TEST(get(system, g, "key") == "a has key");
}

BOOST_AUTO_TEST_CASE(an_application_without_network_has_a_cache) {
  app_config cfg;
  caf::actor_system system{cfg};
  universe a{system, options_of("a")};
  BOOST_TEST(a.uri() == "");
  auto g = a.add_galaxy("things", 1 << 20, echo("a"));
  BOOST_TEST(get(system, g, "key") == "a has key");
  BOOST_TEST(g.find("key").has_value());
}

BOOST_AUTO_TEST_CASE(an_application_without_network_has_rings_of_its_own) {
  app_config cfg;
  caf::actor_system system{cfg};
  network net{system};
  auto join = [&](const std::string& name) {
    auto options = options_of(name, "inproc://" + name);
    options.transports = {net.join(name)};
    return options;
  };
  universe a{system, join("a")};
  universe b{system, join("b")};
  check_pair(system, a, b);
}

BOOST_AUTO_TEST_CASE(listening_without_network_is_refused_with_a_reason) {
  app_config cfg;
  caf::actor_system system{cfg};
  BOOST_CHECK_EXCEPTION(
    (universe{system, options_of("a", "caf://127.0.0.1:0")}), exception,
    [](const exception& why) {
      std::string text = why.what();
      BOOST_TEST(text.find("no middleman") != std::string::npos, text);
      return why.code() == errc::invalid_argument;
    });
}

// CAF learns of both in one turn of its loop, and would keep the socket.
BOOST_AUTO_TEST_CASE(a_port_that_is_closed_as_it_is_opened_leaves_no_socket) {
  networked_app_config cfg;
  caf::actor_system system{cfg};
  std::set<std::string> ours;
  {
    held_up loop{system};
    {
      auto before = open_sockets();
      universe a{system, options_of("a", "caf://127.0.0.1:0")};
      ours = open_sockets();
      for (auto& each : before)
        ours.erase(each);
      BOOST_TEST(!ours.empty());
    }
    drain_middleman(system);
  }
  eventually([&] {
    auto open = open_sockets();
    return std::none_of(ours.begin(), ours.end(),
                        [&](auto& each) { return open.count(each) > 0; });
  });
}

BOOST_AUTO_TEST_CASE(peers_on_a_network_we_do_not_have_are_down) {
  app_config cfg;
  caf::actor_system system{cfg};
  lines said;
  auto options = options_of("a");
  options.verbosity = log_level::info;
  options.log_to = said.sink();
  universe a{system, std::move(options)};
  auto g = a.add_galaxy("things", 1 << 20, echo("a"));
  a.set_peers({{"b", "caf://127.0.0.1:9"}});
  eventually([&] { return state_of(a, "b") == peer_state::down; });
  BOOST_TEST(said.have("no middleman"));
  BOOST_TEST(get(system, g, "key") == "a has key");
}

BOOST_AUTO_TEST_CASE(a_system_may_go_while_peers_are_being_sought) {
  // Accepts, and says nothing: a peer is waited for as long as possible.
  auto silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(where);
  auto* address = reinterpret_cast<sockaddr*>(&where);
  BOOST_REQUIRE(bind(silent, address, size) == 0);
  BOOST_REQUIRE(listen(silent, 128) == 0);
  BOOST_REQUIRE(getsockname(silent, address, &size) == 0);
  auto uri = "caf://127.0.0.1:" + std::to_string(ntohs(where.sin_port));
  for (int i = 0; i < 20; ++i) {
    std::optional<universe> survivor;
    config cfg;
    caf::actor_system system{cfg};
    auto options = options_of("a");
    options.peers.reconnect_min = 1ms;
    options.peers.reconnect_max = 1ms;
    if (i % 2 == 0)
      survivor.emplace(system, std::move(options));
    else
      survivor = universe{system, std::move(options)};
    // Every other one is refused instead, so that there is more going on.
    survivor->set_peers({{"b", uri}, {"c", "caf://127.0.0.1:1"}});
    eventually([&] { return state_of(*survivor, "c") == peer_state::down; });
    if (i % 4 < 2)
      survivor.reset();
  }
  close(silent);
}

BOOST_AUTO_TEST_SUITE_END()
