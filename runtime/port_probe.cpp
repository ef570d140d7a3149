#include "galaxycache/runtime/port_probe.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>

namespace galaxycache {

namespace {

using deadline = std::chrono::steady_clock::time_point;

using address_list = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

class socket_handle {
public:
  explicit socket_handle(int fd) noexcept : fd_(fd) {
    // nop
  }

  socket_handle(const socket_handle&) = delete;
  socket_handle& operator=(const socket_handle&) = delete;

  ~socket_handle() {
    if (fd_ >= 0)
      close(fd_);
  }

  int get() const noexcept {
    return fd_;
  }

private:
  int fd_;
};

std::string text_of(int error) {
  return std::generic_category().message(error);
}

std::variant<address_list, std::string> resolve(const std::string& host,
                                                std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  auto status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints,
                            &found);
  if (status != 0)
    return std::string{gai_strerror(status)};
  return address_list{found, freeaddrinfo};
}

/// Waits until a socket is ready for any of `events`; 0, or the error.
int await(int fd, short events, deadline until) {
  for (;;) {
    pollfd waiting{fd, events, 0};
    auto left = until - std::chrono::steady_clock::now();
    auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    auto ready = poll(&waiting, 1,
                      static_cast<int>(std::clamp(ms, 0L, 60'000L)));
    if (ready > 0)
      return 0;
    if (ready == 0)
      return ETIMEDOUT;
    if (errno != EINTR)
      return errno;
  }
}

/// 0 if somebody accepts, or the error.
int try_connect(int fd, const addrinfo& where, deadline until) {
  if (connect(fd, where.ai_addr, where.ai_addrlen) == 0)
    return 0;
  if (errno != EINPROGRESS)
    return errno;
  if (auto error = await(fd, POLLOUT, until))
    return error;
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    return errno;
  return error;
}

/// Listens to who has accepted; no error if he says what he should.
failure hear(int fd, const first_words& expected, deadline until) {
  std::string heard(expected.size, '\0');
  for (std::size_t got = 0; got < heard.size();) {
    if (auto error = await(fd, POLLIN, until))
      return {errc::peer_failed, error == ETIMEDOUT
                                   ? "it accepts connections but says nothing"
                                   : text_of(error)};
    auto n = recv(fd, &heard[got], heard.size() - got, 0);
    if (n == 0)
      return {errc::peer_failed, "it closes the connection at once"};
    if (n > 0)
      got += static_cast<std::size_t>(n);
    else if (errno != EINTR && errno != EAGAIN)
      return {errc::peer_failed, text_of(errno)};
  }
  if (heard.empty())
    return {};
  auto why = expected.why_not(heard);
  return why.empty() ? failure{} : failure{errc::incompatible_peer, why};
}

/// A connection to somebody who accepts it and says what he should.
std::variant<std::shared_ptr<const void>, failure>
try_address(const addrinfo& where, const first_words& expected,
            deadline until) {
  auto s = std::make_shared<socket_handle>(
    socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (s->get() < 0)
    return failure{errc::peer_failed, text_of(errno)};
  if (auto error = try_connect(s->get(), where, until))
    return failure{errc::peer_failed, text_of(error)};
  auto why = hear(s->get(), expected, until);
  if (why.code != errc::none)
    return why;
  return s;
}

std::optional<std::string> as_numbers(const addrinfo& where) {
  std::array<char, NI_MAXHOST> text{};
  if (getnameinfo(where.ai_addr, where.ai_addrlen, text.data(), text.size(),
                  nullptr, 0, NI_NUMERICHOST)
      != 0)
    return std::nullopt;
  return std::string{text.data()};
}

} // namespace

std::variant<open_port, failure>
probe_port(const std::string& host, std::uint16_t port,
           std::chrono::nanoseconds patience, const first_words& expected) {
  auto where = host + ":" + std::to_string(port);
  auto resolved = resolve(host, port, 0);
  if (auto* why = std::get_if<std::string>(&resolved))
    return failure{errc::peer_failed, where + ": " + *why};
  auto until = std::chrono::steady_clock::now() + patience;
  failure why{errc::peer_failed, "no address"};
  auto* first = std::get<address_list>(resolved).get();
  auto left = 0;
  for (auto* i = first; i; i = i->ai_next)
    ++left;
  for (auto* i = first; i; i = i->ai_next) {
    // One that is silent leaves the others their share of the time.
    auto now = std::chrono::steady_clock::now();
    auto tried = try_address(*i, expected, now + (until - now) / left--);
    auto numbers = as_numbers(*i);
    if (auto* refused = std::get_if<failure>(&tried))
      why = std::move(*refused);
    else if (numbers)
      return open_port{std::move(*numbers),
                       std::get<std::shared_ptr<const void>>(tried)};
  }
  return failure{why.code, where + ": " + why.reason};
}

failure why_not_listen(const std::string& host, std::uint16_t port) {
  auto resolved = resolve(host, port, AI_PASSIVE);
  if (auto* why = std::get_if<std::string>(&resolved))
    return {errc::invalid_argument, *why};
  auto& where = *std::get<address_list>(resolved);
  socket_handle s{socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  // What a process that has ended left in TIME_WAIT does not count.
  int on = 1;
  if (s.get() >= 0
      && setsockopt(s.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0
      && bind(s.get(), where.ai_addr, where.ai_addrlen) == 0
      && listen(s.get(), 1) == 0)
    return {};
  auto error = errno;
  return {error == EADDRINUSE ? errc::address_in_use : errc::invalid_argument,
          text_of(error)};
}

} // namespace galaxycache
