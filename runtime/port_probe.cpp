#include "galaxycache/runtime/port_probe.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace galaxycache {

namespace {

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
                                                std::uint16_t port,
                                                int flags) {
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

/// 0 if somebody accepts, or the error.
int try_connect(const addrinfo& where, std::chrono::nanoseconds patience) {
  socket_handle s{socket(where.ai_family,
                         SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (s.get() < 0)
    return errno;
  if (connect(s.get(), where.ai_addr, where.ai_addrlen) == 0)
    return 0;
  if (errno != EINPROGRESS)
    return errno;
  pollfd waiting{s.get(), POLLOUT, 0};
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  auto ready = poll(&waiting, 1, static_cast<int>(std::clamp(ms, 0L, 60'000L)));
  if (ready < 0)
    return errno;
  if (ready == 0)
    return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(s.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    return errno;
  return error;
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

std::variant<std::string, failure>
probe_port(const std::string& host, std::uint16_t port,
           std::chrono::nanoseconds patience) {
  auto where = host + ":" + std::to_string(port);
  auto resolved = resolve(host, port, 0);
  if (auto* why = std::get_if<std::string>(&resolved))
    return failure{errc::peer_failed, where + ": " + *why};
  auto until = std::chrono::steady_clock::now() + patience;
  std::string why = "no address";
  for (auto* i = std::get<address_list>(resolved).get(); i; i = i->ai_next) {
    auto left = until - std::chrono::steady_clock::now();
    auto error = try_connect(*i, left);
    auto numbers = as_numbers(*i);
    if (error == 0 && numbers)
      return *numbers;
    why = text_of(error);
  }
  return failure{errc::peer_failed, where + ": " + why};
}

std::string why_not_listen(const std::string& host, std::uint16_t port) {
  auto resolved = resolve(host, port, AI_PASSIVE);
  if (auto* why = std::get_if<std::string>(&resolved))
    return *why;
  auto& where = *std::get<address_list>(resolved);
  socket_handle s{socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (s.get() < 0 || bind(s.get(), where.ai_addr, where.ai_addrlen) != 0
      || listen(s.get(), 1) != 0)
    return text_of(errno);
  return {};
}

} // namespace galaxycache
