#pragma once

#include "galaxycache/runtime/caf/stepper.hpp"
#include "galaxycache/testing/gets.hpp"

namespace galaxycache::testing {

namespace detail {

struct announced {
  announced();
};

} // namespace detail

/// CAF's configuration in one of the worlds.
class host_config : private detail::announced, public caf::actor_system_config {
public:
  explicit host_config(world kind);

  /// The workers of a system with real threads.
  const std::size_t workers;
};

/// An actor system of a cluster, and the client that asks in it: one for all
/// nodes, or one for each.
class host {
public:
  /// In the simulated world, `choose` chooses who is next.
  host(world kind, stepped_system::choice choose,
       std::shared_ptr<get_book> book, std::shared_ptr<clock> time);

  host(const host&) = delete;
  host& operator=(const host&) = delete;

  ~host();

  caf::actor_system& system() noexcept;

  /// Null with real threads.
  stepped_system* stepped() noexcept;

  /// How many real threads.
  std::size_t workers() const noexcept {
    return cfg_.workers;
  }

  const caf::actor& client() const noexcept {
    return client_;
  }

private:
  host_config cfg_;
  std::optional<stepped_system> stepped_;
  std::optional<caf::actor_system> threaded_;
  caf::actor client_;
};

/// Lets hosts with real threads do what they have to do.
void await_rest(const std::vector<host*>& hosts);

} // namespace galaxycache::testing
