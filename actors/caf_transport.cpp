#include "galaxycache/actors/caf_transport.hpp"

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/port_probe.hpp"
#include "galaxycache/runtime/worker_pool.hpp"

#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor.hpp>

#include <set>

namespace galaxycache {

namespace {

// A probe on a healthy network takes a round trip.
constexpr auto probe_patience = std::chrono::seconds{1};

// Dead addresses that may be probed at once without holding up live ones.
constexpr std::size_t probe_threads = 16;

// For the handshake of CAF, after which ours begins.
constexpr auto connect_patience = std::chrono::seconds{3};

void report(const peer_actor& peer, std::uint64_t attempt, failure why) {
  post(peer, connection{attempt, {}, std::move(why)});
}

/// Lives for one connection attempt.
void dial(caf::event_based_actor* self, caf::io::middleman_actor middleman,
          peer_actor peer, std::uint64_t attempt, std::string host,
          std::uint16_t port) {
  request_within(self, middleman, caf::timespan{connect_patience},
                 caf::connect_atom_v, std::move(host), port)
    .then(
      [=](caf::node_id&, caf::strong_actor_ptr& server,
          std::set<std::string>&) {
        if (!server)
          return report(peer, attempt,
                        {errc::incompatible_peer, "no server is published"});
        post(peer, connection{attempt, caf::actor_cast<wire_actor>(server),
                              {}});
      },
      [=](caf::error& why) {
        report(peer, attempt, {errc::peer_failed, describe(why)});
      });
}

class probe_job : public worker_pool::job {
public:
  probe_job(caf::actor_system& system, const peer_actor& peer,
            std::uint64_t attempt, uri where)
    : system_(system),
      peer_(caf::actor_cast<caf::weak_actor_ptr>(peer)),
      attempt_(attempt),
      where_(std::move(where)) {
    // nop
  }

  void run() override {
    found_ = probe_port(where_.host, where_.port, probe_patience);
  }

  void deliver() override {
    auto strong = peer_.lock();
    if (!strong)
      return;
    auto peer = caf::actor_cast<peer_actor>(strong);
    if (auto* why = std::get_if<failure>(&found_))
      return report(peer, attempt_, std::move(*why));
    system_.spawn<caf::hidden>(dial, system_.middleman().actor_handle(), peer,
                               attempt_, std::get<std::string>(found_),
                               where_.port);
  }

private:
  caf::actor_system& system_;
  caf::weak_actor_ptr peer_;
  std::uint64_t attempt_;
  uri where_;
  std::variant<std::string, failure> found_;
};

class caf_transport : public transport {
public:
  explicit caf_transport(caf::actor_system& system)
    : system_(system), probes_(probe_threads) {
    // nop
  }

  std::string_view scheme() const noexcept override {
    return "caf";
  }

  std::variant<uri, failure> listen(const server_actor& server,
                                    const uri& where) override {
    if (!system_.has_middleman())
      return no_middleman();
    auto port = system_.middleman().publish(server, where.port,
                                            where.host.c_str());
    if (port)
      return uri{where.scheme, where.host, *port};
    auto reason = why_not_listen(where.host, where.port);
    return failure{errc::address_in_use,
                   "cannot listen on " + to_string(where) + ": "
                     + (reason.empty() ? describe(port.error()) : reason)
                     + "; choose another port, or 0 for any"};
  }

  void unlisten(const server_actor& server, const uri& where) override {
    post(system_.middleman().actor_handle(), caf::unpublish_atom_v,
         caf::actor_cast<caf::actor_addr>(server), where.port);
  }

  void connect(const peer_actor& peer, std::uint64_t attempt,
               const uri& where) override {
    if (!system_.has_middleman())
      return report(peer, attempt, no_middleman());
    probes_.submit(
      std::make_unique<probe_job>(system_, peer, attempt, where));
  }

private:
  static failure no_middleman() {
    return {errc::invalid_argument,
            "the actor system has no middleman; load it in the configuration "
            "with load<caf::io::middleman>()"};
  }

  caf::actor_system& system_;
  worker_pool probes_;
};

} // namespace

std::shared_ptr<transport> make_caf_transport(caf::actor_system& system) {
  return std::make_shared<caf_transport>(system);
}

} // namespace galaxycache
