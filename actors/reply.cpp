#include "galaxycache/actors/reply.hpp"

#include "galaxycache/runtime/planted.hpp"

namespace galaxycache {

reply::numbered::numbered(answer_outbox& by, asker_actor to, std::uint64_t id)
  : by_(&by),
    to_(std::move(to)),
    id_(id) {
  // nop
}

reply::numbered::numbered(numbered&& other) noexcept
  : by_(other.by_),
    to_(std::exchange(other.to_, {})),
    id_(other.id_) {
  // nop
}

reply::numbered& reply::numbered::operator=(numbered&& other) noexcept {
  if (this != &other) {
    break_promise();
    by_ = other.by_;
    to_ = std::exchange(other.to_, {});
    id_ = other.id_;
  }
  return *this;
}

reply::numbered::~numbered() {
  break_promise();
}

void reply::numbered::deliver(answered x) {
  if (!to_)
    return;
  x.id = id_;
  if (GALAXYCACHE_PLANTED(double_answer))
    by_->add(to_, x);
  by_->add(std::exchange(to_, {}), std::move(x));
}

bool reply::numbered::asker_is_gone() const {
  return is_terminated(caf::actor_cast<caf::strong_actor_ptr>(to_));
}

void reply::numbered::break_promise() {
  if (to_)
    deliver({0, {}, {errc::internal_error, "a get was forgotten"}});
}

reply::reply(caf::typed_response_promise<answer> promise)
  : to_(sure_promise<answer>{std::move(promise)}) {
  // nop
}

reply::reply(answer_outbox& by, asker_actor to, std::uint64_t id)
  : to_(numbered{by, std::move(to), id}) {
  // nop
}

reply::~reply() {
  // nop
}

void reply::deliver(const answer& x) {
  if (auto* promise = std::get_if<sure_promise<answer>>(&to_))
    promise->deliver(x);
  else
    std::get<numbered>(to_).deliver({0, x, {}});
}

void reply::deliver(const failure& why) {
  if (auto* promise = std::get_if<sure_promise<answer>>(&to_))
    promise->deliver(make_error(why));
  else
    std::get<numbered>(to_).deliver({0, {}, why});
}

bool reply::asker_is_gone() const {
  if (auto* promise = std::get_if<sure_promise<answer>>(&to_))
    return promise->asker_is_gone();
  return std::get<numbered>(to_).asker_is_gone();
}

// -- fetches ------------------------------------------------------------------

fetch_reply::fetch_reply(promise_type promise) : promise_(std::move(promise)) {
  // nop
}

fetch_reply::fetch_reply(fetcher_actor to, std::uint64_t id)
  : to_(std::move(to)),
    id_(id) {
  // nop
}

fetch_reply::fetch_reply(fetch_reply&& other) noexcept
  : promise_(std::exchange(other.promise_, std::nullopt)),
    to_(std::exchange(other.to_, {})),
    id_(other.id_) {
  // nop
}

fetch_reply::~fetch_reply() {
  if (!to_)
    return;
  fetched_outbox outbox;
  deliver(failure{errc::internal_error, "a fetch was forgotten"}, outbox);
}

void fetch_reply::deliver(load_result outcome, fetched_outbox& outbox) {
  if (promise_)
    promise_->deliver(std::move(outcome));
  else if (auto to = std::exchange(to_, {}))
    outbox.add(to, {id_, std::move(outcome)});
}

} // namespace galaxycache
