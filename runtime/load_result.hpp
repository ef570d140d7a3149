#pragma once

#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/error.hpp"
#include "galaxycache/runtime/value.hpp"

#include <stop_token>
#include <string>
#include <utility>

namespace galaxycache {

/// What a backend answers for a key that exists.
struct loaded {
  value data;
  /// From this moment on the value must not be answered any more.
  wall_time expiry = never_expires;
};

/// The outcome of a load: a value, *not found*, or a failure.
///
/// A backend returns one of `loaded{...}`, `errc::not_found`, or
/// `failure{errc::backend_failed, "why"}`. As thread-safe as an `int`.
class load_result {
public:
  /// A failure: nobody has set this result yet.
  load_result() : failure_{errc::internal_error, "a result was never set"} {
    // nop
  }

  load_result(loaded x) noexcept : loaded_(std::move(x)) {
    // nop
  }

  load_result(value x) noexcept : loaded_{std::move(x), never_expires} {
    // nop
  }

  load_result(errc code) : load_result(failure{code, {}}) {
    // nop
  }

  load_result(failure x) noexcept : failure_(std::move(x)) {
    // No error and no value either: only a value makes a result `found`.
    if (failure_.code == errc::none)
      failure_.code = errc::internal_error;
  }

  /// Whether there is a value.
  bool found() const noexcept {
    return failure_.code == errc::none;
  }

  /// Whether the key is known not to exist: an answer, not a failure.
  bool not_found() const noexcept {
    return failure_.code == errc::not_found;
  }

  /// Whether there is neither a value nor the knowledge that there is none.
  bool failed() const noexcept {
    return !found() && !not_found();
  }

  /// The value and its expiry; empty unless `found()`.
  const loaded& content() const noexcept {
    return loaded_;
  }

  loaded& content() noexcept {
    return loaded_;
  }

  /// Why there is no value; `errc::none` if there is one.
  const failure& error() const noexcept {
    return failure_;
  }

private:
  loaded loaded_;
  failure failure_;
};

/// What a backend function may want to know about the load it runs.
struct load_context {
  /// Requested once nobody waits for the value any more. A backend may honour
  /// it; a value that comes all the same is cached. (If nobody does when a
  /// call would begin, it is not made.)
  std::stop_token stop;
};

} // namespace galaxycache
