#include "galaxycache/actors/caf_transport.hpp"

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/connections.hpp"
#include "galaxycache/runtime/caf/handshake.hpp"
#include "galaxycache/runtime/caf/startup.hpp"
#include "galaxycache/runtime/caf/system_end.hpp"
#include "galaxycache/runtime/caf/tls_connections.hpp"
#include "galaxycache/runtime/caf/tls_options.hpp"
#include "galaxycache/runtime/tcp.hpp"
#include "galaxycache/runtime/worker_pool.hpp"

#include <caf/defaults.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <system_error>
#include <thread>

namespace galaxycache {

namespace {

// On a healthy network it takes two round trips until a node says something.
constexpr auto line_patience = std::chrono::seconds{1};

// Dead addresses that may be tried at once without holding up live ones.
constexpr std::size_t line_threads = 16;

// For the handshake of CAF, after which ours begins.
constexpr auto connect_patience = std::chrono::seconds{3};

// CAF closes the port of a universe a moment after that has stopped. Whoever
// listens there for longer is somebody else.
constexpr auto port_patience = std::chrono::milliseconds{200};
constexpr auto port_pause = std::chrono::milliseconds{5};

std::variant<tcp_socket, failure> listen_in_time(const uri& where) {
  auto until = std::chrono::steady_clock::now() + port_patience;
  for (;;) {
    auto result = listen_at(where.host, where.port);
    auto* why = std::get_if<failure>(&result);
    if (!why || why->code != errc::address_in_use
        || std::chrono::steady_clock::now() >= until)
      return result;
    std::this_thread::sleep_for(port_pause);
  }
}

void report(const peer_actor& peer, std::uint64_t attempt, failure why) {
  post(peer, connection{attempt, {}, std::move(why)});
}

/// Lives for one connection attempt, at most `connect_patience`. Not hidden:
/// CAF 0.17 never gets to the end of its destruction if it connects meanwhile
/// (what is asked of its broker then, the broker keeps), so the system has to
/// wait for this actor; and if it waits no more, nobody is dialled.
void dial(caf::event_based_actor* self, peer_actor peer, std::uint64_t attempt,
          node_line line, std::uint16_t port) {
  if (is_ending(self->system()))
    return report(peer, attempt, {errc::unavailable, "the system goes"});
  request_server(
    self, std::move(line), port, caf::timespan{connect_patience},
    [=](caf::strong_actor_ptr& server) {
      if (!server)
        return report(peer, attempt,
                      {errc::incompatible_peer, "no server is published"});
      post(peer, connection{attempt, caf::actor_cast<wire_actor>(server), {}});
    },
    [=](caf::error& why) {
      report(peer, attempt, {errc::peer_failed, describe(why)});
    });
}

/// An attempt to connect.
struct order {
  std::uint64_t attempt = 0;
  uri where;
  /// Whether the other should be first if both connect.
  bool yields = false;
};

/// The latest attempt of each peer whose address is being tried or waits for
/// that. A peer that gives attempts up sooner than a try does has only its
/// latest one here, so what waits is bounded and one peer takes one thread.
/// Thread-safe.
class order_book {
public:
  /// Books an attempt; says whether a try must be begun for it.
  bool put(caf::actor_id peer, order x) {
    std::lock_guard guard{mutex_};
    return orders_.insert_or_assign(peer, std::move(x)).second;
  }

  /// What is to be tried now for this peer. An empty order stays to say that
  /// a try is under way.
  order take(caf::actor_id peer) {
    std::lock_guard guard{mutex_};
    return std::exchange(orders_.at(peer), std::nullopt).value();
  }

  /// A try is over; says whether another must follow.
  bool close(caf::actor_id peer) {
    std::lock_guard guard{mutex_};
    auto i = orders_.find(peer);
    auto more = i->second.has_value();
    if (!more)
      orders_.erase(i);
    return more;
  }

  /// Nothing that is tried now matters any more.
  void end() noexcept {
    ended_ = true;
  }

  bool has_ended() const noexcept {
    return ended_;
  }

  void forget(caf::actor_id peer) {
    std::lock_guard guard{mutex_};
    orders_.erase(peer);
  }

private:
  std::mutex mutex_;
  std::map<caf::actor_id, std::optional<order>> orders_;
  std::atomic<bool> ended_{false};
};

class line_job : public worker_pool::job {
public:
  /// Without a context, connects without TLS.
  line_job(caf::actor_system& system, worker_pool& pool,
           tls_context::pointer context,
           std::shared_ptr<descriptor_cycle> numbers,
           std::shared_ptr<order_book> book, const peer_actor& peer)
    : system_(system),
      pool_(pool),
      context_(std::move(context)),
      numbers_(std::move(numbers)),
      book_(std::move(book)),
      id_(peer.id()),
      peer_(caf::actor_cast<caf::weak_actor_ptr>(peer)) {
    // nop
  }

  void run() override {
    order_ = book_->take(id_);
    if (order_.yields && crossing_pause.count() > 0)
      std::this_thread::sleep_for(crossing_pause);
    auto& [scheme, host, port] = order_.where;
    auto keep = [this](auto found) {
      std::visit([this](auto& x) { line_ = std::move(x); }, found);
    };
    if (context_)
      keep(connect_tls(context_, host, port, line_patience, caf_handshake()));
    else
      keep(connect_to(host, port, line_patience, caf_handshake()));
  }

  void deliver() override {
    if (book_->has_ended())
      return; // and the system may have, too
    auto strong = peer_.lock();
    if (!strong)
      return book_->forget(id_);
    auto again = book_->close(id_);
    auto peer = caf::actor_cast<peer_actor>(strong);
    if (auto* why = std::get_if<failure>(&line_))
      report(peer, order_.attempt, std::move(*why));
    else
      system_.spawn(dial, peer, order_.attempt, take_line(), order_.where.port);
    if (again)
      pool_.submit(std::make_unique<line_job>(system_, pool_, context_,
                                              numbers_, book_, peer));
  }

private:
  node_line take_line() {
    if (auto* line = std::get_if<tls_line>(&line_)) {
      line->renew(*numbers_);
      return make_line(system_, std::move(*line));
    }
    auto& socket = std::get<tcp_socket>(line_);
    return make_line(system_, numbers_->renew(std::move(socket)));
  }

  caf::actor_system& system_;
  worker_pool& pool_;
  tls_context::pointer context_;
  std::shared_ptr<descriptor_cycle> numbers_;
  std::shared_ptr<order_book> book_;
  caf::actor_id id_;
  caf::weak_actor_ptr peer_;
  order order_;
  std::variant<failure, tcp_socket, tls_line> line_;
};

/// The credentials of a system's options, read when they are first needed.
/// Thread-safe.
class credentials {
public:
  explicit credentials(caf::actor_system& system) : system_(system) {
    // nop
  }

  /// What was read, or why that is not possible.
  const std::variant<tls_context::pointer, failure>& get() const {
    std::call_once(once_, [this] {
      read_ = tls_context::make(tls_files_of(system_.config()),
                                tls_option_prefix);
    });
    return read_;
  }

private:
  caf::actor_system& system_;
  mutable std::once_flag once_;
  mutable std::variant<tls_context::pointer, failure> read_;
};

class caf_transport : public transport {
public:
  caf_transport(caf::actor_system& system, std::shared_ptr<const log> lines,
                bool with_tls)
    : system_(system),
      lines_(std::move(lines)),
      with_tls_(with_tls),
      credentials_(system),
      tries_(line_threads) {
    // nop
  }

  ~caf_transport() override {
    end();
  }

  std::string_view scheme() const noexcept override {
    return with_tls_ ? "cafs" : "caf";
  }

  /// By itself, CAF's wire has no encryption and knows nobody.
  bool is_private(const uri& where) const noexcept override {
    return with_tls_ || is_loopback(where.host);
  }

  std::optional<failure> why_unusable() const override {
    if (with_tls_)
      if (auto* why = std::get_if<failure>(&credentials_.get()))
        return *why;
    return std::nullopt;
  }

  std::variant<uri, failure> listen(const server_actor& server,
                                    const uri& where) override {
    if (!system_.has_middleman())
      return no_middleman();
    if (auto why = why_unusable())
      return *why;
    warn_of_no_heartbeats();
    auto listening = listen_in_time(where);
    if (auto* why = std::get_if<failure>(&listening))
      return failure{why->code, "cannot listen on " + to_string(where) + ": "
                                  + why->reason
                                  + (why->code == errc::address_in_use
                                       ? "; choose another port, or 0 for any"
                                       : "")};
    auto& door = std::get<tcp_socket>(listening);
    auto port = local_port(door);
    try {
      publish(server, std::move(door), port);
    } catch (const std::system_error& why) {
      return failure{errc::internal_error, "cannot listen on "
                                             + to_string(where) + ": "
                                             + why.what()};
    }
    uri result{where.scheme, where.host, port};
    own_address_ = to_string(result); // before anybody is connected to
    return result;
  }

  void unlisten(const server_actor& server, const uri& where) override {
    post(system_.middleman().actor_handle(), caf::unpublish_atom_v,
         caf::actor_cast<caf::actor_addr>(server), where.port);
  }

  void connect(const peer_actor& peer, std::uint64_t attempt,
               const uri& where) override {
    if (!system_.has_middleman())
      return report(peer, attempt, no_middleman());
    if (auto why = why_unusable())
      return report(peer, attempt, *why);
    warn_of_no_heartbeats();
    auto yields = to_string(where) < own_address_;
    if (orders_->put(peer.id(), {attempt, where, yields})
        && !tries_.submit(std::make_unique<line_job>(
          system_, tries_, context(), numbers_, orders_, peer))) {
      orders_->forget(peer.id());
      report(peer, attempt,
             {errc::peer_failed, "there is no thread to connect with"});
    }
  }

  /// The system goes: nobody may be dialled any more, and nobody let in.
  void end() {
    orders_->end();
    {
      std::lock_guard guard{mutex_};
      for (auto& each : porches_)
        if (auto porch = each.lock())
          porch->stop();
    }
    // Nobody is left behind in OpenSSL, which ends with the process.
    tries_.stop(with_tls_ ? std::chrono::nanoseconds{line_patience}
                          : std::chrono::nanoseconds{0});
  }

private:
  /// Null without TLS.
  tls_context::pointer context() const {
    return with_tls_ ? std::get<tls_context::pointer>(credentials_.get())
                     : nullptr;
  }

  void publish(const server_actor& server, tcp_socket door,
               std::uint16_t port) {
    auto whom = caf::actor_cast<caf::strong_actor_ptr>(server);
    auto interface = system_.message_types(server);
    if (!with_tls_)
      return publish_at(system_, std::move(door), port, std::move(whom),
                        std::move(interface), numbers_);
    auto complain = [lines = lines_, port](const std::string& text) {
      lines->warning("at port " + std::to_string(port) + ": " + text);
    };
    auto porch = publish_at(system_, std::move(door), port, std::move(whom),
                            std::move(interface), numbers_, context(),
                            complain);
    std::lock_guard guard{mutex_};
    std::erase_if(porches_, [](auto& each) { return each.expired(); });
    porches_.push_back(std::move(porch));
  }

  static failure no_middleman() {
    return {errc::invalid_argument,
            "the actor system has no middleman; load it in the configuration "
            "with load<caf::io::middleman>()"};
  }

  /// Our own heartbeats notice a peer that is gone; CAF's connection to it
  /// stays open without CAF's.
  void warn_of_no_heartbeats() {
    auto interval = caf_option_or(system_.config(),
                                  "middleman.heartbeat-interval",
                                  caf::defaults::middleman::heartbeat_interval);
    if (interval.count() <= 0 && !warned_.exchange(true))
      lines_->warning("CAF's heartbeats are off, so its connections to hosts "
                      "that vanish stay open: set middleman.heartbeat-"
                      "interval and middleman.connection-timeout "
                      "(galaxycache::config does)");
  }

  caf::actor_system& system_;
  std::shared_ptr<const log> lines_;
  bool with_tls_;
  credentials credentials_;
  std::mutex mutex_; // protects porches_
  std::vector<std::weak_ptr<tls_porch>> porches_;
  std::atomic<bool> warned_{false};
  std::string own_address_;
  std::shared_ptr<descriptor_cycle> numbers_
    = std::make_shared<descriptor_cycle>(std::random_device{}());
  // Shared with tries that are abandoned.
  std::shared_ptr<order_book> orders_ = std::make_shared<order_book>();
  worker_pool tries_;
};

std::shared_ptr<transport> make(caf::actor_system& system,
                                std::shared_ptr<const log> lines,
                                bool with_tls) {
  auto result = std::make_shared<caf_transport>(system, std::move(lines),
                                                with_tls);
  at_system_end(system, [weak = std::weak_ptr<caf_transport>{result}] {
    if (auto strong = weak.lock())
      strong->end();
  });
  return result;
}

} // namespace

std::shared_ptr<transport>
make_caf_transport(caf::actor_system& system,
                   std::shared_ptr<const log> lines) {
  return make(system, std::move(lines), false);
}

std::shared_ptr<transport>
make_cafs_transport(caf::actor_system& system,
                    std::shared_ptr<const log> lines) {
  return make(system, std::move(lines), true);
}

} // namespace galaxycache
