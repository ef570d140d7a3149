#include "galaxycache/runtime/caf/tls_connections.hpp"

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/loop.hpp"

#include <caf/io/abstract_broker.hpp>
#include <caf/io/doorman.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/stream.hpp>
#include <caf/io/scribe.hpp>

#include <sys/epoll.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace galaxycache {

namespace {

namespace io = caf::io;
using io::network::default_multiplexer;
using io::network::operation;
using io::network::rw_state;

// CAF 0.17 and 1.x have names of their own for it.
using byte_buffer
  = std::remove_reference_t<decltype(std::declval<io::scribe&>().wr_buf())>;

// What is written before others have their turn on CAF's thread: as much as a
// batch of values between peers.
constexpr std::size_t bytes_at_once = std::size_t{1} << 20;

/// What CAF's streams ask of a protocol.
class tls_policy {
public:
  explicit tls_policy(tls_session session) : session_(std::move(session)) {
    // nop
  }

  rw_state read_some(std::size_t& result, int, void* to, std::size_t size) {
    return outcome(session_.read(to, size), result);
  }

  rw_state write_some(std::size_t& result, int, const void* from,
                      std::size_t size) {
    if (size == 0) {
      result = 0;
      return rw_state::indeterminate;
    }
    return outcome(session_.write(from, std::min(size, bytes_at_once)), result);
  }

  /// Before CAF reads for a while.
  void begin_to_read() {
    session_.receive(true);
  }

  /// After that while, there may be what the socket does not have any more. It
  /// is read to its end, and what has come since waits for its turn.
  bool must_read_more(int, std::size_t threshold) {
    session_.receive(false);
    return session_.unread() >= threshold || session_.has_input();
  }

  bool has_unread() const {
    return session_.has_unread();
  }

private:
  /// None at all is a success, too: CAF then waits for the socket.
  static rw_state outcome(std::ptrdiff_t n, std::size_t& result) {
    result = n > 0 ? static_cast<std::size_t>(n) : 0;
    return n < 0 ? rw_state::failure : rw_state::success;
  }

  tls_session session_;
};

class tls_stream : public io::network::stream {
public:
  tls_stream(default_multiplexer& loop, int fd, tls_session session)
    : stream(loop, fd),
      policy_(std::move(session)) {
    // nop
  }

  void handle_event(operation what) override {
    policy_.begin_to_read();
    handle_event_impl(what, policy_);
    // What was looked at before CAF had the connection is not in the socket any
    // more, which therefore does not become ready because of it. There is
    // nobody to read it once CAF reads no more.
    auto reads = (eventbf() & EPOLLIN) != 0;
    if (what == operation::write && reads && policy_.has_unread())
      handle_event_impl(operation::read, policy_);
  }

private:
  tls_policy policy_;
};

/// As CAF's own, but for its stream.
class tls_scribe : public io::scribe {
public:
  tls_scribe(default_multiplexer& loop, tls_line line)
    : scribe(io::network::conn_hdl_from_socket(line.socket.fd())),
      stream_(loop, line.socket.fd(), std::move(line.session)) {
    io::network::keepalive(line.socket.release(), true);
  }

  void configure_read(io::receive_policy::config config) override {
    stream_.configure_read(config);
    if (!std::exchange(launched_, true))
      stream_.start(this);
  }

  void ack_writes(bool enable) override {
    stream_.ack_writes(enable);
  }

  byte_buffer& wr_buf() override {
    return stream_.wr_buf();
  }

  byte_buffer& rd_buf() override {
    return stream_.rd_buf();
  }

  void graceful_shutdown() override {
    io::scribe_ptr self{this}; // the broker's may be the last
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
    let_go(stream_);
  }

  void flush() override {
    stream_.flush(this);
  }

  std::string addr() const override {
    auto found = io::network::remote_addr_of_fd(stream_.fd());
    return found ? *found : std::string{};
  }

  std::uint16_t port() const override {
    auto found = io::network::remote_port_of_fd(stream_.fd());
    return found ? *found : std::uint16_t{0};
  }

  void add_to_loop() override {
    stream_.activate(this);
  }

  void remove_from_loop() override {
    stream_.passivate();
  }

private:
  bool launched_ = false;
  tls_stream stream_;
};

/// Stands for a porch in CAF's eyes.
class tls_doorman : public io::doorman {
public:
  /// Where those who are through find it, on CAF's thread, if it is still
  /// there.
  struct landing {
    tls_doorman* door = nullptr;
  };

  tls_doorman(default_multiplexer& loop, int fd, std::uint16_t port,
              std::shared_ptr<tls_porch> porch, std::shared_ptr<landing> home)
    : doorman(io::network::accept_hdl_from_socket(fd)),
      loop_(loop),
      port_(port),
      porch_(std::move(porch)),
      home_(std::move(home)) {
    home_->door = this;
  }

  ~tls_doorman() override {
    home_->door = nullptr;
    porch_->close();
  }

  void take(tls_line line) {
    if (detached())
      return;
    io::scribe_ptr scribe{new tls_scribe{loop_, std::move(line)}, false};
    auto handle = scribe->hdl();
    parent()->add_scribe(std::move(scribe));
    new_connection(&loop_, handle);
  }

  using doorman::new_connection;

  /// CAF's acceptors call this, and there is none.
  bool new_connection() override {
    return false;
  }

  void launch() override {
    porch_->open();
  }

  void graceful_shutdown() override {
    io::doorman_ptr self{this}; // the broker's may be the last
    porch_->close();
    detach(&loop_, false);
  }

  std::string addr() const override {
    return {};
  }

  std::uint16_t port() const override {
    return port_;
  }

  void add_to_loop() override {
    porch_->open();
  }

  /// Only a broker that has enough of connections asks for this, which CAF's
  /// own for its protocol never has.
  void remove_from_loop() override {
    porch_->close();
  }

private:
  default_multiplexer& loop_;
  std::uint16_t port_;
  std::shared_ptr<tls_porch> porch_;
  std::shared_ptr<landing> home_;
};

} // namespace

node_line make_line(caf::actor_system& system, tls_line line) {
  return node_line{
    io::scribe_ptr{new tls_scribe{loop_of(system), std::move(line)}, false}};
}

std::shared_ptr<tls_porch>
publish_at(caf::actor_system& system, tcp_socket s, std::uint16_t port,
           caf::strong_actor_ptr whom, std::set<std::string> interface,
           std::shared_ptr<descriptor_cycle> numbers,
           tls_context::pointer context, tls_porch::complaint complain) {
  auto& loop = loop_of(system);
  auto home = std::make_shared<tls_doorman::landing>();
  auto to_caf = [&loop, home](tls_line line) {
    loop.post([home, line = std::move(line)]() mutable {
      if (home->door)
        home->door->take(std::move(line));
    });
  };
  auto fd = s.fd();
  auto porch = std::make_shared<tls_porch>(std::move(s), std::move(context),
                                           std::move(numbers), to_caf,
                                           std::move(complain));
  io::doorman_ptr door{new tls_doorman{loop, fd, port, porch, std::move(home)},
                       false};
  post(basp_broker_of(system), caf::publish_atom_v, std::move(door), port,
       std::move(whom), std::move(interface));
  return porch;
}

} // namespace galaxycache
