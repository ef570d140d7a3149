#pragma once

#include <caf/actor_system.hpp>

#include <chrono>
#include <cstddef>
#include <vector>

namespace galaxycache {

/// Lets the workers of some actor systems, of which each has this many, do what
/// they have to do, until nothing is left: for tests that have to know. What
/// comes from elsewhere, such as sockets, is not waited for. Returns false if
/// that takes longer than `patience`, or if a worker is kept busy. The systems
/// must use CAF's standard scheduler. Blocks; not for actors.
bool await_standstill(const std::vector<caf::actor_system*>& systems,
                      std::size_t workers, std::chrono::nanoseconds patience);

} // namespace galaxycache
