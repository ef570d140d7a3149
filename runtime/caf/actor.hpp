#pragma once

#include "galaxycache/runtime/caf/version.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/timespan.hpp>
#include <caf/typed_response_promise.hpp>

#if GALAXYCACHE_CAF_1
#  include <caf/anon_mail.hpp>
#endif

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace galaxycache {

/// The state of a stateful actor.
#if GALAXYCACHE_CAF_1
template <class Self>
auto state_of(Self* self) -> decltype((self->state())) {
  return self->state();
}
#else
template <class Self>
auto state_of(Self* self) -> decltype((self->state)) {
  return self->state;
}
#endif

/// Sends a message that expects no answer.
template <class Self, class Handle, class... Ts>
void send_to(Self* self, const Handle& to, Ts&&... xs) {
#if GALAXYCACHE_CAF_1
  self->mail(std::forward<Ts>(xs)...).send(to);
#else
  self->send(to, std::forward<Ts>(xs)...);
#endif
}

/// Sends from outside of any actor, or where nobody is to be answered.
template <class Handle, class... Ts>
void post(const Handle& to, Ts&&... xs) {
#if GALAXYCACHE_CAF_1
  caf::anon_mail(std::forward<Ts>(xs)...).send(to);
#else
  caf::anon_send(to, std::forward<Ts>(xs)...);
#endif
}

/// Asks; the receiver promises to answer, so CAF arms no timeout.
template <class Self, class Handle, class... Ts>
auto request(Self* self, const Handle& to, Ts&&... xs) {
#if GALAXYCACHE_CAF_1
  return self->mail(std::forward<Ts>(xs)...).request(to, caf::infinite);
#else
  return self->request(to, caf::infinite, std::forward<Ts>(xs)...);
#endif
}

/// Asks somebody whose promise to answer is not ours.
template <class Self, class Handle, class... Ts>
auto request_within(Self* self, const Handle& to, caf::timespan timeout,
                    Ts&&... xs) {
#if GALAXYCACHE_CAF_1
  return self->mail(std::forward<Ts>(xs)...).request(to, timeout);
#else
  return self->request(to, timeout, std::forward<Ts>(xs)...);
#endif
}

/// Lets another actor answer the current request.
template <class Self, class Handle, class... Ts>
auto delegate(Self* self, const Handle& to, Ts&&... xs) {
#if GALAXYCACHE_CAF_1
  return self->mail(std::forward<Ts>(xs)...).delegate(to);
#else
  return self->delegate(to, std::forward<Ts>(xs)...);
#endif
}

/// Base of an actor's state. CAF 0.17 forgets to destroy the state of an actor
/// that waits to run when its system goes; with this it does not.
class actor_state {
public:
#if GALAXYCACHE_CAF_1
  template <class Self>
  void destroy_with(Self*) {
    // nop
  }
#else
  actor_state() = default;

  actor_state(const actor_state&) = delete;
  actor_state& operator=(const actor_state&) = delete;

  ~actor_state() {
    if (destroyed_)
      *destroyed_ = true;
  }

  /// Called once, when the actor starts; `harden` does.
  template <class Self>
  void destroy_with(Self* self) {
    // An actor keeps what is attached for longer than its state.
    auto destroyed = std::make_unique<bool>(false);
    destroyed_ = destroyed.get();
    self->attach_functor(
      [self, destroyed = std::move(destroyed)](const caf::error&) {
        if (!*destroyed)
          self->on_exit();
      });
  }

private:
  bool* destroyed_ = nullptr;
#endif
};

CAF_PUSH_DEPRECATED_WARNING

/// Gives a long-lived actor its manners: messages it does not know are
/// dropped, errors sent to it do not kill it, and an exception in a handler
/// ends it with the error that `on_crash` makes of it.
template <class Self, class OnCrash>
void harden(Self* self, OnCrash on_crash) {
  self->set_default_handler(caf::drop);
  self->set_error_handler([](caf::error&) {});
  self->set_exception_handler(
    [on_crash](caf::scheduled_actor*, std::exception_ptr& thrown) {
      return on_crash(thrown);
    });
}

/// The same for one with a state, which is destroyed when the actor ends.
template <class Self, class OnCrash>
void harden(Self* self, actor_state& state, OnCrash on_crash) {
  state.destroy_with(self);
  harden(self, std::move(on_crash));
}

/// Whether an actor has terminated, as far as this thread can see.
inline bool is_terminated(const caf::abstract_actor& whom) {
#if GALAXYCACHE_CAF_1
  constexpr auto flag = caf::abstract_actor::is_terminated_flag;
#else
  constexpr auto flag = caf::abstract_actor::is_cleaned_up_flag;
#endif
  return whom.getf(flag);
}

/// The same; false for nobody.
inline bool is_terminated(const caf::strong_actor_ptr& whom) {
  return whom && is_terminated(*whom->get());
}

/// Who waits for a promise; null once it is fulfilled.
template <class... Ts>
caf::strong_actor_ptr
asker_of(const caf::typed_response_promise<Ts...>& promise) {
#if GALAXYCACHE_CAF_1
  return promise.source();
#else
  // Only the conversion is not const.
  auto& mutable_promise
    = const_cast<caf::typed_response_promise<Ts...>&>(promise);
  return static_cast<caf::response_promise&>(mutable_promise).source();
#endif
}

/// Calls back when a monitored actor is gone. One member of an actor's state.
class monitors {
public:
  using callback = std::function<void(const caf::error&)>;

#if GALAXYCACHE_CAF_1
  template <class Self, class Handle>
  void watch(Self* self, const Handle& whom, callback f) {
    self->monitor(whom, [f = std::move(f)](const caf::error& why) { f(why); });
  }
#else
  template <class Self, class Handle>
  void watch(Self* self, const Handle& whom, callback f) {
    if (!installed_) {
      installed_ = true;
      self->set_down_handler([this](caf::down_msg& down) {
        auto i = callbacks_.find(down.source);
        if (i == callbacks_.end())
          return;
        auto f = std::move(i->second);
        callbacks_.erase(i);
        f(down.reason);
      });
    }
    callbacks_.emplace(caf::actor_cast<caf::actor_addr>(whom), std::move(f));
    self->monitor(whom);
  }

private:
  bool installed_ = false;
  std::multimap<caf::actor_addr, callback> callbacks_;
#endif
};

CAF_POP_WARNINGS

} // namespace galaxycache
