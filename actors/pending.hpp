#pragma once

#include "galaxycache/messages/actors.hpp"

#include <caf/error.hpp>

#include <utility>
#include <variant>

namespace galaxycache {

/// Answers run in place may ask again, and be answered in place again: a walk
/// over a linked structure in memory. This bounds the depth of the stack of the
/// thread it lives on.
class in_place_call {
public:
  in_place_call() noexcept {
    ++depth_;
  }

  ~in_place_call() {
    --depth_;
  }

  in_place_call(const in_place_call&) = delete;
  in_place_call& operator=(const in_place_call&) = delete;

  /// Whether one more may run on this thread.
  static bool allowed() noexcept {
    return depth_ < depth_max;
  }

private:
  static constexpr int depth_max = 32; // calls
  static inline thread_local int depth_ = 0;
};

/// Whom to ask for what this process does not hold, and how; counted in.
struct way_on {
  cache_actor cache;
  ticket terms;
};

/// The pointer to an actor that asks: from itself, or from whatever stands for
/// it, such as a caf::scoped_actor.
template <class Self>
auto actor_pointer(Self&& self) {
  if constexpr (requires { self.ptr(); })
    return self.ptr();
  else if constexpr (requires { self.internal_ptr(); })
    return self.internal_ptr();
  else
    return self;
}

/// What a `pending` does with what was asked for before anybody sees it:
/// nothing.
struct as_it_comes {
  template <class T>
  void operator()(T&) const noexcept {
    // nop
  }
};

/// An answer that is there, or on its way: call `then` or `receive`, once and
/// at once, on the thread that asked. Errors reach `on_error` as ours whatever
/// their source; see `code_of`. `Finish` completes an answer that was on its
/// way.
template <class T, class Request, class Finish = as_it_comes>
class [[nodiscard]] pending {
public:
  explicit pending(T known) : state_(std::move(known)) {
    // nop
  }

  explicit pending(failure why) : state_(std::move(why)) {
    // nop
  }

  explicit pending(Request asked, Finish finish = {})
    : state_(std::move(asked)),
      finish_(std::move(finish)) {
    // nop
  }

  /// For event-based actors: continues with the answer, now or later.
  template <class OnAnswer, class OnError>
  void then(OnAnswer on_answer, OnError on_error) && {
    if (deliver_known(on_answer, on_error))
      return;
    std::move(std::get<Request>(state_))
      .then(
        [on_answer = std::move(on_answer),
         finish = std::move(finish_)](T& x) mutable {
          finish(x);
          on_answer(std::as_const(x));
        },
        [on_error = std::move(on_error)](caf::error& why) mutable {
          why = make_error(failure_of(why));
          on_error(std::as_const(why));
        });
  }

  /// For blocking actors: waits for the answer.
  template <class OnAnswer, class OnError>
  void receive(OnAnswer on_answer, OnError on_error) && {
    if (deliver_known(on_answer, on_error))
      return;
    std::move(std::get<Request>(state_))
      .receive(
        [&](T& x) {
          finish_(x);
          on_answer(std::as_const(x));
        },
        [&](caf::error& why) {
          why = make_error(failure_of(why));
          on_error(std::as_const(why));
        });
  }

private:
  template <class OnAnswer, class OnError>
  bool deliver_known(OnAnswer& on_answer, OnError& on_error) {
    if (std::holds_alternative<Request>(state_))
      return false;
    in_place_call guard;
    if (auto* x = std::get_if<T>(&state_)) {
      on_answer(std::as_const(*x));
    } else {
      const auto why = make_error(std::move(std::get<failure>(state_)));
      on_error(why);
    }
    return true;
  }

  std::variant<T, failure, Request> state_;
  [[no_unique_address]] Finish finish_;
};

} // namespace galaxycache
