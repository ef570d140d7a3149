#pragma once

#include <cstdint>
#include <memory>

namespace galaxycache::soak {

/// Carries TCP connections from ports of its own on loopback to others, and
/// lets them break. Runs on a thread of its own; thread-safe. Throws
/// `std::system_error` when the system has no more ports.
class forwarder {
public:
  forwarder();

  forwarder(const forwarder&) = delete;
  forwarder& operator=(const forwarder&) = delete;

  ~forwarder();

  /// A connection-to-be: a port that leads to `aim`'s.
  using link = std::size_t;

  /// Opens a link, which leads nowhere yet.
  link open();

  /// The port to connect to.
  std::uint16_t port_of(link which) const;

  /// Connections that are made from now on lead to this port; 0 is nowhere.
  void aim(link which, std::uint16_t port);

  /// Resets the connections and refuses others until `mend`.
  void cut(link which);

  /// Carries nothing until `mend`, and tells nobody.
  void hold(link which);

  void mend(link which);

private:
  struct implementation;

  std::unique_ptr<implementation> impl_;
};

} // namespace galaxycache::soak
