#include "galaxycache/runtime/tls.hpp"

#include "galaxycache/runtime/random.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace galaxycache {

namespace {

using std::chrono::steady_clock;

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const {
    Free(x);
  }
};

using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, freed_by<SSL_free>>;
using store_ctx_ptr
  = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;

// A certificate has one or two kilobytes, and a chain three or four of them; we
// keep what strangers send until it is known to be theirs.
constexpr long chain_bytes_max = 32 * 1024;
constexpr int chain_length_max = 8;

/// The last thing that OpenSSL did not like on this thread, in words.
std::string last_error() {
  auto code = ERR_peek_last_error();
  if (code == 0)
    return {};
  if (auto* reason = ERR_reason_error_string(code))
    return reason;
  std::array<char, 256> text{};
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

// -- a socket as OpenSSL sees it ----------------------------------------------
// Its own kind raises SIGPIPE, and is called for each record, of at most 16
// KiB, once to write and twice to read.

// Four records. A connection may have twice as much for as long as it lasts.
constexpr std::size_t buffer_bytes = 64 * 1024;

bool is_passing(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

struct buffered_socket {
  int fd;
  std::string out;
  std::size_t sent = 0; // of `out`
  std::unique_ptr<char[]> in;
  std::size_t taken = 0; // of `in`, up to `there`
  std::size_t there = 0;
  bool buffers_input = false;
  bool receives = true; // or only gives what it has

  bool has_input() const noexcept {
    return taken < there;
  }

  bool has_output() const noexcept {
    return !out.empty();
  }

  /// Sends what it can; false with `errno` if that was not all.
  bool flush() {
    while (sent < out.size()) {
      auto n = send(fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
      if (n < 0)
        return false;
      sent += static_cast<std::size_t>(n);
    }
    out.clear();
    sent = 0;
    return true;
  }

  std::ptrdiff_t give(char* to, std::size_t size) {
    auto n = std::min(size, there - taken);
    std::copy_n(in.get() + taken, n, to);
    taken += n;
    return static_cast<std::ptrdiff_t>(n);
  }

  /// As `recv`.
  std::ptrdiff_t receive(char* to, std::size_t size) {
    if (has_input())
      return give(to, size);
    if (!receives) {
      errno = EAGAIN;
      return -1;
    }
    if (!buffers_input)
      return recv(fd, to, size, 0);
    if (!in)
      in = std::make_unique_for_overwrite<char[]>(buffer_bytes);
    auto n = recv(fd, in.get(), buffer_bytes, 0);
    taken = 0;
    there = static_cast<std::size_t>(std::max<std::ptrdiff_t>(n, 0));
    return n > 0 ? give(to, size) : n;
  }
};

buffered_socket& socket_of(BIO* self) {
  return *static_cast<buffered_socket*>(BIO_get_data(self));
}

int send_some(BIO* self, const char* from, int size) {
  auto& x = socket_of(self);
  BIO_clear_retry_flags(self);
  if (x.out.size() >= buffer_bytes && !x.flush()) {
    if (is_passing(errno))
      BIO_set_retry_write(self);
    return -1;
  }
  x.out.append(from, static_cast<std::size_t>(size));
  return size;
}

int receive_some(BIO* self, char* to, int size) {
  BIO_clear_retry_flags(self);
  auto n = socket_of(self).receive(to, static_cast<std::size_t>(size));
  if (n < 0 && is_passing(errno))
    BIO_set_retry_read(self);
  return static_cast<int>(n);
}

long control(BIO* self, int what, long, void*) {
  if (what != BIO_CTRL_FLUSH)
    return 0;
  BIO_clear_retry_flags(self);
  if (socket_of(self).flush())
    return 1;
  if (is_passing(errno))
    BIO_set_retry_write(self);
  return -1;
}

const BIO_METHOD* socket_kind() {
  static const auto* const kind = [] {
    auto* x = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                           "galaxycache");
    BIO_meth_set_write(x, send_some);
    BIO_meth_set_read(x, receive_some);
    BIO_meth_set_ctrl(x, control);
    return x;
  }();
  return kind;
}

// -- credentials --------------------------------------------------------------

/// Never asks on the terminal, as OpenSSL would.
int give_passphrase(char* to, int size, int, void* passphrase) {
  auto& text = *static_cast<const std::string*>(passphrase);
  if (text.empty() || text.size() > static_cast<std::size_t>(size))
    return -1;
  std::ranges::copy(text, to);
  return static_cast<int>(text.size());
}

/// Why those who have the same CAs would refuse our certificate; empty if they
/// would not.
std::string why_refused(SSL_CTX* ctx) {
  auto* own = SSL_CTX_get0_certificate(ctx);
  STACK_OF(X509)* between = nullptr;
  SSL_CTX_get0_chain_certs(ctx, &between);
  for (auto purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT}) {
    store_ctx_ptr check{X509_STORE_CTX_new()};
    if (!check
        || X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(ctx), own,
                               between)
             != 1)
      return "it cannot be checked";
    X509_STORE_CTX_set_purpose(check.get(), purpose);
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(check.get()),
                                     SSL_CTX_get_security_level(ctx));
    if (X509_verify_cert(check.get()) != 1)
      return X509_verify_cert_error_string(
        X509_STORE_CTX_get_error(check.get()));
  }
  return {};
}

} // namespace

struct tls_context::implementation {
  ssl_ctx_ptr ctx;
};

tls_context::tls_context(std::unique_ptr<implementation> impl)
  : impl_(std::move(impl)) {
  // nop
}

tls_context::~tls_context() {
  // nop
}

std::variant<tls_context::pointer, failure>
tls_context::make(const tls_files& files, const std::string& prefix) {
  auto refuse = [&](const std::string& option, const std::string& why) {
    ERR_clear_error();
    return failure{errc::invalid_argument, prefix + option + ": " + why};
  };
  auto no_good = [&](const std::string& option, const std::string& file,
                     std::string why) {
    auto more = last_error();
    return refuse(option,
                  file + " " + why + (more.empty() ? "" : " (" + more + ")"));
  };
  if (files.certificate.empty())
    return refuse("certificate", "is needed for TLS: a file with the "
                                 "certificate of this process (PEM)");
  if (files.key.empty())
    return refuse("key", "is needed for TLS: a file with the private key of "
                         "the certificate (PEM)");
  if (files.cafile.empty() && files.capath.empty())
    return refuse("cafile", "is needed for TLS: a file with the certificates "
                            "of the CAs whose members may join (PEM)");
  // A thread may be in a handshake yet when the process ends; OpenSSL would
  // take its tables away from it.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  ERR_clear_error();
  ssl_ctx_ptr ctx{SSL_CTX_new(TLS_method())};
  if (!ctx || SSL_CTX_set_min_proto_version(ctx.get(), TLS1_3_VERSION) != 1)
    return failure{errc::internal_error,
                   "OpenSSL cannot do TLS 1.3: " + last_error()};
  SSL_CTX_set_options(ctx.get(), SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION
                                   | SSL_OP_NO_RENEGOTIATION);
  // Each of them will do; the one with the shortest key is the fastest.
  if (SSL_CTX_set_ciphersuites(ctx.get(), "TLS_AES_128_GCM_SHA256:"
                                          "TLS_AES_256_GCM_SHA384:"
                                          "TLS_CHACHA20_POLY1305_SHA256")
      != 1)
    return failure{errc::internal_error,
                   "OpenSSL has no ciphers: " + last_error()};
  SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx.get(), 0);
  // CAF's buffers move between two attempts to write the same.
  SSL_CTX_set_mode(ctx.get(), SSL_MODE_ENABLE_PARTIAL_WRITE
                                | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(ctx.get(),
                     SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  SSL_CTX_set_verify_depth(ctx.get(), chain_length_max);
  SSL_CTX_set_max_cert_list(ctx.get(), chain_bytes_max);
  auto passphrase = files.passphrase;
  SSL_CTX_set_default_passwd_cb(ctx.get(), give_passphrase);
  SSL_CTX_set_default_passwd_cb_userdata(ctx.get(), &passphrase);
  if (SSL_CTX_use_certificate_chain_file(ctx.get(), files.certificate.c_str())
      != 1)
    return no_good("certificate", files.certificate,
                   "cannot be read as a certificate");
  // This compares them, too, and fails for those that do not match.
  if (SSL_CTX_use_PrivateKey_file(ctx.get(), files.key.c_str(),
                                  SSL_FILETYPE_PEM)
      != 1) {
    auto code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) == ERR_LIB_X509
        && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH)
      return no_good("key", files.key,
                     "is not the key of " + files.certificate);
    return no_good("key", files.key, "cannot be read as a private key");
  }
  if (SSL_CTX_check_private_key(ctx.get()) != 1)
    return no_good("key", files.key, "is not the key of " + files.certificate);
  // The passphrase is gone when this returns, and nobody needs it any more.
  SSL_CTX_set_default_passwd_cb_userdata(ctx.get(), nullptr);
  SSL_CTX_set_default_passwd_cb(ctx.get(), nullptr);
  auto path_or_null = [](const std::string& x) {
    return x.empty() ? nullptr : x.c_str();
  };
  if (SSL_CTX_load_verify_locations(ctx.get(), path_or_null(files.cafile),
                                    path_or_null(files.capath))
      != 1)
    return no_good(files.cafile.empty() ? "capath" : "cafile",
                   files.cafile.empty() ? files.capath : files.cafile,
                   "cannot be read as certificates of CAs");
  if (auto why = why_refused(ctx.get()); !why.empty())
    return refuse("certificate",
                  files.certificate + " would be refused by its peers: " + why);
  ERR_clear_error();
  auto impl = std::make_unique<implementation>();
  impl->ctx = std::move(ctx);
  return pointer{new tls_context{std::move(impl)}};
}

// -- one end ------------------------------------------------------------------

struct tls_session::implementation {
  buffered_socket socket; // of the BIO
  tls_context::pointer context;
  ssl_ptr ssl;
  bool wants_write = false;
  // Bytes that have been written, but not said to be, so that the caller comes
  // back for what the socket did not take.
  std::size_t held_back = 0;
  std::string reason;

  implementation(tls_context::pointer from, role which, int number)
    : socket{.fd = number},
      context(std::move(from)) {
    ssl.reset(SSL_new(context->impl_->ctx.get()));
    auto* bio = BIO_new(socket_kind());
    if (!ssl || !bio)
      throw std::bad_alloc{};
    BIO_set_data(bio, &socket);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl.get(), bio, bio);
    if (which == role::server)
      SSL_set_accept_state(ssl.get());
    else
      SSL_set_connect_state(ssl.get());
  }

  /// What a call of OpenSSL's came to that has not succeeded: whether it may
  /// yet.
  bool waits(int result) {
    auto error = errno;
    auto state = SSL_get_error(ssl.get(), result);
    wants_write = state == SSL_ERROR_WANT_WRITE;
    if (wants_write || state == SSL_ERROR_WANT_READ)
      return true;
    auto verdict = SSL_get_verify_result(ssl.get());
    if (state == SSL_ERROR_SSL && verdict != X509_V_OK)
      reason = std::string{"the certificate of the other end is refused: "}
               + X509_verify_cert_error_string(verdict);
    else if (state == SSL_ERROR_SSL)
      reason = last_error();
    else if (state == SSL_ERROR_SYSCALL && result < 0 && error != 0)
      reason = std::generic_category().message(error);
    if (reason.empty())
      reason = "it closes the connection";
    ERR_clear_error();
    return false;
  }

  /// After the socket did not take all: whether it may yet.
  bool waits_to_send() {
    wants_write = is_passing(errno);
    if (!wants_write)
      reason = std::generic_category().message(errno);
    return wants_write;
  }

  /// Calls one of OpenSSL's functions that say how many bytes they moved.
  template <class F>
  std::ptrdiff_t move_some(F f) {
    ERR_clear_error();
    auto n = f(ssl.get());
    if (n > 0)
      return n;
    return waits(n) ? 0 : -1;
  }
};

namespace {

int int_of(std::size_t size) {
  constexpr std::size_t max = 1 << 30;
  return static_cast<int>(std::min(size, max));
}

} // namespace

tls_session::tls_session() noexcept = default;

tls_session::tls_session(const tls_context::pointer& context, role which,
                         int fd)
  : impl_(std::make_unique<implementation>(context, which, fd)) {
  // nop
}

tls_session::tls_session(tls_session&&) noexcept = default;

tls_session& tls_session::operator=(tls_session&&) noexcept = default;

tls_session::~tls_session() {
  // nop
}

tls_session::progress tls_session::shake_hands() {
  ERR_clear_error();
  auto result = SSL_do_handshake(impl_->ssl.get());
  if (result == 1) {
    // What came before could have been for nobody.
    impl_->socket.buffers_input = true;
    return progress::done;
  }
  return impl_->waits(result) ? progress::waiting : progress::failed;
}

bool tls_session::wants_write() const noexcept {
  return impl_->wants_write;
}

std::ptrdiff_t tls_session::read(void* to, std::size_t size) {
  if (size == 0)
    return 0;
  return impl_->move_some(
    [=](SSL* ssl) { return SSL_read(ssl, to, int_of(size)); });
}

std::ptrdiff_t tls_session::peek(void* to, std::size_t size) {
  if (size == 0)
    return 0;
  return impl_->move_some(
    [=](SSL* ssl) { return SSL_peek(ssl, to, int_of(size)); });
}

std::ptrdiff_t tls_session::write(const void* from, std::size_t size) {
  if (size == 0)
    return 0;
  if (!impl_->socket.flush())
    return impl_->waits_to_send() ? 0 : -1;
  // A call writes one record.
  auto written = std::exchange(impl_->held_back, 0);
  while (written < size) {
    auto* rest = static_cast<const char*>(from) + written;
    auto n = impl_->move_some(
      [=](SSL* ssl) { return SSL_write(ssl, rest, int_of(size - written)); });
    if (n < 0)
      return n;
    if (n == 0)
      break;
    written += static_cast<std::size_t>(n);
  }
  if (!impl_->socket.flush() && !impl_->waits_to_send())
    return -1;
  if (written == size && impl_->socket.has_output()) {
    impl_->held_back = 1;
    --written;
  }
  return static_cast<std::ptrdiff_t>(written);
}

std::size_t tls_session::unread() const noexcept {
  return static_cast<std::size_t>(SSL_pending(impl_->ssl.get()));
}

bool tls_session::has_unread() const noexcept {
  return unread() > 0 || impl_->socket.has_input();
}

bool tls_session::has_input() const noexcept {
  return impl_->socket.has_input();
}

void tls_session::receive(bool on) noexcept {
  impl_->socket.receives = on;
}

const std::string& tls_session::reason() const noexcept {
  return impl_->reason;
}

void tls_session::use(int fd) noexcept {
  impl_->socket.fd = fd;
}

void tls_line::renew(descriptor_cycle& numbers) {
  socket = numbers.renew(std::move(socket));
  session.use(socket.fd());
}

// -- who connects -------------------------------------------------------------

namespace {

failure refused(const tls_session& session) {
  return {errc::peer_failed, "TLS: " + session.reason()};
}

failure meet(const tcp_socket& s, tls_session& session,
             const first_words& expected, steady_clock::time_point until) {
  using enum tls_session::progress;
  for (;;) {
    auto state = session.shake_hands();
    if (state == failed)
      return refused(session);
    if (state == done)
      break;
    if (!(session.wants_write() ? await_writable(s, until)
                                : await_readable(s, until)))
      return {errc::peer_failed, "TLS: its handshake takes too long"};
  }
  if (expected.size == 0)
    return {};
  // Who does not like our certificate says so only now.
  std::string heard(expected.size, '\0');
  for (;;) {
    auto n = session.peek(heard.data(), heard.size());
    if (n < 0)
      return refused(session);
    if (n > 0) {
      heard.resize(static_cast<std::size_t>(n));
      break;
    }
    if (!await_readable(s, until))
      return {errc::peer_failed, "it accepts connections but says nothing"};
  }
  auto why = heard.size() < expected.size ? "it says too little at once"
                                          : expected.why_not(heard);
  return why.empty() ? failure{} : failure{errc::incompatible_peer, why};
}

} // namespace

std::variant<tls_line, failure>
connect_tls(const tls_context::pointer& context, const std::string& host,
            std::uint16_t port, std::chrono::nanoseconds patience,
            const first_words& expected) {
  tls_session session;
  auto met = connect_to(
    host, port, patience,
    trial{[&](tcp_socket& s, steady_clock::time_point until) {
      session = tls_session{context, tls_session::role::client, s.fd()};
      return meet(s, session, expected, until);
    }});
  if (auto* why = std::get_if<failure>(&met))
    return std::move(*why);
  auto& socket = std::get<tcp_socket>(met);
  session.use(socket.fd());
  return tls_line{std::move(socket), std::move(session)};
}

// -- who is connected to ------------------------------------------------------

namespace {

// The head of a TLS record: its type, two bytes of version, two of size.
constexpr std::size_t record_head_bytes = 5;
constexpr unsigned char handshake_type = 22;
constexpr unsigned char client_hello_type = 1;
constexpr unsigned char version_major = 3;

// Of what can be said first, a ClientHello is the only thing we take: some 300
// bytes, or 1,800 with a key share that is safe from quantum computers.
constexpr int hello_bytes_max = 4096;

/// How somebody has begun.
enum class beginning { not_yet, well, badly, gone };

beginning look_at(int fd) {
  using enum beginning;
  // Of the record, then of the message in it: its kind, and its size.
  constexpr std::size_t message_head_bytes = 4;
  std::array<unsigned char, record_head_bytes + message_head_bytes> head{};
  auto n = recv(fd, head.data(), head.size(), MSG_PEEK);
  if (n < 0)
    return is_passing(errno) ? not_yet : gone;
  if (n == 0)
    return gone;
  if (head[0] != handshake_type || (n > 1 && head[1] != version_major))
    return badly;
  if (static_cast<std::size_t>(n) < head.size())
    return not_yet;
  auto size = head[3] << 8 | head[4];
  auto message = head[6] << 16 | head[7] << 8 | head[8];
  // One that goes on in another record may be as large as OpenSSL allows.
  if (size > hello_bytes_max || head[5] != client_hello_type
      || message + static_cast<int>(message_head_bytes) != size)
    return badly;
  // It costs nothing until it is all there.
  auto there = 0;
  if (ioctl(fd, FIONREAD, &there) != 0)
    return gone;
  return there < size + static_cast<int>(record_head_bytes) ? not_yet : well;
}

// So that handshakes get their turn while others come.
constexpr int accepts_at_once = 16;

// When there are no more file descriptors, until somebody may have gone.
constexpr auto accept_pause = std::chrono::milliseconds{10};

// What events are about: the two sockets of a porch, or a guest's number.
constexpr std::uint64_t bell_id = 0;
constexpr std::uint64_t door_id = 1;
constexpr std::uint64_t first_guest_id = 2;

tcp_socket owned(int fd, const char* what) {
  if (fd < 0)
    throw std::system_error{errno, std::generic_category(), what};
  return tcp_socket{fd};
}

} // namespace

struct tls_porch::implementation {
  struct guest {
    tcp_socket socket;
    steady_clock::time_point until;
    std::optional<tls_session> session; // once he has begun well
  };

  tls_context::pointer context;
  std::shared_ptr<descriptor_cycle> numbers;
  receiver to;
  complaint complain;
  limits bounds;

  tcp_socket bell = owned(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  std::atomic<bool> opened{false};
  std::atomic<bool> closed{false};
  bool open = false; // the door is watched
  std::mutex mutex;  // protects thread
  std::thread thread;

  // Of the thread, once it runs. Guests stand in the order in which they came,
  // so their time is over in that order.
  tcp_socket door;
  tcp_socket events = owned(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  std::map<std::uint64_t, guest> guests;
  std::uint64_t next_id = first_guest_id;
  random_source random{
    static_cast<std::uint64_t>(steady_clock::now().time_since_epoch().count())};
  steady_clock::time_point rests_until{};
  bool rests = false;
  std::uint64_t refusals = 0;
  std::string first_refusal;
  steady_clock::time_point complains_at{};

  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> admitted{0};
  std::atomic<std::size_t> guests_now{0};
  std::atomic<std::size_t> handshakes_now{0};

  bool watch(int fd, std::uint64_t id, std::uint32_t what, int operation) {
    epoll_event event{};
    event.events = what;
    event.data.u64 = id;
    return epoll_ctl(events.fd(), operation, fd, &event) == 0;
  }

  void run() {
    std::array<epoll_event, 64> ready{};
    while (!closed) {
      auto n = epoll_wait(events.fd(), ready.data(),
                          static_cast<int>(ready.size()), pause_ms());
      auto now = steady_clock::now();
      for (int i = 0; i < n && !closed; ++i) {
        auto& event = ready[static_cast<std::size_t>(i)];
        auto id = event.data.u64;
        if (id == door_id)
          accept_some(now);
        else if (id == bell_id)
          open_door();
        else
          try_to_go_on(id, (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                             != 0);
      }
      drop_late(now);
      if (rests && now >= rests_until) {
        rests = false;
        watch(door.fd(), door_id, EPOLLIN, EPOLL_CTL_MOD);
      }
      if (refusals > 0 && now >= complains_at)
        report(now);
    }
    guests.clear();
    note_counts();
  }

  /// Once somebody has rung for that.
  void open_door() {
    eventfd_t rung = 0;
    eventfd_read(bell.fd(), &rung);
    if (opened && !std::exchange(open, true))
      watch(door.fd(), door_id, EPOLLIN, EPOLL_CTL_MOD);
  }

  /// How long nothing has to be done of itself.
  int pause_ms() const {
    using std::chrono::milliseconds;
    if (guests.empty() && !rests && refusals == 0)
      return -1;
    auto next = steady_clock::time_point::max();
    if (!guests.empty())
      next = std::min(next, guests.begin()->second.until);
    if (rests)
      next = std::min(next, rests_until);
    if (refusals > 0)
      next = std::min(next, complains_at);
    auto left = std::chrono::ceil<milliseconds>(next - steady_clock::now());
    return static_cast<int>(
      std::clamp<milliseconds::rep>(left.count(), 0, 60'000));
  }

  void accept_some(steady_clock::time_point now) {
    for (int i = 0; i < accepts_at_once; ++i) {
      tcp_socket who{
        accept4(door.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (who.fd() < 0) {
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS
            && errno != ENOMEM)
          return; // nobody is there any more, or the network is at fault
        // There are no more files, so one has to go.
        drop_one("there are no more file descriptors");
        rests = true;
        rests_until = now + accept_pause;
        watch(door.fd(), door_id, 0, EPOLL_CTL_MOD);
        return;
      }
      ++accepted;
      if (guests.size() >= bounds.guests_max)
        drop_one("too many connect at once");
      auto id = next_id++;
      // Told once of each thing that comes, so that what comes in parts keeps
      // nobody busy.
      disable_nagle(who);
      if (!watch(who.fd(), id, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                 EPOLL_CTL_ADD))
        return;
      guests.emplace(id, guest{std::move(who), now + bounds.patience, {}});
      note_counts();
    }
  }

  /// A guest for whom there is no memory is dropped.
  void try_to_go_on(std::uint64_t id, bool gone) {
    try {
      go_on(id, gone);
    } catch (const std::bad_alloc&) {
      if (auto i = guests.find(id); i != guests.end())
        drop(i, "there is no memory");
    }
  }

  /// Something has come from a guest, and maybe he is gone.
  void go_on(std::uint64_t id, bool gone) {
    auto i = guests.find(id);
    if (i == guests.end())
      return; // dropped meanwhile
    auto& x = i->second;
    if (!x.session) {
      switch (look_at(x.socket.fd())) {
        case beginning::not_yet:
          if (gone)
            forget(i);
          return;
        case beginning::gone:
          return forget(i); // as who only looks whether the port is open
        case beginning::badly:
          return drop(i, "it does not speak TLS");
        case beginning::well:
          break;
      }
      x.session.emplace(context, tls_session::role::server, x.socket.fd());
      ++handshakes_now;
    }
    switch (x.session->shake_hands()) {
      case tls_session::progress::waiting:
        if (gone)
          drop(i, "it closes the connection");
        return;
      case tls_session::progress::failed:
        return drop(i, x.session->reason());
      case tls_session::progress::done:
        break;
    }
    epoll_ctl(events.fd(), EPOLL_CTL_DEL, x.socket.fd(), nullptr);
    tls_line line{std::move(x.socket), std::move(*x.session)};
    if (numbers)
      line.renew(*numbers);
    forget(i);
    ++admitted;
    to(std::move(line));
  }

  void drop_late(steady_clock::time_point now) {
    while (!guests.empty() && guests.begin()->second.until <= now)
      drop(guests.begin(), "it takes too long");
  }

  void drop_one(const std::string& why) {
    if (guests.empty())
      return;
    auto nth = random.below(guests.size());
    drop(std::next(guests.begin(), static_cast<std::ptrdiff_t>(nth)), why);
  }

  void drop(std::map<std::uint64_t, guest>::iterator i,
            const std::string& why) {
    if (refusals++ == 0) {
      complains_at = std::max(complains_at, steady_clock::now());
      first_refusal = remote_address(i->second.socket) + ": " + why;
    }
    forget(i);
  }

  void forget(std::map<std::uint64_t, guest>::iterator i) {
    if (i->second.session)
      --handshakes_now;
    guests.erase(i);
    note_counts();
  }

  void note_counts() {
    guests_now = guests.size();
    if (guests.empty())
      handshakes_now = 0;
  }

  void report(steady_clock::time_point now) {
    if (complain)
      complain("refused " + std::to_string(refusals)
               + (refusals == 1 ? " connection, from "
                                : " connections, the first from ")
               + first_refusal);
    refusals = 0;
    complains_at = now + bounds.complaint_pause;
  }
};

tls_porch::tls_porch(tcp_socket listening, tls_context::pointer context,
                     std::shared_ptr<descriptor_cycle> numbers, receiver to,
                     complaint complain)
  : tls_porch(std::move(listening), std::move(context), std::move(numbers),
              std::move(to), std::move(complain), limits{}) {
  // nop
}

tls_porch::tls_porch(tcp_socket listening, tls_context::pointer context,
                     std::shared_ptr<descriptor_cycle> numbers, receiver to,
                     complaint complain, limits bounds)
  : impl_(std::make_unique<implementation>()) {
  impl_->door = std::move(listening);
  impl_->context = std::move(context);
  impl_->numbers = std::move(numbers);
  impl_->to = std::move(to);
  impl_->complain = std::move(complain);
  impl_->bounds = bounds;
  // Most files are for what the process does besides.
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0)
    impl_->bounds.guests_max = std::max<std::size_t>(
      std::min<rlim_t>(bounds.guests_max, files.rlim_cur / 4), 1);
  if (!impl_->watch(impl_->bell.fd(), bell_id, EPOLLIN, EPOLL_CTL_ADD)
      || !impl_->watch(impl_->door.fd(), door_id, 0, EPOLL_CTL_ADD))
    throw std::system_error{errno, std::generic_category(), "epoll_ctl"};
  impl_->thread = std::thread{[self = impl_.get()] { self->run(); }};
}

tls_porch::~tls_porch() {
  stop();
}

void tls_porch::open() {
  impl_->opened = true;
  eventfd_write(impl_->bell.fd(), 1);
}

void tls_porch::close() {
  impl_->closed = true;
  eventfd_write(impl_->bell.fd(), 1);
}

void tls_porch::stop() {
  close();
  std::lock_guard guard{impl_->mutex};
  if (impl_->thread.joinable())
    impl_->thread.join();
}

tls_porch::counts tls_porch::count() const {
  return {impl_->accepted, impl_->admitted, impl_->guests_now,
          impl_->handshakes_now};
}

} // namespace galaxycache
