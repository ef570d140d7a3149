// Peers that show each other certificates, and who comes to their ports without
// one that counts.

#include "fixtures/certificates.hpp"
#include "fixtures/ledger.hpp"
#include "fixtures/node.hpp"
#include "fixtures/tls_stranger.hpp"
#include "fixtures/waiting.hpp"

#include "galaxycache/actors/app_options.hpp"
#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/runtime/caf/connections.hpp"
#include "galaxycache/runtime/caf/tls_options.hpp"
#include "galaxycache/runtime/uri.hpp"

#include <caf/actor_system.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <thread>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

std::uint16_t port_of(const std::string& uri) {
  std::string why;
  return parse_uri(uri, why).value().port;
}

/// A ring of two.
struct ring_rig {
  ring_rig() {
    for (auto* x : {&left, &right})
      x->set_peers(ring);
    eventually([&] {
      return left.state_of("right") == "up" && right.state_of("left") == "up";
    });
  }

  /// Has one of them fetch from the other.
  static void check_fetch(node& from, const std::string& owner,
                          const std::string& key) {
    auto got = from.get(key);
    BOOST_TEST(got.code == errc::none, got.text);
    BOOST_TEST(got.owner == owner);
    BOOST_TEST((got.text == "value of " + key));
  }

  certificate_folder folder;
  tls_strangers strangers{folder};
  node left{"left", folder.issue("ring", "left")};
  node right{"right", folder.issue("ring", "right")};
  std::vector<peer_info> ring = ring_of({&left, &right});
};

struct system_rig {
  explicit system_rig(const tls_files& files = {}) {
    set_tls_files(cfg, files);
  }

  config cfg;
  std::optional<caf::actor_system> system;

  universe_options at(const std::string& listen) {
    if (!system)
      system.emplace(cfg);
    universe_options result;
    result.self = "self";
    result.listen = listen;
    result.verbosity = log_level::off;
    return result;
  }

  /// What is said about why a universe cannot listen there.
  std::string why_not(const std::string& listen) {
    auto options = at(listen);
    try {
      universe refused{*system, options};
    } catch (const exception& why) {
      BOOST_TEST(why.code() == errc::invalid_argument);
      return why.what();
    }
    return "it can";
  }
};

void check_says(const std::string& text, const std::string& words) {
  BOOST_TEST(text.find(words) != std::string::npos, text);
}

int highest_file_of(pid_t process) {
  auto result = -1;
  auto files = "/proc/" + std::to_string(process) + "/fd";
  for (auto& entry : std::filesystem::directory_iterator{files})
    result = std::max(result, std::stoi(entry.path().filename()));
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tls_peers)

// -- members ------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(members_fetch_from_each_other, ring_rig) {
  BOOST_TEST(left.uri().find("cafs://127.0.0.1:") == 0u);
  for (auto& key : keys_of(ring, "right", 50))
    check_fetch(left, "right", key);
  for (auto& key : keys_of(ring, "left", 50))
    check_fetch(right, "left", key);
  BOOST_TEST(left.loads() == 50u);
  // Of many records, there and back.
  for (auto& key : keys_of(ring, "right", 5, std::string(60'000, 'k')))
    check_fetch(left, "right", key);
  // CAF mixes connections up that have the lowest numbers.
  for (auto* x : {&left, &right})
    BOOST_TEST(highest_file_of(x->pid()) > 100);
}

BOOST_FIXTURE_TEST_CASE(a_member_that_dies_is_down_and_may_return, ring_rig) {
  right.kill();
  eventually([&] { return left.state_of("right") == "down"; });
  auto key = keys_of(ring, "right", 1).front();
  BOOST_TEST(left.get(key).text == "value of " + key);
  node again{"right", folder.issue("ring", "again")};
  ring = {ring[0], {"right", again.uri()}};
  again.set_peers(ring);
  left.set_peers(ring);
  eventually([&] { return left.state_of("right") == "up"; });
  for (auto& each : keys_of(ring, "right", 5, "again"))
    check_fetch(left, "right", each);
}

BOOST_FIXTURE_TEST_CASE(nodes_that_start_at_once_find_each_other, ring_rig) {
  for (int i = 0; i < 5; ++i) {
    node a{"a", folder.issue("ring", "a")};
    node b{"b", folder.issue("ring", "b")};
    node c{"c", folder.issue("ring", "c")};
    auto all = ring_of({&a, &b, &c});
    for (auto* x : {&a, &b, &c})
      x->set_peers(all);
    for (auto* x : {&a, &b, &c})
      for (auto* y : {&a, &b, &c})
        if (x != y)
          eventually([&] { return x->state_of(y->id()) == "up"; });
    for (auto& key : keys_of(all, "c", 3))
      check_fetch(a, "c", key);
  }
}

// OpenSSL must not be taken away from a thread that is in a handshake.
BOOST_FIXTURE_TEST_CASE(a_node_may_leave_while_it_connects, ring_rig) {
  auto files = folder.issue("ring", "guest");
  for (int i = 0; i < 60; ++i) {
    node guest{"guest", files};
    auto all = ring;
    all.push_back({"guest", guest.uri()});
    guest.set_peers(all);
    BOOST_TEST(guest.leave() == 0);
  }
}

// -- strangers ----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(strangers_are_kept_out_and_members_notice_nothing,
                        ring_rig) {
  // Once each, so that what OpenSSL allocates for good is there.
  for (std::size_t i = 0; i < manners; ++i) {
    auto how = static_cast<manner>(i);
    BOOST_TEST(!strangers.visit(how, port_of(right.uri())), to_string(how));
  }
  auto files = right.open_files();
  auto before = right.resident_bytes();
  std::atomic<std::size_t> let_in{0};
  std::atomic<std::size_t> peak{0};
  std::atomic<bool> over{false};
  std::vector<std::jthread> crowd;
  for (std::size_t n = 0; n < 2; ++n)
    crowd.emplace_back([&, n] {
      std::vector<tcp_socket> idle(200);
      auto port = port_of(right.uri());
      for (std::size_t i = 0; i < 1300; ++i) {
        let_in += strangers.visit(static_cast<manner>(i % manners), port);
        auto silent = n == 0 ? manner::says_nothing
                             : manner::sends_hello_and_waits;
        idle[i % idle.size()] = strangers.stay(silent, port);
        if (i % 100 == 0)
          peak = std::max(peak.load(), right.resident_bytes());
      }
      over = true;
    });
  std::size_t asked = 0;
  auto keys = keys_of(ring, "right", 20'000);
  for (auto& key : keys) {
    check_fetch(left, "right", key);
    if (++asked % 10 == 0 && over)
      break;
  }
  crowd.clear();
  BOOST_TEST(let_in == 0u);
  BOOST_TEST(asked >= 10u);
  BOOST_TEST(left.state_of("right") == "up");
  auto grown = std::max(peak.load(), right.resident_bytes())
               - std::min(before, peak.load());
  BOOST_TEST_MESSAGE("grown by " << grown / 1024 << " KiB, " << asked
                                 << " gets meanwhile");
  if (counts_memory)
    BOOST_TEST(grown < std::size_t{16} << 20);
  // Some may be looked at yet.
  eventually([&] { return right.open_files() <= files + 4; });
  check_says(right.log(), "refused 1 connection, from 127.0.0.1: ");
  // Who belongs to the ring gets in as before.
  node third{"third", folder.issue("ring", "third")};
  ring.push_back({"third", third.uri()});
  third.set_peers(ring);
  eventually([&] { return third.state_of("right") == "up"; });
}

BOOST_FIXTURE_TEST_CASE(a_full_porch_keeps_no_member_out_for_long, ring_rig) {
  std::vector<tcp_socket> idle;
  for (int i = 0; i < 400; ++i)
    idle.push_back(strangers.stay(manner::says_nothing, port_of(left.uri())));
  node third{"third", folder.issue("ring", "third")};
  third.set_peers({ring[0], {"third", third.uri()}});
  eventually([&] { return third.state_of("left") == "up"; });
}

BOOST_FIXTURE_TEST_CASE(a_member_of_another_ring_is_down, ring_rig) {
  node other{"other", folder.issue("another", "other"), temper::nervous};
  node member{"member", folder.issue("ring", "member"), temper::nervous};
  other.set_peers({{"other", other.uri()}, {"left", left.uri()}});
  member.set_peers({{"member", member.uri()}, {"other", other.uri()}});
  eventually([&] { return other.state_of("left") == "down"; });
  eventually([&] { return member.state_of("other") == "down"; });
  for (auto* x : {&other, &member})
    check_says(x->log(), "the certificate of the other end is refused");
}

BOOST_FIXTURE_TEST_CASE(plain_and_encrypted_do_not_mix, ring_rig) {
  node plain{"plain", temper::nervous};
  auto at = [](const std::string& scheme, const node& x) {
    return scheme + "://127.0.0.1:" + std::to_string(port_of(x.uri()));
  };
  plain.set_peers({{"plain", plain.uri()}, {"left", at("caf", left)}});
  eventually([&] { return plain.state_of("left") == "down"; });
  node member{"member", folder.issue("ring", "member"), temper::nervous};
  member.set_peers({{"member", member.uri()}, {"plain", at("cafs", plain)}});
  eventually([&] { return member.state_of("plain") == "down"; });
  check_says(member.log(), "TLS: ");
  auto key = keys_of(ring, "left", 1).front();
  check_fetch(right, "left", key);
}

// -- configuration ------------------------------------------------------------

BOOST_AUTO_TEST_CASE(without_certificates_nobody_starts) {
  const std::string prefix = tls_option_prefix;
  certificate_folder folder;
  auto good = folder.issue("ring", "self");
  check_says(system_rig{}.why_not("cafs://127.0.0.1:0"),
             "cafs://127.0.0.1: " + prefix + "certificate: is needed");
  auto files = good;
  files.key = "";
  check_says(system_rig{files}.why_not("cafs://127.0.0.1:0"),
             prefix + "key: is needed");
  files.key = folder.issue("ring", "other").key;
  check_says(system_rig{files}.why_not("cafs://127.0.0.1:0"), prefix + "key: ");
  files = folder.issue("ring", "late", {.ends = -std::chrono::minutes{1}});
  check_says(system_rig{files}.why_not("cafs://127.0.0.1:0"), "has expired");
  files = good;
  files.cafile = "";
  check_says(system_rig{files}.why_not("cafs://127.0.0.1:0"),
             prefix + "cafile: is needed");
  BOOST_TEST(system_rig{good}.why_not("cafs://127.0.0.1:0") == "it can");
}

BOOST_AUTO_TEST_CASE(without_certificates_nobody_has_such_peers) {
  system_rig rig;
  auto options = rig.at("");
  universe home{*rig.system, options};
  BOOST_CHECK_EXCEPTION(home.add_peer({"x", "cafs://127.0.0.1:9"}), exception,
                        [](const exception& why) {
                          check_says(why.what(), "certificate: is needed");
                          return why.code() == errc::invalid_argument;
                        });
  BOOST_TEST(home.peers().size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_open_network_is_used_with_certificates) {
  certificate_folder folder;
  system_rig rig{folder.issue("ring", "self")};
  auto options = rig.at("cafs://0.0.0.0:0");
  universe home{*rig.system, options};
  home.add_peer({"x", "cafs://192.0.2.1:4711"});
  BOOST_TEST(home.peers().size() == 2u);
}

BOOST_AUTO_TEST_CASE(certificates_come_from_the_command_line) {
  struct cli_config : config {
    void read(std::vector<std::string> words) {
      words.insert(words.begin(), "program");
      std::vector<char*> argv;
      for (auto& x : words)
        argv.push_back(x.data());
      auto failed = parse(static_cast<int>(argv.size()), argv.data());
      BOOST_TEST(!failed);
    }
  };
  cli_config cfg;
  auto option = [](const std::string& name) {
    return "--" + (tls_option_prefix + name) + "=" + name + ".x";
  };
  cfg.read({option("certificate"), option("key"), option("passphrase"),
            option("cafile"), option("capath")});
  auto files = tls_files_of(cfg);
  BOOST_TEST(files.certificate == "certificate.x");
  BOOST_TEST(files.key == "key.x");
  BOOST_TEST(files.passphrase == "passphrase.x");
  BOOST_TEST(files.cafile == "cafile.x");
  BOOST_TEST(files.capath == "capath.x");
}

BOOST_AUTO_TEST_CASE(an_address_with_tls_can_be_used_again_at_once) {
  certificate_folder folder;
  tls_strangers strangers{folder};
  system_rig rig{folder.issue("ring", "self")};
  auto options = rig.at("cafs://127.0.0.1:0");
  auto files = count_files("self");
  std::vector<tcp_socket> idle;
  for (int i = 0; i < 100; ++i) {
    universe home{*rig.system, options};
    options.listen = home.uri();
    idle.push_back(
      strangers.stay(manner::sends_hello_and_waits, port_of(home.uri())));
    home.stop(0s);
  }
  idle.clear();
  eventually([&] { return count_files("self") <= files; });
  // A system may go before its universe.
  universe last{*rig.system, options};
  auto guest = strangers.stay(manner::says_nothing, port_of(last.uri()));
  rig.system.reset();
  char c = 0;
  auto n = recv(guest.fd(), &c, 1, 0);
  BOOST_TEST((n == 0 || (n < 0 && errno == ECONNRESET)));
}

BOOST_AUTO_TEST_SUITE_END()
