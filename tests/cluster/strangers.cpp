// Who else may sit at an address: what they do must neither harm a node nor
// keep its gets waiting. All of it on the loopback interface.

#include "fixtures/forwarder.hpp"
#include "fixtures/ledger.hpp"
#include "fixtures/node.hpp"
#include "fixtures/waiting.hpp"

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/messages/wire.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/connections.hpp"
#include "galaxycache/runtime/random.hpp"
#include "galaxycache/runtime/uri.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor.hpp>
#include <caf/scoped_actor.hpp>

#include <boost/test/unit_test.hpp>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

// -- sockets ------------------------------------------------------------------

class file {
public:
  explicit file(int fd) : fd_(fd) {
    if (fd < 0)
      throw std::system_error{errno, std::generic_category()};
  }

  file(file&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {
    // nop
  }

  file& operator=(file&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  ~file() {
    if (fd_ >= 0)
      close(fd_);
  }

  int get() const noexcept {
    return fd_;
  }

private:
  int fd_;
};

file new_socket(int flags = 0) {
  return file{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)};
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  result.sin_port = htons(port);
  return result;
}

template <class Call>
int with_address(int fd, std::uint16_t port, Call call) {
  auto where = loopback(port);
  return call(fd, reinterpret_cast<const sockaddr*>(&where), sizeof(where));
}

std::uint16_t port_of(int fd) {
  sockaddr_in where{};
  socklen_t size = sizeof(where);
  getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size);
  return ntohs(where.sin_port);
}

std::string uri_of(std::uint16_t port) {
  return "caf://127.0.0.1:" + std::to_string(port);
}

file listening(int backlog = 128) {
  auto result = new_socket();
  if (with_address(result.get(), 0, bind) != 0
      || listen(result.get(), backlog) != 0)
    throw std::system_error{errno, std::generic_category()};
  return result;
}

/// Somebody who accepts connections and then does what he likes with them.
class stranger {
public:
  /// Says something to a visitor; returns whether it then stays connected.
  using conduct = std::function<bool(int visitor)>;

  explicit stranger(conduct f)
    : conduct_(std::move(f)),
      listener_(listening()),
      bell_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { run(); }) {
    // nop
  }

  ~stranger() {
    eventfd_write(bell_.get(), 1);
    thread_.join();
  }

  std::string uri() const {
    return uri_of(port_of(listener_.get()));
  }

  std::size_t visits() const {
    return visits_;
  }

  /// How many have been connected at the same time.
  std::size_t visitors_max() const {
    return visitors_max_;
  }

private:
  void run() {
    std::vector<file> visitors;
    for (;;) {
      std::vector<pollfd> waiting{{bell_.get(), POLLIN, 0},
                                  {listener_.get(), POLLIN, 0}};
      for (auto& x : visitors)
        waiting.push_back({x.get(), POLLIN, 0});
      poll(waiting.data(), waiting.size(), -1);
      if (waiting[0].revents != 0)
        return;
      for (auto i = visitors.size(); i-- > 0;) {
        char buffer[4096];
        if (waiting[i + 2].revents != 0
            && recv(visitors[i].get(), buffer, sizeof(buffer), 0) <= 0)
          visitors.erase(visitors.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (waiting[1].revents != 0) {
        file visitor{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (conduct_(visitor.get()))
          visitors.push_back(std::move(visitor));
        visitors_max_ = std::max(visitors_max_.load(), visitors.size());
        ++visits_;
      }
    }
  }

  conduct conduct_;
  file listener_;
  file bell_;
  std::atomic<std::size_t> visits_{0};
  std::atomic<std::size_t> visitors_max_{0};
  std::thread thread_;
};

void say(int visitor, std::string_view text) {
  send(visitor, text.data(), text.size(), MSG_NOSIGNAL);
}

/// Says the same to all and stays connected.
stranger::conduct saying(std::string text) {
  return [text](int visitor) {
    say(visitor, text);
    return true;
  };
}

/// Swallows all packets, as a host behind some firewalls does: nobody ever
/// hears whether he may connect.
struct black_hole {
  black_hole() {
    // The first fills the queue of those to be accepted.
    if (with_address(guest.get(), port_of(listener.get()), connect) != 0)
      throw std::system_error{errno, std::generic_category()};
  }

  std::string uri() const {
    return uri_of(port_of(listener.get()));
  }

  file listener = listening(0);
  file guest = new_socket();
};

/// What is said at an address to whoever connects, as far as it comes at once.
std::string first_said_at(const std::string& uri) {
  std::string why;
  auto where = parse_uri(uri, why).value();
  auto visitor = new_socket();
  if (with_address(visitor.get(), where.port, connect) != 0)
    throw std::system_error{errno, std::generic_category()};
  char buffer[4096];
  auto size = recv(visitor.get(), buffer, sizeof(buffer), 0);
  return {buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

// -- a node that meets strangers ----------------------------------------------

/// Does as it should although this is who sits at the address of peer x.
void check_is_unharmed(node& self, const std::string& uri) {
  std::vector<peer_info> ring{{"self", self.uri()}, {"x", uri}};
  self.set_peers(ring);
  static int meeting = 0;
  ++meeting;
  auto check_gets = [&](const std::string& when) {
    auto prefix = when + std::to_string(meeting) + "-";
    for (auto& key : keys_of(ring, "x", 2, prefix)) {
      auto got = self.get(key);
      BOOST_TEST(got.code == errc::none, got.text);
      BOOST_TEST(got.text == "value of " + key);
      BOOST_TEST(got.level == hit_level::backend);
    }
  };
  check_gets("early");
  eventually([&] { return self.state_of("x") == "down"; });
  check_gets("late");
}

/// Meets a stranger many times, and has no more files open afterwards.
void check_files(node& self, const stranger& whom, std::size_t visits) {
  auto many = whom.visits() + visits / 10;
  eventually([&] { return whom.visits() >= many; });
  auto files = self.open_files();
  many += visits;
  eventually([&] { return whom.visits() >= many; });
  // Some visits may be under way.
  BOOST_TEST(self.open_files() <= files + 8);
}

/// The highest number of a file that a process has open.
int highest_file_of(pid_t process) {
  auto result = -1;
  auto files = "/proc/" + std::to_string(process) + "/fd";
  for (auto& entry : std::filesystem::directory_iterator{files})
    result = std::max(result, std::stoi(entry.path().filename()));
  return result;
}

/// What the node has said about why its peer is down.
void check_log(node& self, const std::string& uri, const std::string& why) {
  auto text = self.log();
  auto at = text.find("peer x at " + uri);
  BOOST_REQUIRE_MESSAGE(at != std::string::npos, text);
  BOOST_TEST(text.find(why, at) != std::string::npos, text);
}

// -- strangers that speak CAF -------------------------------------------------

struct caf_rig {
  template <class Handle>
  std::string publish(const Handle& whom) {
    auto port = system.middleman().publish(whom, 0, "127.0.0.1");
    BOOST_REQUIRE(!!port);
    return uri_of(*port);
  }

  config cfg;
  caf::actor_system system{cfg};
};

/// A server that answers a message as `react` says.
using reaction = std::function<std::vector<frame>(const wire::message&)>;

caf::behavior hand_written_server(caf::event_based_actor* self,
                                  reaction react) {
  harden(self, [](std::exception_ptr&) {
    return make_error({errc::internal_error, ""});
  });
  return {[=](const frame& x) {
    auto message = wire::decode(x.header);
    auto to = caf::actor_cast<wire_actor>(self->current_sender());
    if (message)
      for (auto& each : react(*message))
        send_to(self, to, each);
  }};
}

frame frame_of(const wire::message& x, std::vector<value> bodies = {}) {
  return {wire::encode(x), std::move(bodies)};
}

wire::welcome welcome_to(const wire::hello& x) {
  wire::welcome result;
  result.id = x.to;
  result.to = x.id;
  result.incarnation = 1;
  result.attempt = x.attempt;
  return result;
}

/// A peer actor without manners: sends what it is told to.
class caller {
public:
  caller(caf::actor_system& system, const std::string& uri)
    : actor_(system.spawn<caf::hidden>(behave, heard_, dial(system, uri))) {
    // nop
  }

  ~caller() {
    caf::anon_send_exit(actor_, caf::exit_reason::kill);
  }

  caller(const caller&) = delete;
  caller& operator=(const caller&) = delete;

  void say(frame x) {
    post(actor_, put_atom_v, std::move(x));
  }

  void say(const wire::message& x) {
    say(frame_of(x));
  }

  /// Sends the server what only its own universe may, signed and not.
  void order_stop() {
    post(actor_, stop_atom_v);
  }

  void greet(const std::string& to, std::uint64_t features = 0) {
    wire::hello hello;
    hello.features = features;
    hello.id = "caller";
    hello.to = to;
    say(hello);
    eventually([&] { return heard<wire::welcome>().size() > 0; });
  }

  /// All that was said before has been heard, and the server is well.
  void await_pong() {
    auto number = ++pings_;
    say(wire::ping{number});
    eventually([&] {
      auto pongs = heard<wire::pong>();
      return !pongs.empty() && pongs.back().number == number;
    });
  }

  /// The messages of this kind so far.
  template <class T>
  std::vector<T> heard() const {
    std::lock_guard guard{heard_->mutex};
    std::vector<T> result;
    for (auto& x : heard_->messages)
      if (auto* y = std::get_if<T>(&x))
        result.push_back(*y);
    return result;
  }

  std::vector<wire::fetched_item> answers() const {
    std::vector<wire::fetched_item> result;
    for (auto& batch : heard<wire::fetched_batch>())
      result.insert(result.end(), batch.fetched.begin(), batch.fetched.end());
    return result;
  }

private:
  struct record {
    std::mutex mutex;
    std::vector<wire::message> messages;
  };

  static wire_actor dial(caf::actor_system& system, const std::string& uri) {
    std::string why;
    auto where = parse_uri(uri, why).value();
    wire_actor result;
    caf::scoped_actor self{system};
    request_within(self.ptr(), system.middleman().actor_handle(),
                   caf::timespan{patience}, caf::connect_atom_v, where.host,
                   where.port)
      .receive(
        [&](caf::node_id&, caf::strong_actor_ptr& server,
            std::set<std::string>&) {
          result = caf::actor_cast<wire_actor>(server);
        },
        [](const caf::error& why) { BOOST_FAIL(describe(why)); });
    return result;
  }

  static caf::behavior behave(caf::event_based_actor* self,
                              std::shared_ptr<record> heard,
                              wire_actor server) {
    return {
      [=](const frame& x) {
        std::lock_guard guard{heard->mutex};
        if (auto message = wire::decode(x.header))
          heard->messages.push_back(*message);
      },
      [=](put_atom, frame& x) { send_to(self, server, std::move(x)); },
      [=](stop_atom) {
        auto anybody = caf::actor_cast<caf::actor>(server);
        send_to(self, anybody, stop_atom_v);
        post(anybody, stop_atom_v);
        send_to(self, anybody, drain_atom_v);
      },
    };
  }

  std::shared_ptr<record> heard_ = std::make_shared<record>();
  std::uint64_t pings_ = 0;
  caf::actor actor_;
};

wire::fetch_item fetch_of(std::uint64_t id, std::string key) {
  return {id, 0, std::move(key), fetch_mode::no_peer_backend, patience, false};
}

/// The addresses on which somebody of this machine listens at a port, as the
/// kernel writes them.
std::set<std::string> listening_at(std::uint16_t port) {
  std::set<std::string> result;
  for (auto* name : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in{name};
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
      std::istringstream fields{line};
      std::string number, local, remote, state;
      fields >> number >> local >> remote >> state;
      auto colon = local.find(':');
      if (state == "0A"
          && std::stoul(local.substr(colon + 1), nullptr, 16) == port)
        result.insert(local.substr(0, colon));
    }
  }
  return result;
}

universe_options options_of(std::string self, std::string listen) {
  universe_options result;
  result.self = std::move(self);
  result.listen = std::move(listen);
  result.verbosity = log_level::off;
  return result;
}

/// The exception that a universe with this address throws.
void check_refused(caf::actor_system& system, const std::string& listen,
                   errc code, const std::string& words) {
  auto expected = [&](const exception& why) {
    BOOST_TEST(why.code() == code);
    std::string text = why.what();
    BOOST_TEST(text.find(listen) != std::string::npos, text);
    BOOST_TEST(text.find(words) != std::string::npos, text);
    return true;
  };
  BOOST_CHECK_EXCEPTION((universe{system, options_of("self", listen)}),
                        exception, expected);
}

/// Asks a node for 50 MB at once and reads nothing of it, until a while later.
/// Returns how many of the thousand answers come then.
std::size_t ask_and_do_not_read(caf_rig& rig, std::uint64_t features) {
  constexpr std::size_t fetches = 1000;
  constexpr std::size_t in_a_batch = 16; // which have a bound
  const std::string key(50'000, 'k');
  node self{"self"};
  forwarder links;
  auto way = links.open();
  std::string why;
  links.aim(way, parse_uri(self.uri(), why)->port);
  caller slow{rig.system, uri_of(links.port_of(way))};
  slow.greet("self", features);
  self.hold();
  for (std::size_t id = 1; id <= fetches;) {
    wire::fetch_batch batch;
    batch.galaxies = {"things"};
    for (std::size_t i = 0; i < in_a_batch && id <= fetches; ++i, ++id)
      batch.fetches.push_back(fetch_of(id, key));
    slow.say(batch);
  }
  slow.await_pong();
  eventually([&] { return self.held() == 1; });
  links.hold(way);
  auto before = self.resident_bytes();
  self.release();
  // A get of its own comes after all of them.
  BOOST_TEST(self.get(key).text.size() > key.size());
  BOOST_TEST(self.get("another").code == errc::none);
  std::this_thread::sleep_for(300ms);
  auto now = self.resident_bytes();
  auto grown = now - std::min(now, before);
  BOOST_TEST_MESSAGE("grown by " << grown / 1024 << " KiB");
  if (counts_memory)
    BOOST_TEST(grown < std::size_t{16} << 20);
  links.mend(way);
  std::size_t answers = 0;
  eventually([&] {
    slow.await_pong();
    auto last = std::exchange(answers, slow.answers().size());
    return answers != 0 && answers == last;
  });
  return answers;
}

} // namespace

BOOST_AUTO_TEST_SUITE(strangers)

// -- where to listen ----------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(an_address_in_use_is_refused_by_name, caf_rig) {
  auto taken = listening();
  check_refused(system, uri_of(port_of(taken.get())), errc::address_in_use,
                "choose another port");
  universe other{system, options_of("other", "caf://127.0.0.1:0")};
  check_refused(system, other.uri(), errc::address_in_use,
                "choose another port");
}

BOOST_FIXTURE_TEST_CASE(an_address_of_another_machine_is_no_address_in_use,
                        caf_rig) {
  auto options = options_of("self", "caf://192.0.2.1:4711");
  options.insecure = true;
  BOOST_CHECK_EXCEPTION((universe{system, options}), exception,
                        [](const exception& why) {
                          std::string text = why.what();
                          BOOST_TEST(text.find("cannot listen") == 0u, text);
                          return why.code() == errc::invalid_argument;
                        });
}

BOOST_FIXTURE_TEST_CASE(an_open_network_is_used_only_if_told_to, caf_rig) {
  for (auto* text :
       {"caf://0.0.0.0:4711", "caf://[::]:4711", "caf://192.0.2.1:4711"})
    check_refused(system, text, errc::invalid_argument,
                  "--galaxycache.insecure");
  universe careful{system, options_of("careful", "caf://127.0.0.1:0")};
  const peer_info far{"far", "caf://192.0.2.1:4711", 1};
  BOOST_CHECK_EXCEPTION(careful.add_peer(far), exception,
                        [](const exception& why) {
                          return why.code() == errc::invalid_argument;
                        });
  BOOST_TEST(careful.peers().size() == 1u); // itself
  auto options = options_of("bold", "caf://0.0.0.0:0");
  options.insecure = true;
  universe bold{system, options};
  bold.add_peer(far);
  BOOST_TEST(bold.peers().size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(what_is_no_address_is_refused, caf_rig) {
  for (auto* text : {"caf://", "127.0.0.1:http", "caf://127.0.0.1:65536",
                     "caf://[::1:80", "caf://a b:1", "CAF://127.0.0.1:1",
                     "://127.0.0.1:1", "caf://127.0.0.1:-1"})
    check_refused(system, text, errc::invalid_argument, "no peer address");
  check_refused(system, "smoke://127.0.0.1:1", errc::invalid_argument,
                "no transport");
  universe home{system, options_of("self", "")};
  home.add_peer({"good", "caf://127.0.0.1:9"});
  for (auto* text : {"", "caf://", "caf://127.0.0.1:x", "smoke://127.0.0.1:1"})
    BOOST_CHECK_EXCEPTION(home.set_peers(
                            {{"other", "caf://127.0.0.1:9"}, {"bad", text}}),
                          exception, [](const exception& why) {
                            return why.code() == errc::invalid_argument;
                          });
  std::set<std::string> ids;
  for (auto& x : home.peers())
    ids.insert(x.info.id);
  BOOST_TEST((ids == std::set<std::string>{"self", "good"}));
}

BOOST_FIXTURE_TEST_CASE(nobody_listens_on_more_than_he_was_told, caf_rig) {
  universe home{system, options_of("self", "caf://127.0.0.1:0")};
  std::string why;
  auto where = parse_uri(home.uri(), why);
  BOOST_REQUIRE(where.has_value());
  BOOST_TEST(where->port != 0);
  BOOST_TEST((listening_at(where->port) == std::set<std::string>{"0100007F"}));
}

BOOST_FIXTURE_TEST_CASE(an_address_can_be_used_again_at_once, caf_rig) {
  auto files = count_files("self");
  std::string where = "caf://127.0.0.1:0";
  for (int i = 0; i < 200; ++i) {
    universe home{system, options_of("self", where)};
    where = home.uri();
    // One that CAF does not serve yet when it stops may cost a file for good.
    BOOST_TEST(!first_said_at(where).empty());
    home.stop(0s);
  }
  std::string why;
  auto port = parse_uri(where, why)->port;
  eventually([&] { return listening_at(port).empty(); });
  // CAF is a little slower to give back its files.
  eventually([&] { return count_files("self") <= files; });
}

// -- whom to connect to -------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_address_where_nobody_listens_is_a_peer_down) {
  node self{"self", temper::nervous};
  auto where = uri_of(port_of(listening().get()));
  check_is_unharmed(self, where);
  check_log(self, where, "Connection refused");
}

BOOST_AUTO_TEST_CASE(one_that_says_nothing_is_a_peer_down) {
  node self{"self", temper::nervous};
  stranger silent{saying("")};
  check_is_unharmed(self, silent.uri());
  check_log(self, silent.uri(), "is down: ");
  check_files(self, silent, 3);
  // An attempt that is given up before it fails is not followed by another.
  BOOST_TEST(silent.visitors_max() == 1u);
}

BOOST_AUTO_TEST_CASE(one_that_closes_at_once_is_a_peer_down) {
  node self{"self", temper::nervous};
  stranger shy{[](int) { return false; }};
  check_is_unharmed(self, shy.uri());
  check_log(self, shy.uri(), "is down: ");
  check_files(self, shy, 100);
}

BOOST_AUTO_TEST_CASE(one_that_sends_random_bytes_is_a_peer_down) {
  node self{"self", temper::nervous};
  random_source random{4};
  stranger mad{[&](int visitor) {
    std::string text(random.below(2000), '\0');
    for (auto& c : text)
      c = static_cast<char>(random.next());
    say(visitor, text);
    return random.below(2) == 0;
  }};
  check_is_unharmed(self, mad.uri());
  check_files(self, mad, 100);
  BOOST_TEST(self.state_of("x") == "down");
}

BOOST_AUTO_TEST_CASE(one_that_sends_almost_what_caf_does_is_a_peer_down) {
  node self{"self", temper::nervous};
  random_source random{5};
  // Headers of which most bytes are zero, as those of CAF's messages are, and
  // some announce large payloads.
  stranger sly{[&](int visitor) {
    std::string text(32 + random.below(64), '\0');
    text[0] = static_cast<char>(random.below(8));
    for (auto i = random.below(8); i > 0; --i)
      text[random.below(text.size())] = static_cast<char>(random.next());
    say(visitor, text);
    return random.below(2) == 0;
  }};
  check_is_unharmed(self, sly.uri());
  check_files(self, sly, 100);
  BOOST_TEST(self.state_of("x") == "down");
}

BOOST_AUTO_TEST_CASE(one_that_begins_as_caf_does_and_errs_is_a_peer_down) {
  node self{"self", temper::nervous};
  node other{"other"};
  auto genuine = first_said_at(other.uri());
  BOOST_REQUIRE(genuine.size() > 40u);
  random_source random{8};
  // Whole handshakes of somebody else, halves of them, and some with errors.
  stranger forger{[&](int visitor) {
    auto text = genuine;
    for (auto errors = random.below(3); errors > 0; --errors)
      text[random.below(text.size())] ^= static_cast<char>(1
                                                           << random.below(8));
    if (random.below(2) == 0)
      text.resize(random.below(text.size()));
    say(visitor, text);
    return random.below(2) == 0;
  }};
  check_is_unharmed(self, forger.uri());
  check_files(self, forger, 10);
  BOOST_TEST(self.state_of("x") == "down");
}

BOOST_AUTO_TEST_CASE(who_begins_as_caf_does_is_talked_to_on_that_connection) {
  node self{"self"};
  node other{"other"};
  std::atomic<bool> heard{false};
  stranger twin{[&, words = first_said_at(other.uri())](int visitor) {
    say(visitor, words);
    char c = 0;
    heard = recv(visitor, &c, 1, 0) == 1;
    return true;
  }};
  self.set_peers({{"self", self.uri()}, {"x", twin.uri()}});
  // A visit counts when it is over, which is after something was heard.
  const auto visits = takes_connections ? 1u : 2u;
  eventually([&] { return heard && twin.visits() >= visits; });
  BOOST_TEST(twin.visits() == visits);
}

// CAF mixes connections up when one ends and the next gets its number at once.
BOOST_AUTO_TEST_CASE(connections_do_not_get_the_lowest_numbers) {
  node self{"self"};
  node other{"other"};
  self.set_peers({{"self", self.uri()}, {"other", other.uri()}});
  eventually([&] { return self.state_of("other") == "up"; });
  // Each has well under a hundred files open.
  if (takes_connections)
    BOOST_TEST(highest_file_of(self.pid()) > 100);
  BOOST_TEST(highest_file_of(other.pid()) > 100);
}

BOOST_AUTO_TEST_CASE(servers_of_other_protocols_are_peers_down) {
  node self{"self", temper::nervous};
  for (auto* text :
       {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        "220 mail.example.org ESMTP ready and glad to be of service\r\n"}) {
    stranger other{saying(text)};
    check_is_unharmed(self, other.uri());
    check_log(self, other.uri(), "is down: ");
    check_files(self, other, 20);
  }
}

BOOST_AUTO_TEST_CASE(an_address_that_swallows_packets_holds_up_nobody) {
  node self{"self"};
  node good{"good"};
  black_hole hole;
  auto own = ring_of({&self, &good});
  good.set_peers(own);
  int round = 0;
  // Unless the machine is slow, the first round will do.
  eventually([&] {
    auto bad = "bad" + std::to_string(++round) + "-";
    std::vector<peer_info> ring{own[0]};
    for (int i = 0; i < 8; ++i)
      ring.push_back({bad + std::to_string(i), hole.uri()});
    self.set_peers(ring);
    ring.push_back(own[1]);
    self.set_peers(ring);
    eventually([&] { return self.state_of("good") == "up"; });
    return self.state_of(bad + "0") == "connecting";
  });
  check_is_unharmed(self, hole.uri());
  check_log(self, hole.uri(), "Connection timed out");
}

// -- strangers that speak CAF -------------------------------------------------

BOOST_FIXTURE_TEST_CASE(an_actor_that_is_no_server_is_a_peer_down, caf_rig) {
  node self{"self", temper::nervous};
  auto deaf = system.spawn([](caf::event_based_actor* me) -> caf::behavior {
    harden(me, [](std::exception_ptr&) {
      return make_error({errc::internal_error, ""});
    });
    return {[](const std::string& x) { return x; }};
  });
  auto rude = system.spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](const std::string& x) { return x; }};
  });
  auto weak = system.spawn([](caf::event_based_actor* me) -> caf::behavior {
    return {[me](const frame&) { me->quit(); }};
  });
  for (auto& whom : {deaf, rude, weak}) {
    auto where = publish(whom);
    check_is_unharmed(self, where);
    check_log(self, where, "is down: ");
  }
  for (auto& whom : {deaf, rude, weak})
    caf::anon_send_exit(whom, caf::exit_reason::kill);
}

BOOST_FIXTURE_TEST_CASE(a_node_that_publishes_nobody_is_a_peer_down, caf_rig) {
  node self{"self", temper::nervous};
  auto port = system.middleman().open(0, "127.0.0.1");
  BOOST_REQUIRE(!!port);
  auto where = uri_of(*port);
  check_is_unharmed(self, where);
  check_log(self, where, "no server is published");
}

BOOST_FIXTURE_TEST_CASE(a_peer_of_a_newer_protocol_is_down, caf_rig) {
  node self{"self", temper::nervous};
  auto server
    = system.spawn(hand_written_server,
                   reaction{[](const wire::message& x) -> std::vector<frame> {
                     if (auto* hello = std::get_if<wire::hello>(&x)) {
                       auto welcome = welcome_to(*hello);
                       welcome.version = 100;
                       welcome.oldest_version = 99;
                       return {frame_of(welcome)};
                     }
                     return {};
                   }});
  auto where = publish(server);
  check_is_unharmed(self, where);
  check_log(self, where, "speaks another version of the protocol: 100");
  caf::anon_send_exit(server, caf::exit_reason::kill);
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_is_somebody_else_is_down, caf_rig) {
  node self{"self", temper::nervous};
  node other{"other", temper::nervous};
  check_is_unharmed(self, other.uri());
  check_log(self, other.uri(), "says that it is 'other'");
  check_is_unharmed(self, self.uri());
  check_log(self, self.uri(), "says that it is 'self'");
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_answers_nonsense_is_not_waited_for,
                        caf_rig) {
  node self{"self"};
  random_source random{6};
  std::atomic<int> fetches{0};
  auto server = system.spawn(
    hand_written_server,
    reaction{[&](const wire::message& x) -> std::vector<frame> {
      if (auto* hello = std::get_if<wire::hello>(&x))
        return {frame{"garbage", {}}, frame_of(wire::fetched_batch{}),
                frame_of(wire::pong{1}), frame_of(welcome_to(*hello)),
                frame_of(welcome_to(*hello))};
      if (auto* ping = std::get_if<wire::ping>(&x))
        return {frame_of(wire::pong{ping->number})};
      auto* batch = std::get_if<wire::fetch_batch>(&x);
      if (!batch)
        return {};
      std::vector<frame> result;
      for (auto& item : batch->fetches) {
        ++fetches;
        wire::fetched_batch answers;
        // Nobody asked for those.
        answers.fetched.push_back(
          {item.id + 1000, errc::none, "", 0, never_expires});
        // No such body; twice.
        for (int i = 0; i < 2; ++i)
          answers.fetched.push_back(
            {item.id, errc::none, "", 7 + 100'000 * (i + 1u), never_expires});
        result.push_back(frame_of(answers, {value::copy("wrong")}));
        result.push_back(frame{std::string(100, '\xff'), {}});
      }
      return result;
    }});
  std::vector<peer_info> ring{{"self", self.uri()}, {"x", publish(server)}};
  self.set_peers(ring);
  eventually([&] { return self.state_of("x") == "up"; });
  for (auto& key : keys_of(ring, "x", 20)) {
    auto got = self.get(key);
    BOOST_TEST(got.code == errc::none, got.text);
    BOOST_TEST(got.text == "value of " + key);
    BOOST_TEST(got.level == hit_level::backend);
  }
  BOOST_TEST(fetches >= 20);
  BOOST_TEST(self.state_of("x") == "up");
  caf::anon_send_exit(server, caf::exit_reason::kill);
}

BOOST_FIXTURE_TEST_CASE(a_hello_that_gets_lost_is_said_again, caf_rig) {
  node self{"self"};
  std::vector<std::uint64_t> attempts;
  auto server = system.spawn(
    hand_written_server,
    reaction{[&](const wire::message& x) -> std::vector<frame> {
      auto* hello = std::get_if<wire::hello>(&x);
      if (!hello)
        return {};
      attempts.push_back(hello->attempt);
      if (attempts.size() < 3)
        return {};
      return {frame_of(welcome_to(*hello)), frame_of(welcome_to(*hello))};
    }});
  self.set_peers({{"self", self.uri()}, {"x", publish(server)}});
  eventually([&] { return self.state_of("x") == "up"; });
  // All on one connection: losing a hello is not losing a peer.
  BOOST_TEST(attempts.size() == 3u);
  BOOST_TEST(attempts.front() == attempts.back());
  caf::anon_send_exit(server, caf::exit_reason::kill);
}

BOOST_FIXTURE_TEST_CASE(odd_dates_and_codes_in_answers_do_no_harm, caf_rig) {
  node self{"self"};
  std::atomic<std::size_t> next{0};
  auto server = system.spawn(
    hand_written_server,
    reaction{[&](const wire::message& x) -> std::vector<frame> {
      if (auto* hello = std::get_if<wire::hello>(&x))
        return {frame_of(welcome_to(*hello))};
      auto* batch = std::get_if<wire::fetch_batch>(&x);
      if (!batch)
        return {};
      constexpr wall_time dates[] = {wall_time::min(), wall_time::max(),
                                     wall_time{-1ns}, wall_time{1ns},
                                     wall_time::min() + 1ns};
      wire::fetched_batch answers;
      for (auto& item : batch->fetches) {
        auto n = next++;
        answers.fetched.push_back(
          {item.id, static_cast<errc>(n % 2 == 0 ? 0 : n * 7),
           std::string(1000, '\n'), 0, dates[n / 2 % std::size(dates)]});
      }
      return {frame_of(answers, {value::copy("theirs")})};
    }});
  std::vector<peer_info> ring{{"self", self.uri()}, {"x", publish(server)}};
  self.set_peers(ring);
  eventually([&] { return self.state_of("x") == "up"; });
  for (auto& key : keys_of(ring, "x", 30)) {
    auto got = self.get(key);
    // Some other codes say that there is no such key.
    if (got.code == errc::none && got.level != hit_level::miss)
      BOOST_TEST((got.text == "theirs" || got.text == "value of " + key));
  }
  auto own = keys_of(ring, "self", 1).front();
  BOOST_TEST(self.get(own).text == "value of " + own);
  caf::anon_send_exit(server, caf::exit_reason::kill);
}

// -- callers without manners --------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_server_takes_any_frame, caf_rig) {
  node self{"self"};
  caller rude{system, self.uri()};
  random_source random{7};
  auto nonsense = [&] {
    for (int i = 0; i < 200; ++i) {
      std::string header(random.below(100), '\0');
      for (auto& c : header)
        c = static_cast<char>(random.next());
      rude.say(frame{header, {value::copy(header), value{}}});
    }
    rude.say(frame{"", {}});
    rude.say(frame{std::string(1 << 20, '\x0a'), {}});
    rude.say(frame{"", std::vector<value>(1000)});
    rude.say(wire::unknown{});
    rude.say(wire::welcome{});
    rude.say(wire::pong{});
    wire::fetched_batch answers;
    answers.fetched.resize(100);
    rude.say(answers);
  };
  nonsense();
  rude.say(wire::goodbye{});
  rude.greet("self");
  nonsense();
  rude.await_pong();
  // One that leaves is not answered any more, until it greets again.
  rude.say(wire::goodbye{});
  rude.say(wire::ping{77});
  rude.greet("self");
  rude.await_pong();
  for (auto& x : rude.heard<wire::pong>())
    BOOST_TEST(x.number != 77u);
  BOOST_TEST(self.get("key").code == errc::none);
}

BOOST_FIXTURE_TEST_CASE(whoever_does_not_greet_gets_nothing, caf_rig) {
  node self{"self"};
  caller rude{system, self.uri()};
  wire::fetch_batch batch;
  batch.galaxies = {"things"};
  batch.fetches.push_back(fetch_of(1, "not greeted"));
  rude.say(batch);
  // Nor does who takes the server for somebody else, or is too new for it.
  wire::hello hello;
  hello.id = "caller";
  hello.to = "somebody else";
  rude.say(hello);
  rude.say(batch);
  hello.to = "self";
  hello.version = 100;
  hello.oldest_version = 99;
  rude.say(hello);
  rude.say(batch);
  eventually([&] { return rude.heard<wire::welcome>().size() == 2; });
  rude.greet("self");
  rude.await_pong();
  BOOST_TEST(rude.answers().empty());
  BOOST_TEST(self.loads() == 0u);
}

BOOST_FIXTURE_TEST_CASE(every_fetch_of_many_batches_is_answered_once, caf_rig) {
  node self{"self"};
  caller rude{system, self.uri()};
  rude.greet("self");
  constexpr std::size_t count = 10 * wire::batch_items_max;
  wire::fetch_batch batch;
  batch.galaxies = {"things"};
  for (std::size_t i = 0; i < count; ++i) {
    batch.fetches.push_back(fetch_of(i, "key" + std::to_string(i)));
    if (batch.fetches.size() == wire::batch_items_max) {
      rude.say(batch);
      batch.fetches.clear();
    }
  }
  eventually([&] { return rude.answers().size() >= count; });
  rude.await_pong();
  std::set<std::uint64_t> ids;
  for (auto& x : rude.answers()) {
    BOOST_TEST(x.code == errc::none);
    ids.insert(x.id);
  }
  BOOST_TEST(ids.size() == count);
  BOOST_TEST(rude.answers().size() == count);
}

BOOST_FIXTURE_TEST_CASE(a_batch_larger_than_may_be_is_no_message, caf_rig) {
  node self{"self"};
  caller rude{system, self.uri()};
  rude.greet("self");
  wire::fetch_batch batch;
  batch.galaxies = {"things"};
  for (std::size_t i = 0; i <= wire::batch_items_max; ++i)
    batch.fetches.push_back(fetch_of(i, "k"));
  rude.say(batch);
  rude.await_pong();
  BOOST_TEST(rude.answers().empty());
  BOOST_TEST(self.loads() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_stranger_cannot_stop_a_universe, caf_rig) {
  node self{"self"};
  caller rude{system, self.uri()};
  rude.greet("self");
  rude.order_stop();
  rude.await_pong();
  BOOST_TEST(self.get("key").code == errc::none);
  // Nor does it count how often somebody comes and goes.
  for (int i = 0; i < 100; ++i) {
    rude.say(wire::goodbye{});
    rude.greet("self");
  }
  rude.await_pong();
}

BOOST_FIXTURE_TEST_CASE(odd_fetches_are_answered_all_the_same, caf_rig) {
  node self{"self"};
  caller rude{system, self.uri()};
  rude.greet("self");
  wire::fetch_batch batch;
  batch.galaxies = {"things", "no such galaxy", std::string(1 << 20, 'x'),
                    std::string{"\0\xff", 2}, ""};
  batch.fetches.push_back(fetch_of(0, "plain"));
  batch.fetches.push_back(fetch_of(1, ""));
  batch.fetches.push_back(fetch_of(2, std::string{"\0\xff\n", 3}));
  batch.fetches.push_back(fetch_of(3, std::string(64 * 1024, 'k')));
  batch.fetches.push_back(fetch_of(4, std::string(64 * 1024 + 1, 'k')));
  batch.fetches.push_back(fetch_of(5, "used up"));
  batch.fetches.back().budget = 0s;
  batch.fetches.push_back(fetch_of(6, "a year"));
  batch.fetches.back().budget = std::chrono::hours{24 * 365};
  batch.fetches.push_back(fetch_of(7, "forever"));
  batch.fetches.back().budget = std::chrono::nanoseconds::max();
  batch.fetches.push_back(fetch_of(8, "peek"));
  batch.fetches.back().mode = fetch_mode::peek;
  batch.fetches.back().budget = std::chrono::nanoseconds::max();
  batch.fetches.push_back(fetch_of(9, "regular"));
  batch.fetches.back().mode = fetch_mode::regular;
  batch.fetches.push_back(fetch_of(10, "unknown mode"));
  batch.fetches.back().mode = static_cast<fetch_mode>(77);
  for (std::uint32_t galaxy = 1; galaxy < 5; ++galaxy) {
    batch.fetches.push_back(fetch_of(10 + galaxy, "elsewhere"));
    batch.fetches.back().galaxy = galaxy;
  }
  auto count = batch.fetches.size();
  rude.say(batch);
  eventually([&] { return rude.answers().size() >= count; });
  rude.await_pong();
  std::map<std::uint64_t, errc> codes;
  for (auto& x : rude.answers())
    codes[x.id] = x.code;
  BOOST_TEST(codes.size() == count);
  for (std::uint64_t id : {0, 1, 2, 3, 6, 7, 9, 10})
    BOOST_TEST(codes[id] == errc::none, "fetch " << id);
  BOOST_TEST(codes[4] == errc::key_too_long);
  BOOST_TEST(codes[5] == errc::deadline_exceeded);
  BOOST_TEST(codes[8] == errc::not_found);
  for (std::uint64_t id : {11, 12, 13, 14})
    BOOST_TEST(codes[id] == errc::unknown_galaxy);
}

BOOST_FIXTURE_TEST_CASE(a_batch_with_bad_galaxy_numbers_is_dropped, caf_rig) {
  node self{"self"};
  caller rude{system, self.uri()};
  rude.greet("self");
  for (std::uint32_t galaxy : {1u, 1000u, ~0u}) {
    wire::fetch_batch batch;
    batch.galaxies = {"things"};
    batch.fetches.push_back(fetch_of(1, "good"));
    batch.fetches.push_back(fetch_of(2, "bad"));
    batch.fetches.back().galaxy = galaxy;
    rude.say(batch);
  }
  rude.await_pong();
  BOOST_TEST(rude.answers().empty());
}

BOOST_FIXTURE_TEST_CASE(connections_that_say_nothing_do_not_stop_a_server,
                        caf_rig) {
  node self{"self"};
  std::string why;
  auto port = parse_uri(self.uri(), why)->port;
  std::vector<file> idle;
  for (int i = 0; i < 50; ++i) {
    idle.push_back(new_socket());
    BOOST_REQUIRE(with_address(idle.back().get(), port, connect) == 0);
  }
  caller polite{system, self.uri()};
  polite.greet("self");
  polite.await_pong();
  auto files = self.open_files();
  idle.clear();
  eventually([&] { return self.open_files() <= files - 50; });
  polite.await_pong();
}

BOOST_FIXTURE_TEST_CASE(one_that_does_not_read_is_sent_a_window_and_no_more,
                        caf_rig) {
  // It never says that it has taken any: twice a window, and what waits is
  // dropped when nobody waits for it any more.
  const peer_options standard;
  auto answers = ask_and_do_not_read(*this, wire::feature_pieces);
  BOOST_TEST(answers >= 1u);
  BOOST_TEST(answers <= 2 * standard.window_bytes / 50'000 + 2);
}

BOOST_FIXTURE_TEST_CASE(nor_is_one_that_knows_no_windows, caf_rig) {
  // CAF says for it what it has taken.
  BOOST_TEST(ask_and_do_not_read(*this, 0) == 1000u);
}

BOOST_AUTO_TEST_SUITE_END()
