#pragma once

#include "galaxycache/runtime/caf/actor.hpp"

#include <caf/actor_config.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>
#if !GALAXYCACHE_CAF_1
#  include <caf/type_erased_tuple.hpp>
#endif

#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace galaxycache {

/// A typed actor with a state that may answer a request before that reaches its
/// mailbox, on the thread of whoever sends it: no other message waits for it
/// then, nor it for others. Requests to one that has ended fail as ever.
template <class Handle, class State, class Answer>
class early_actor : public std::remove_pointer_t<
                      typename Handle::template stateful_pointer<State>> {
  using super
    = std::remove_pointer_t<typename Handle::template stateful_pointer<State>>;

public:
#if GALAXYCACHE_CAF_1
  using host = caf::scheduler;
  using accepted = bool;
  /// What a message holds.
  using content = caf::message;
#else
  using host = caf::execution_unit;
  using accepted = void;
  using content = caf::type_erased_tuple;
#endif

  explicit early_actor(caf::actor_config& cfg) : super(cfg) {
    // nop
  }

  using super::enqueue;

  accepted enqueue(caf::mailbox_element_ptr what, host* where) override {
    if (is_answered(*what, where))
      return accepted(true);
    return super::enqueue(std::move(what), where);
  }

protected:
  /// The answer to a request if it is known already. Called on any thread, at
  /// any time from the constructor to the destructor: the state must not be
  /// touched.
  virtual std::optional<Answer> answer_early(const content& request) const = 0;

private:
  // Early answers on one thread in a row, and requests after them that go the
  // long way: an actor that goes on with each answer would else never let
  // others run there. Those that keep few requests on their way have none left
  // then.
  static constexpr unsigned early_max = 2048;
  static constexpr unsigned late_then = 64;

  bool is_answered(caf::mailbox_element& what, host* where) {
    if (!what.mid.is_request() || !what.sender || is_terminated(*this))
      return false;
#if !GALAXYCACHE_CAF_1
    if (!what.stages.empty())
      return false;
#endif
    static thread_local unsigned in_a_row = 0;
    if (in_a_row >= early_max) {
      in_a_row = (in_a_row + 1) % (early_max + late_then);
      return false;
    }
    auto reply = reply_to(what);
    if (!reply)
      return false;
    ++in_a_row;
    what.sender->enqueue(std::move(reply), where);
    return true;
  }

  /// Null if the request must go through the mailbox.
  caf::mailbox_element_ptr reply_to(caf::mailbox_element& what) try {
    auto result = answer_early(what.content());
    if (!result)
      return nullptr;
    caf::strong_actor_ptr self{this->ctrl()};
#if GALAXYCACHE_CAF_1
    return caf::make_mailbox_element(std::move(self), what.mid.response_id(),
                                     caf::make_message(std::move(*result)));
#else
    return caf::make_mailbox_element(std::move(self), what.mid.response_id(),
                                     {}, std::move(*result));
#endif
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
};

} // namespace galaxycache
