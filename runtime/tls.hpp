#pragma once

#include "galaxycache/runtime/error.hpp"
#include "galaxycache/runtime/tcp.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace galaxycache {

/// Where the credentials of a process are: files in PEM format.
struct tls_files {
  /// Its certificate, followed by those between it and the CA's, if any.
  std::string certificate;
  /// The private key of that, and what it is encrypted with, if it is.
  std::string key;
  std::string passphrase;
  /// The CAs whose certificates are accepted: a file of them, or a folder as
  /// OpenSSL's `rehash` makes it.
  std::string cafile;
  std::string capath;
};

/// Credentials that have been read, for connections both ways: TLS 1.3 alone,
/// and both ends show a certificate of one of the CAs. Which one does not
/// matter, nor what name it bears. Immutable; thread-safe.
class tls_context {
public:
  using pointer = std::shared_ptr<const tls_context>;

  /// Reads the files; or says why they will not do (`invalid_argument`), naming
  /// the option to set, whose name begins with `prefix`: one is not set or
  /// cannot be read, the key is another's, or the certificate would be refused
  /// by whoever has the same CAs.
  static std::variant<pointer, failure> make(const tls_files& files,
                                             const std::string& prefix);

  tls_context(const tls_context&) = delete;
  tls_context& operator=(const tls_context&) = delete;

  ~tls_context();

private:
  friend class tls_session;

  struct implementation;

  explicit tls_context(std::unique_ptr<implementation> impl);

  std::unique_ptr<implementation> impl_;
};

/// One end of a TLS connection over a socket that does not block. Does not own
/// the socket. Move-only; one thread at a time.
class tls_session {
public:
  /// Which end.
  enum class role { client, server };

  /// How far a handshake is.
  enum class progress { done, waiting, failed };

  /// There is none; only to be assigned to.
  tls_session() noexcept;

  tls_session(const tls_context::pointer& context, role which, int fd);

  tls_session(tls_session&& other) noexcept;
  tls_session& operator=(tls_session&& other) noexcept;

  ~tls_session();

  /// Goes on with the handshake as far as that is possible without blocking. If
  /// it waits, `wants_write` says whether for the socket to take more, instead
  /// of having more.
  progress shake_hands();
  bool wants_write() const noexcept;

  /// Reads at most `size` bytes, and returns how many; 0 if none are there yet,
  /// negative if the connection has ended.
  std::ptrdiff_t read(void* to, std::size_t size);

  /// The same, but leaves the bytes to be read.
  std::ptrdiff_t peek(void* to, std::size_t size);

  /// Writes at most `size` bytes, and returns how many; 0 if the socket takes
  /// none, negative if the connection has ended. What comes next must be what
  /// has not been written, and at least as much of it. If it is all written,
  /// the socket has it.
  std::ptrdiff_t write(const void* from, std::size_t size);

  /// How many bytes can be read at once, without the socket.
  std::size_t unread() const noexcept;

  /// Whether there is anything that the socket does not have any more, even if
  /// it may be too little to read: the socket is not ready because of it.
  bool has_unread() const noexcept;

  /// Whether some of that has not been decrypted yet.
  bool has_input() const noexcept;

  /// Says whether reading takes more from the socket, as it does at first, or
  /// ends when nothing is left of what was taken before.
  void receive(bool on) noexcept;

  /// Why it failed or ended, in words.
  const std::string& reason() const noexcept;

  /// The socket has another number now.
  void use(int fd) noexcept;

private:
  struct implementation;

  std::unique_ptr<implementation> impl_;
};

/// A connection whose ends have shown each other their certificates.
struct tls_line {
  tcp_socket socket;
  tls_session session; // goes first

  /// Moves the socket to another number.
  void renew(descriptor_cycle& numbers);
};

/// As `connect_to`, with TLS: the first words are what is said inside, in one
/// record.
std::variant<tls_line, failure>
connect_tls(const tls_context::pointer& context, const std::string& host,
            std::uint16_t port, std::chrono::nanoseconds patience,
            const first_words& expected = {});

/// Where whoever connects stays until he has shown his certificate: a thread
/// that accepts connections, does their handshakes, and hands on those that
/// succeed. Who is not through after a while, or says anything but TLS, is
/// dropped. Bounded: if it is full, who comes takes the place of somebody
/// chosen at random, so that one who needs a few milliseconds nearly always
/// gets through. Thread-safe.
class tls_porch {
public:
  struct limits {
    /// Each has a file open, and during a handshake some 20 KiB of memory. A
    /// process may often have 1,024 files open.
    std::size_t guests_max = 256;
    /// A handshake takes two round trips and about a millisecond of each side.
    std::chrono::nanoseconds patience = std::chrono::seconds{3};
    /// How often it is said that guests have been refused.
    std::chrono::nanoseconds complaint_pause = std::chrono::seconds{10};
  };

  /// What has become of those who came.
  struct counts {
    std::uint64_t accepted = 0;
    std::uint64_t admitted = 0;
    /// How many wait for now, and how many of them are in a handshake.
    std::size_t guests = 0;
    std::size_t handshakes = 0;
  };

  /// Called on the porch's thread for each who is through.
  using receiver = std::function<void(tls_line)>;

  /// Called on that thread, seldom: that some were refused, and why.
  using complaint = std::function<void(const std::string&)>;

  /// Nobody is let in before `open`. Throws `std::system_error` if there are
  /// no more file descriptors or threads.
  tls_porch(tcp_socket listening, tls_context::pointer context,
            std::shared_ptr<descriptor_cycle> numbers, receiver to,
            complaint complain);

  tls_porch(tcp_socket listening, tls_context::pointer context,
            std::shared_ptr<descriptor_cycle> numbers, receiver to,
            complaint complain, limits bounds);

  tls_porch(const tls_porch&) = delete;
  tls_porch& operator=(const tls_porch&) = delete;

  /// As `stop`.
  ~tls_porch();

  /// Begins to accept, unless it has been closed.
  void open();

  /// Begins to end: soon nobody is accepted any more. Does not wait.
  void close();

  /// The same, and waits for it: the receiver is not called any more. Not to be
  /// called by the receiver. The port stays taken until the porch is destroyed:
  /// CAF knows it by its file descriptor, which must not be given out before.
  void stop();

  counts count() const;

private:
  struct implementation;

  std::unique_ptr<implementation> impl_;
};

} // namespace galaxycache
