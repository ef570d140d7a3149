#include "galaxycache/runtime/caf/connections.hpp"

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/loop.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/scribe_impl.hpp>

#include <utility>

namespace galaxycache {

namespace {

namespace io = caf::io;

class scribe : public io::network::scribe_impl {
public:
  scribe(io::network::default_multiplexer& loop, int fd)
    : scribe_impl(loop, fd) {
    io::network::keepalive(fd, true);
  }

  void graceful_shutdown() override {
    io::scribe_ptr self{this};
    scribe_impl::graceful_shutdown();
    let_go(stream_);
  }
};

io::scribe_ptr make_scribe(io::network::default_multiplexer& loop,
                           tcp_socket s) {
  return io::scribe_ptr{new scribe{loop, s.release()}, false};
}

/// Accepts connections as CAF does, but under numbers of its own.
class doorman : public io::network::doorman_impl {
public:
  doorman(io::network::default_multiplexer& loop, int fd,
          std::shared_ptr<descriptor_cycle> numbers)
    : doorman_impl(loop, fd),
      numbers_(std::move(numbers)) {
    // nop
  }

  bool new_connection() override {
    tcp_socket accepted{std::exchange(acceptor_.accepted_socket(), -1)};
    if (detached())
      return false;
    auto& loop = acceptor_.backend();
    auto line = make_scribe(loop, numbers_->renew(std::move(accepted)));
    auto handle = line->hdl();
    parent()->add_scribe(std::move(line));
    return io::doorman::new_connection(&loop, handle);
  }

  void graceful_shutdown() override {
    io::doorman_ptr self{this};
    doorman_impl::graceful_shutdown();
    let_go(acceptor_);
  }

private:
  std::shared_ptr<descriptor_cycle> numbers_;
};

} // namespace

// It is there since the middleman has been started.
caf::actor basp_broker_of(caf::actor_system& system) {
#if GALAXYCACHE_CAF_1
  return system.middleman().get_named_broker("BASP");
#else
  return system.middleman().named_broker<io::basp_broker>(caf::atom("BASP"));
#endif
}

#if GALAXYCACHE_CAF_1

node_line make_line(caf::actor_system&, tcp_socket s) {
  auto address = remote_address(s);
  return {nullptr, std::move(address),
          std::make_shared<tcp_socket>(std::move(s))};
}

#else

node_line make_line(caf::actor_system& system, tcp_socket s) {
  return {make_scribe(loop_of(system), std::move(s))};
}

#endif

void publish_at(caf::actor_system& system, tcp_socket s, std::uint16_t port,
                caf::strong_actor_ptr whom, std::set<std::string> interface,
                std::shared_ptr<descriptor_cycle> numbers) {
  io::doorman_ptr door{
    new doorman{loop_of(system), s.release(), std::move(numbers)}, false};
  post(basp_broker_of(system), caf::publish_atom_v, std::move(door), port,
       std::move(whom), std::move(interface));
}

} // namespace galaxycache
