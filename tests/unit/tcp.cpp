#include "galaxycache/runtime/tcp.hpp"

#include <boost/test/unit_test.hpp>
#include <poll.h>
#include <sys/socket.h>

#include <set>
#include <string>
#include <thread>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 10s;

tcp_socket open_door() {
  auto door = listen_at("127.0.0.1", 0);
  BOOST_REQUIRE(std::holds_alternative<tcp_socket>(door));
  return std::move(std::get<tcp_socket>(door));
}

/// Whoever has connected by now.
tcp_socket accept_at(const tcp_socket& door) {
  return tcp_socket{accept(door.fd(), nullptr, nullptr)};
}

first_words expecting(const std::string& words) {
  return {words.size(), [words](std::string_view heard) {
            return heard == words ? std::string{} : "a stranger";
          }};
}

errc error_of(const std::variant<tcp_socket, failure>& x) {
  auto* why = std::get_if<failure>(&x);
  return why ? why->code : errc::none;
}

/// Says something to the first who connects, and closes the connection once he
/// has sent something or closed it.
class speaker {
public:
  speaker(const tcp_socket& door, std::string words)
    : thread_([&door, words = std::move(words)] {
        pollfd waiting{door.fd(), POLLIN, 0};
        poll(&waiting, 1, -1);
        auto line = accept_at(door);
        send(line.fd(), words.data(), words.size(), MSG_NOSIGNAL);
        shutdown(line.fd(), SHUT_WR);
        char c = 0;
        recv(line.fd(), &c, 1, 0);
      }) {
    // nop
  }

private:
  std::jthread thread_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(tcp)

BOOST_AUTO_TEST_CASE(whoever_listens_is_connected_to) {
  auto door = open_door();
  auto port = local_port(door);
  BOOST_TEST(port != 0);
  auto line = connect_to("127.0.0.1", port, patience);
  BOOST_TEST((error_of(line) == errc::none));
  BOOST_TEST(accept_at(door).fd() >= 0);
}

BOOST_AUTO_TEST_CASE(a_port_where_nobody_listens_is_refused) {
  std::uint16_t port = 0;
  {
    auto door = open_door();
    port = local_port(door);
  }
  BOOST_TEST(
    (error_of(connect_to("127.0.0.1", port, patience)) == errc::peer_failed));
}

BOOST_AUTO_TEST_CASE(a_port_is_listened_at_once) {
  auto door = open_door();
  BOOST_TEST((error_of(listen_at("127.0.0.1", local_port(door)))
              == errc::address_in_use));
  BOOST_TEST((error_of(listen_at("203.0.113.1", 0)) == errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(silence_is_not_waited_for_for_ever) {
  auto door = open_door();
  auto line = connect_to("127.0.0.1", local_port(door), 20ms,
                         expecting("hello"));
  BOOST_TEST((error_of(line) == errc::peer_failed));
}

BOOST_AUTO_TEST_CASE(what_is_said_first_is_heard_and_left_to_be_read) {
  auto door = open_door();
  speaker other{door, "hello and more"};
  auto line = connect_to("127.0.0.1", local_port(door), patience,
                         expecting("hello"));
  BOOST_REQUIRE((error_of(line) == errc::none));
  char heard[5];
  auto n = recv(std::get<tcp_socket>(line).fd(), heard, sizeof(heard), 0);
  BOOST_TEST(n == 5);
  BOOST_TEST(std::string(heard, 5) == "hello");
}

BOOST_AUTO_TEST_CASE(other_words_are_refused) {
  auto door = open_door();
  speaker other{door, "howdy"};
  auto line = connect_to("127.0.0.1", local_port(door), patience,
                         expecting("hello"));
  BOOST_REQUIRE((error_of(line) == errc::incompatible_peer));
  BOOST_TEST(std::get<failure>(line).reason.ends_with("a stranger"));
}

BOOST_AUTO_TEST_CASE(too_few_words_are_refused_when_the_connection_ends) {
  auto door = open_door();
  speaker other{door, "hell"};
  auto line = connect_to("127.0.0.1", local_port(door), patience,
                         expecting("hello"));
  BOOST_REQUIRE((error_of(line) == errc::peer_failed));
  BOOST_TEST(std::get<failure>(line).reason.ends_with("at once"));
}

BOOST_AUTO_TEST_CASE(a_number_comes_back_late) {
  descriptor_cycle numbers{7};
  std::set<int> seen;
  for (int i = 0; i < 100; ++i) {
    auto s = numbers.renew(open_door());
    BOOST_TEST(local_port(s) != 0);
    BOOST_TEST(seen.insert(s.fd()).second);
  }
}

BOOST_AUTO_TEST_SUITE_END()
