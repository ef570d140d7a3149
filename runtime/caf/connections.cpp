#include "galaxycache/runtime/caf/connections.hpp"

#include "galaxycache/runtime/caf/actor.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>

#include <utility>

namespace galaxycache {

namespace {

namespace io = caf::io;

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
    auto& accepted = acceptor_.accepted_socket();
    if (detached()) {
      // CAF would leave it open.
      tcp_socket{std::exchange(accepted, -1)};
      return false;
    }
    accepted = numbers_->renew(tcp_socket{accepted}).release();
    return doorman_impl::new_connection();
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
  return {system.middleman().backend().new_scribe(s.release())};
}

#endif

void publish_at(caf::actor_system& system, tcp_socket s, std::uint16_t port,
                caf::strong_actor_ptr whom, std::set<std::string> interface,
                std::shared_ptr<descriptor_cycle> numbers) {
  auto& loop = dynamic_cast<io::network::default_multiplexer&>(
    system.middleman().backend());
  io::doorman_ptr door{new doorman{loop, s.release(), std::move(numbers)},
                       false};
  post(basp_broker_of(system), caf::publish_atom_v, std::move(door), port,
       std::move(whom), std::move(interface));
}

} // namespace galaxycache
