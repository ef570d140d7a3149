#include "galaxycache/runtime/tcp.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace galaxycache {

namespace {

using deadline = std::chrono::steady_clock::time_point;

using address_list = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// Numbers from here on need larger tables in the kernel.
constexpr rlim_t descriptors_max = 16'384;

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

/// Listens to who has accepted, without taking what he says; no error if that
/// is what he should say.
failure hear(int fd, const first_words& expected, deadline until) {
  if (expected.size == 0)
    return {};
  auto wanted = static_cast<int>(expected.size);
  // Ready once it is all there, or the connection has ended.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof(wanted)) != 0)
    return {errc::peer_failed, text_of(errno)};
  if (auto error = await(fd, POLLIN, until))
    return {errc::peer_failed, error == ETIMEDOUT
                                 ? "it accepts connections but says nothing"
                                 : text_of(error)};
  std::string heard(expected.size, '\0');
  auto n = recv(fd, heard.data(), heard.size(), MSG_PEEK);
  if (n < 0)
    return {errc::peer_failed, text_of(errno)};
  if (static_cast<std::size_t>(n) < heard.size())
    return {errc::peer_failed, "it closes the connection at once"};
  int one = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one)) != 0)
    return {errc::peer_failed, text_of(errno)};
  auto why = expected.why_not(heard);
  return why.empty() ? failure{} : failure{errc::incompatible_peer, why};
}

/// A connection to somebody who accepts it and passes a trial.
std::variant<tcp_socket, failure>
try_address(const addrinfo& where, const trial& passes, deadline until) {
  tcp_socket s{
    socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (s.fd() < 0)
    return failure{errc::peer_failed, text_of(errno)};
  disable_nagle(s);
  if (auto error = try_connect(s.fd(), where, until))
    return failure{errc::peer_failed, text_of(error)};
  auto why = passes(s, until);
  if (why.code != errc::none)
    return why;
  return s;
}

} // namespace

tcp_socket& tcp_socket::operator=(tcp_socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

tcp_socket::~tcp_socket() {
  if (fd_ >= 0)
    close(fd_);
}

std::variant<tcp_socket, failure>
connect_to(const std::string& host, std::uint16_t port,
           std::chrono::nanoseconds patience, const first_words& expected) {
  return connect_to(host, port, patience,
                    trial{[&expected](tcp_socket& s, deadline until) {
                      return hear(s.fd(), expected, until);
                    }});
}

std::variant<tcp_socket, failure>
connect_to(const std::string& host, std::uint16_t port,
           std::chrono::nanoseconds patience, const trial& passes) {
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
    auto tried = try_address(*i, passes, now + (until - now) / left--);
    if (std::holds_alternative<tcp_socket>(tried))
      return tried;
    why = std::move(std::get<failure>(tried));
  }
  return failure{why.code, where + ": " + why.reason};
}

void disable_nagle(const tcp_socket& s) noexcept {
  int on = 1;
  // Without it, all is only slower.
  setsockopt(s.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

bool await_readable(const tcp_socket& s, deadline until) {
  return await(s.fd(), POLLIN, until) == 0;
}

bool await_writable(const tcp_socket& s, deadline until) {
  return await(s.fd(), POLLOUT, until) == 0;
}

std::variant<tcp_socket, failure> listen_at(const std::string& host,
                                            std::uint16_t port) {
  auto resolved = resolve(host, port, AI_PASSIVE);
  if (auto* why = std::get_if<std::string>(&resolved))
    return failure{errc::invalid_argument, *why};
  auto& where = *std::get<address_list>(resolved);
  tcp_socket s{
    socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  int on = 1;
  if (s.fd() >= 0
      && setsockopt(s.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0
      && bind(s.fd(), where.ai_addr, where.ai_addrlen) == 0
      && listen(s.fd(), SOMAXCONN) == 0)
    return s;
  auto error = errno;
  return failure{error == EADDRINUSE ? errc::address_in_use
                                     : errc::invalid_argument,
                 text_of(error)};
}

std::uint16_t local_port(const tcp_socket& s) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(s.fd(), reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    return 0;
  if (bound.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6&>(bound).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

std::string remote_address(const tcp_socket& s) {
  sockaddr_storage other{};
  socklen_t size = sizeof(other);
  auto* where = reinterpret_cast<sockaddr*>(&other);
  std::array<char, NI_MAXHOST> text{};
  if (getpeername(s.fd(), where, &size) != 0
      || getnameinfo(where, size, text.data(), text.size(), nullptr, 0,
                     NI_NUMERICHOST)
           != 0)
    return {};
  return text.data();
}

descriptor_cycle::descriptor_cycle(std::uint64_t seed) : next_(seed) {
  rlimit limit{};
  auto known = getrlimit(RLIMIT_NOFILE, &limit) == 0;
  auto end = static_cast<int>(
    std::min(known ? limit.rlim_cur : 1024, descriptors_max));
  // The lower half is for all else the process has open.
  first_ = end / 2;
  count_ = std::max(end - first_, 1);
}

tcp_socket descriptor_cycle::renew(tcp_socket s) noexcept {
  auto n = next_.fetch_add(1, std::memory_order_relaxed);
  auto wanted = first_
                + static_cast<int>(n % static_cast<std::uint64_t>(count_));
  for (auto least : {wanted, first_}) {
    auto fd = fcntl(s.fd(), F_DUPFD_CLOEXEC, least);
    if (fd >= 0)
      return tcp_socket{fd};
  }
  return s;
}

} // namespace galaxycache
