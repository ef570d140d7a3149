#pragma once

#include "galaxycache/actors/pending.hpp"

#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

namespace galaxycache {

/// The results of asking for many keys: some are there, others may be on their
/// way. Used as `pending` is.
template <class Request>
class [[nodiscard]] pending_many {
public:
  using places = std::vector<std::vector<std::size_t>>;

  /// `asked` brings a result for each of `missing`, for all of its places.
  pending_many(std::vector<get_result> known, places missing, Request asked)
    : known_(std::move(known)),
      missing_(std::move(missing)),
      state_(std::move(asked)) {
    // nop
  }

  explicit pending_many(std::vector<get_result> known)
    : known_(std::move(known)) {
    // nop
  }

  explicit pending_many(failure why) : state_(std::move(why)) {
    // nop
  }

  /// For event-based actors: continues with the results, now or later.
  template <class OnAnswer, class OnError>
  void then(OnAnswer on_answer, OnError on_error) && {
    if (deliver_known(on_answer, on_error))
      return;
    std::move(std::get<Request>(state_))
      .then(
        [known = std::move(known_), missing = std::move(missing_),
         on_answer = std::move(on_answer)](std::vector<get_result>& x) mutable {
          fill(known, missing, x);
          on_answer(std::as_const(known));
        },
        [on_error = std::move(on_error)](caf::error& why) mutable {
          why = make_error(failure_of(why));
          on_error(std::as_const(why));
        });
  }

  /// For blocking actors: waits for the results.
  template <class OnAnswer, class OnError>
  void receive(OnAnswer on_answer, OnError on_error) && {
    if (deliver_known(on_answer, on_error))
      return;
    std::move(std::get<Request>(state_))
      .receive(
        [&](std::vector<get_result>& x) {
          fill(known_, missing_, x);
          on_answer(std::as_const(known_));
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
    if (auto* why = std::get_if<failure>(&state_)) {
      const auto error = make_error(std::move(*why));
      on_error(error);
    } else {
      on_answer(std::as_const(known_));
    }
    return true;
  }

  static void fill(std::vector<get_result>& known, const places& missing,
                   std::vector<get_result>& x) {
    for (std::size_t i = 0; i < missing.size(); ++i) {
      auto& all = missing[i];
      for (std::size_t k = 1; k < all.size(); ++k)
        known[all[k]] = x[i];
      known[all.front()] = std::move(x[i]);
    }
  }

  std::vector<get_result> known_;
  places missing_;
  std::variant<std::monostate, failure, Request> state_;
};

} // namespace galaxycache
