#include "galaxycache/testing/host.hpp"

#include "galaxycache/messages/init.hpp"
#include "galaxycache/runtime/caf/node_id_fix.hpp"
#include "galaxycache/runtime/caf/standstill.hpp"
#include "galaxycache/runtime/caf/startup.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <thread>

namespace galaxycache::testing {

using namespace std::chrono_literals;

namespace {

// A script that blocks a worker for longer is not waited for.
constexpr auto rest_patience = 10s;

// Enough to have two actors of a node run at once.
constexpr std::size_t workers_of_a_node = 2;

} // namespace

// Of a base, as it comes before CAF's own configuration is built.
detail::announced::announced() {
  init();
}

host_config::host_config(world kind)
  : workers(kind == world::threads
              ? std::max<std::size_t>(workers_of_a_node,
                                      std::thread::hardware_concurrency())
              : workers_of_a_node) {
  galaxycache::add_message_types(*this);
  if (kind == world::simulated)
    return;
  set_caf_option(*this, "scheduler.max-threads", workers);
  // Idle workers need not poll, but one whose work was stolen is to find other
  // work soon: all meet whenever the time moves.
  set_caf_option(*this, "work-stealing.moderate-poll-attempts", std::size_t{0});
  set_caf_option(*this, "work-stealing.relaxed-sleep-duration",
                 caf::timespan{1ms});
  if (kind == world::threads)
    return;
  // Two systems of a process have to be told apart.
  link_node_id_fix();
  load<caf::io::middleman>();
  // A machine that is busy must not look like a broken connection.
  set_caf_option(*this, "middleman.heartbeat-interval", caf::timespan{500ms});
  set_caf_option(*this, "middleman.connection-timeout", caf::timespan{30s});
}

host::host(world kind, stepped_system::choice choose,
           std::shared_ptr<get_book> book, std::shared_ptr<clock> time)
  : cfg_(kind) {
  if (kind == world::simulated)
    stepped_.emplace(cfg_, std::move(choose));
  else
    threaded_.emplace(cfg_);
  client_ = spawn_client(system(), std::move(book), std::move(time));
}

host::~host() {
  caf::anon_send_exit(client_, caf::exit_reason::kill);
  client_ = {};
  if (threaded_)
    await_rest({this});
}

caf::actor_system& host::system() noexcept {
  return stepped_ ? stepped_->system() : *threaded_;
}

stepped_system* host::stepped() noexcept {
  return stepped_ ? &*stepped_ : nullptr;
}

void await_rest(const std::vector<host*>& hosts) {
  std::vector<caf::actor_system*> systems;
  for (auto* each : hosts)
    systems.push_back(&each->system());
  if (!hosts.empty())
    await_standstill(systems, hosts.front()->workers(), rest_patience);
}

} // namespace galaxycache::testing
