#pragma once

#include "galaxycache/runtime/caf/version.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/attachable.hpp>
#include <caf/exit_reason.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>
#include <caf/system_messages.hpp>

#include <functional>
#include <utility>

namespace galaxycache {

#if GALAXYCACHE_CAF_1
using caf_worker = caf::scheduler;
#else
using caf_worker = caf::execution_unit;
#endif

namespace detail {

/// The scheduler's worker that runs an `at_system_end` on this thread.
inline thread_local caf_worker* ending_worker = nullptr;

class system_end : public caf::attachable {
public:
  explicit system_end(std::function<void()> f) : f_(std::move(f)) {
    // nop
  }

  void actor_exited(const caf::error&, caf_worker* worker) override {
    auto* before = std::exchange(ending_worker, worker);
    f_();
    ending_worker = before;
  }

private:
  std::function<void()> f_;
};

} // namespace detail

/// Calls `f` when an actor system begins to go: CAF ends its own spawn server
/// first of all, while its scheduler still runs. Nobody waits for hidden actors
/// then; `end_actor` ends them in time.
inline void at_system_end(caf::actor_system& system, std::function<void()> f) {
  auto* witness = caf::actor_cast<caf::abstract_actor*>(system.spawn_serv());
  witness->attach(caf::attachable_ptr{new detail::system_end{std::move(f)}});
}

/// Whether an actor system has begun to go and waits for no more actors.
inline bool is_ending([[maybe_unused]] caf::actor_system& system) {
#if GALAXYCACHE_CAF_1
  return false; // need not be known there
#else
  return !system.registry().get(caf::atom("SpawnServ"));
#endif
}

/// Kills an actor. Called from an `at_system_end`, it has the actor end on the
/// worker that runs that, before the worker is stopped: others may have been.
inline void end_actor(const caf::strong_actor_ptr& whom) {
  if (!whom)
    return;
  caf::exit_msg death{whom->address(), caf::exit_reason::kill};
  auto id = caf::make_message_id(caf::message_priority::high);
#if GALAXYCACHE_CAF_1
  whom->enqueue(caf::make_mailbox_element(nullptr, id, std::move(death)),
                detail::ending_worker);
#else
  whom->enqueue(nullptr, id, caf::make_message(std::move(death)),
                detail::ending_worker);
#endif
}

} // namespace galaxycache
