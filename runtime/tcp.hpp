#pragma once

#include "galaxycache/runtime/error.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace galaxycache {

/// What a server says first to whoever connects.
struct first_words {
  /// How many bytes it takes to know them; 0: who connects speaks first.
  std::size_t size = 0;
  /// Why these `size` bytes are not what we hoped for, in words, or an empty
  /// string if they are.
  std::function<std::string(std::string_view bytes)> why_not;
};

/// Owns a socket. Move-only.
class tcp_socket {
public:
  tcp_socket() = default;

  explicit tcp_socket(int fd) noexcept : fd_(fd) {
    // nop
  }

  tcp_socket(tcp_socket&& other) noexcept : fd_(other.release()) {
    // nop
  }

  tcp_socket& operator=(tcp_socket&& other) noexcept;

  ~tcp_socket();

  /// Negative if there is none.
  int fd() const noexcept {
    return fd_;
  }

  /// The caller owns the file descriptor from here on.
  int release() noexcept {
    return std::exchange(fd_, -1);
  }

private:
  int fd_ = -1;
};

/// Connects to whoever listens at an address and says what he should, which is
/// left to be read; or says why nobody does: `incompatible_peer` for other
/// words than those expected, else `peer_failed`. Blocks for up to `patience`,
/// name resolution not included.
std::variant<tcp_socket, failure>
connect_to(const std::string& host, std::uint16_t port,
           std::chrono::nanoseconds patience, const first_words& expected = {});

/// What is done with a connection that has been made, until a point in time,
/// before it is taken for a good one; says why it is not. May block until then.
using trial
  = std::function<failure(tcp_socket&, std::chrono::steady_clock::time_point)>;

/// The same for whoever passes a trial.
std::variant<tcp_socket, failure>
connect_to(const std::string& host, std::uint16_t port,
           std::chrono::nanoseconds patience, const trial& passes);

/// Has a socket send what it is given at once, and not wait for more.
void disable_nagle(const tcp_socket& s) noexcept;

/// Waits until a socket can be read from or written to, or a point in time:
/// then false.
bool await_readable(const tcp_socket& s,
                    std::chrono::steady_clock::time_point until);
bool await_writable(const tcp_socket& s,
                    std::chrono::steady_clock::time_point until);

/// Listens at an address, at any free port for 0; or says why that is
/// impossible: `address_in_use`, or `invalid_argument` for one that is not ours
/// to use. Connections of an earlier process that linger in TIME_WAIT do not
/// keep us from its port.
std::variant<tcp_socket, failure> listen_at(const std::string& host,
                                            std::uint16_t port);

/// The port that a socket is bound to; 0 if none.
std::uint16_t local_port(const tcp_socket& s);

/// The host at the other end, as numbers; empty if there is none.
std::string remote_address(const tcp_socket& s);

/// Gives sockets file descriptors that have not been used lately. The system
/// gives out the lowest that is free, so the one of a connection that has just
/// ended; whoever knows connections by that number and hears of the end only
/// then takes the one for the other. Thread-safe.
class descriptor_cycle {
public:
  /// `seed` chooses where to begin.
  explicit descriptor_cycle(std::uint64_t seed);

  /// The same socket under another number; the same number if there is no
  /// other.
  tcp_socket renew(tcp_socket s) noexcept;

private:
  int first_;
  int count_;
  std::atomic<std::uint64_t> next_;
};

} // namespace galaxycache
