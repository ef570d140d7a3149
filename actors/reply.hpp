#pragma once

#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/actor.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace galaxycache {

/// A response promise that cannot be forgotten: destroyed without an answer it
/// answers with `internal_error`. (CAF 0.17 says nothing when a promise is
/// dropped.) Move-only; belongs to the actor that made the promise.
template <class T>
class sure_promise {
public:
  using promise_type = caf::typed_response_promise<T>;

  explicit sure_promise(promise_type promise) : promise_(std::move(promise)) {
    // nop
  }

  sure_promise(sure_promise&& other) noexcept
    : promise_(std::exchange(other.promise_, std::nullopt)) {
    // nop
  }

  sure_promise& operator=(sure_promise&& other) noexcept {
    if (this != &other) {
      break_promise();
      promise_ = std::exchange(other.promise_, std::nullopt);
    }
    return *this;
  }

  ~sure_promise() {
    break_promise();
  }

  void deliver(T x) {
    if (promise_)
      promise_->deliver(std::move(x));
    promise_.reset();
  }

  void deliver(caf::error why) {
    if (promise_)
      promise_->deliver(std::move(why));
    promise_.reset();
  }

  /// For a handler to return.
  const promise_type& promise() const {
    return *promise_;
  }

  /// Whether whoever asked has terminated.
  bool asker_is_gone() const {
    return promise_ && is_terminated(asker_of(*promise_));
  }

private:
  void break_promise() {
    if (promise_)
      deliver(make_error({errc::internal_error, "a get was forgotten"}));
  }

  std::optional<promise_type> promise_;
};

/// What goes to several actors, gathered so that each gets one message. Part of
/// an actor's state; what is left when it is destroyed leaves then.
template <class Handle, class Message>
class outbox {
public:
  using item = typename Message::item;

  outbox() = default;

  /// Calls `wake` when there is something to send.
  explicit outbox(std::function<void()> wake) : wake_(std::move(wake)) {
    // nop
  }

  outbox(const outbox&) = delete;
  outbox& operator=(const outbox&) = delete;

  ~outbox() {
    send();
  }

  void add(const Handle& to, item x) {
    if (all_.empty() && wake_)
      wake_();
    auto i = std::ranges::find(all_, to, [](auto& y) { return y.first; });
    if (i == all_.end()) {
      Message empty;
      empty.all = std::make_shared<std::vector<item>>();
      i = all_.insert(i, {to, std::move(empty)});
    }
    i->second.all->push_back(std::move(x));
  }

  /// Everything leaves.
  void send() {
    for (auto& [to, message] : std::exchange(all_, {}))
      post(to, std::move(message));
  }

private:
  std::function<void()> wake_;
  std::vector<std::pair<Handle, Message>> all_;
};

using answer_outbox = outbox<asker_actor, answers>;
using fetched_outbox = outbox<fetcher_actor, fetched>;

/// The one answer that a get is owed, whoever asked: a caller with a request,
/// or an asker with a numbered question. Move-only; destroyed unanswered it
/// answers `internal_error`. Belongs to a cache actor.
class reply {
public:
  /// Owed to the sender of a request.
  explicit reply(caf::typed_response_promise<answer> promise);

  /// Owed to an asker: leaves with the outbox, which must outlive this.
  reply(answer_outbox& by, asker_actor to, std::uint64_t id);

  reply(reply&&) noexcept = default;
  reply& operator=(reply&&) noexcept = default;
  ~reply();

  void deliver(const answer& x);
  void deliver(const failure& why);

  /// Whether whoever asked has terminated.
  bool asker_is_gone() const;

private:
  /// An asker's question; empty once answered or moved from.
  class numbered {
  public:
    numbered(answer_outbox& by, asker_actor to, std::uint64_t id);
    numbered(numbered&& other) noexcept;
    numbered& operator=(numbered&& other) noexcept;
    ~numbered();

    void deliver(answered x);
    bool asker_is_gone() const;

  private:
    void break_promise();

    answer_outbox* by_;
    asker_actor to_;
    std::uint64_t id_;
  };

  std::variant<sure_promise<answer>, numbered> to_;
};

/// The one outcome that a fetch is owed, whether it came as a request or by
/// number. Move-only; destroyed without it says `internal_error`. Belongs to
/// the actor that was asked.
class fetch_reply {
public:
  using promise_type = caf::typed_response_promise<load_result>;

  explicit fetch_reply(promise_type promise);
  fetch_reply(fetcher_actor to, std::uint64_t id);

  fetch_reply(fetch_reply&& other) noexcept;
  fetch_reply& operator=(fetch_reply&&) = delete;
  ~fetch_reply();

  /// What was asked for by number leaves with the outbox.
  void deliver(load_result outcome, fetched_outbox& outbox);

private:
  std::optional<sure_promise<load_result>> promise_;
  fetcher_actor to_; // null if it is a promise, or delivered
  std::uint64_t id_ = 0;
};

} // namespace galaxycache
