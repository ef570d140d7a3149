#include "galaxycache/actors/loader.hpp"

#include "galaxycache/runtime/planted.hpp"

#include <algorithm>
#include <utility>

namespace galaxycache {

namespace {

// An owner that has not answered by then is asked no longer, so that there is
// time for somebody else: at most this, and at most a third of what is left.
constexpr auto attempt_max = std::chrono::seconds{1};
constexpr auto attempt_share = 3;

/// Runs a backend function on a worker and tells the loader. Holds nothing of
/// the universe's: on a worker that is abandoned it may outlive the system.
class backend_job : public worker_pool::job {
public:
  /// Takes a place in the queue that the caller has entered.
  backend_job(std::shared_ptr<gate> queue, const backend::pooled& source,
              const loader_actor& to, const load_order& order,
              std::stop_token stop)
    : queue_(std::move(queue)),
      load_(source.load),
      to_(caf::actor_cast<caf::weak_actor_ptr>(to)),
      key_(order.key),
      context_{std::move(stop)} {
    done_.serial = order.serial;
  }

  ~backend_job() override {
    if (queue_)
      queue_->leave();
  }

  void run() override {
    done_.outcome = run_backend(*load_, key_, context_);
    // Before anybody hears of it and sends the next.
    std::exchange(queue_, nullptr)->leave();
  }

  void deliver() override {
    if (auto strong = to_.lock())
      post(caf::actor_cast<loader_actor>(strong), std::move(done_));
  }

private:
  std::shared_ptr<gate> queue_; // null once left
  std::shared_ptr<const backend::load_function> load_;
  // Weak: a worker must not be the last to hold an actor.
  caf::weak_actor_ptr to_;
  std::string key_;
  load_context context_;
  work_done done_;
};

} // namespace

loader_state::~loader_state() {
  // Whatever it has set off is of no use to anybody.
  stop_.request_stop();
}

loader_actor::behavior_type loader_state::start(loader_actor::pointer self,
                                                loader_config config) {
  self_ = self;
  config_ = std::move(config);
  random_ = random_source{config_.galaxy->home->next_seed()};
  harden(self, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a loader crashed"});
  });
  return {
    [this](load_order& order) { take(std::move(order)); },
    [this](stop_atom, std::uint64_t serial) {
      if (busy_ && serial == order_.serial)
        stop_.request_stop();
    },
    [this](work_done& done) {
      if (busy_ && done.serial == order_.serial)
        backend_done(std::move(done.outcome));
    },
  };
}

mono_time loader_state::now() const {
  return config_.galaxy->home->time->now();
}

void loader_state::take(load_order order) {
  order_ = std::move(order);
  busy_ = true;
  asked_again_ = false;
  if (order_.leg == leg_kind::local) {
    stop_ = std::stop_source{};
    if (order_.peek_previous)
      peek_previous_owner();
    else
      call_backend();
    return;
  }
  if (auto* owner = order_.view->remote_owner(order_.key))
    ask_owner(*owner, order_.view->owner_id(order_.key));
  else
    finish(failure{errc::peer_failed, "nobody else owns the key"},
           hit_level::miss);
}

// -- the peer leg -------------------------------------------------------------

void loader_state::ask_owner(const peer_actor& owner, const value& owner_id) {
  asked_id_ = owner_id;
  auto start = now();
  auto share = (order_.deadline - start) / attempt_share;
  auto patience = std::clamp<std::chrono::nanoseconds>(
    share, std::chrono::nanoseconds{0}, attempt_max);
  fetch wanted;
  wanted.galaxy = config_.galaxy->wire_name;
  wanted.key = order_.key;
  wanted.deadline = start + patience;
  request(self_, owner, std::move(wanted))
    .then(
      [this, serial = order_.serial](load_result& outcome) {
        if (busy_ && serial == order_.serial)
          owner_answered(std::move(outcome));
      },
      [this, serial = order_.serial](caf::error& why) {
        // The peer actor is gone: the ring has removed it.
        if (busy_ && serial == order_.serial)
          owner_answered(failure{errc::unavailable, describe(why)});
      });
}

void loader_state::owner_answered(load_result outcome) {
  if (auto why = too_large(outcome))
    outcome = *why;
  if (outcome.found()) {
    limit_lifetime(outcome.content(), config_.galaxy->options.get_ttl);
    finish(std::move(outcome), hit_level::peer);
    return;
  }
  auto moved = outcome.error().code == errc::unavailable
               || outcome.error().code == errc::peer_failed;
  if (moved && !asked_again_) {
    asked_again_ = true;
    // Another ring may have another owner, who may do better.
    auto current = config_.galaxy->home->view.get();
    if (current && current != order_.view) {
      order_.view = std::move(current);
      auto* owner = order_.view->remote_owner(order_.key);
      auto id = order_.view->owner_id(order_.key);
      if (owner && id != asked_id_)
        return ask_owner(*owner, id);
    }
  }
  finish(std::move(outcome), hit_level::miss);
}

// -- the local leg ------------------------------------------------------------

void loader_state::peek_previous_owner() {
  auto& galaxy = *config_.galaxy;
  auto* previous = order_.view->previous_owner(order_.key);
  if (previous == nullptr)
    return call_backend();
  auto& cell = galaxy.cell_of(order_.key);
  cell.count.add(counter::coalesced_peer_peeks);
  fetch wanted;
  wanted.galaxy = galaxy.wire_name;
  wanted.key = order_.key;
  wanted.mode = fetch_mode::peek;
  auto start = now();
  wanted.deadline = start
                    + std::min<std::chrono::nanoseconds>(
                      galaxy.options.peek->timeout, order_.deadline - start);
  auto done = [this, &cell, serial = order_.serial](load_result outcome) {
    if (!busy_ || serial != order_.serial)
      return;
    if (auto why = too_large(outcome))
      outcome = *why;
    if (outcome.found()) {
      cell.count.add(counter::coalesced_peer_peek_hits);
      auto& options = config_.galaxy->options;
      limit_lifetime(outcome.content(), options.peek_ttl.sets_limit()
                                          ? options.peek_ttl
                                          : options.get_ttl);
      if (GALAXYCACHE_PLANTED(peeked_forever))
        outcome.content().expiry = never_expires;
      finish(std::move(outcome), hit_level::peek);
      return;
    }
    if (outcome.failed())
      cell.count.add(counter::coalesced_peer_peek_errors);
    call_backend();
  };
  request(self_, *previous, std::move(wanted))
    .then([done](load_result& outcome) { done(std::move(outcome)); },
          [done](caf::error& why) { done(failure_of(why)); });
}

void loader_state::call_backend() {
  auto& galaxy = *config_.galaxy;
  if (auto* inlined = std::get_if<backend::inlined>(&galaxy.source.how())) {
    load_context context{stop_.get_token()};
    backend_done(run_backend(inlined->load, order_.key, context));
    return;
  }
  if (auto* pooled = std::get_if<backend::pooled>(&galaxy.source.how())) {
    auto& queue = galaxy.jobs;
    if (!queue->try_enter())
      return finish(failure{errc::overloaded, std::to_string(queue->limit())
                                                + " loads wait for a worker"},
                    hit_level::miss);
    auto job = std::make_unique<backend_job>(queue, *pooled, self_, order_,
                                             stop_.get_token());
    if (galaxy.workers->submit(std::move(job)))
      return;
    auto draining = galaxy.home->phase != life::serving;
    finish(draining ? failure{errc::draining, {}}
                    : failure{errc::overloaded, "there are no more threads"},
           hit_level::miss);
    return;
  }
  if (GALAXYCACHE_PLANTED(load_twice))
    post(std::get<backend_actor>(galaxy.source.how()), load_atom_v, order_.key);
  request(self_, std::get<backend_actor>(galaxy.source.how()), load_atom_v,
          order_.key)
    .then(
      [this, serial = order_.serial](loaded& content) {
        if (busy_ && serial == order_.serial)
          backend_done(std::move(content));
      },
      [this, serial = order_.serial](caf::error& why) {
        if (!busy_ || serial != order_.serial)
          return;
        if (code_of(why) == errc::not_found)
          backend_done(errc::not_found);
        else
          backend_done(failure{errc::backend_failed, describe(why)});
      });
}

void loader_state::backend_done(load_result outcome) {
  auto& options = config_.galaxy->options;
  if (!outcome.found())
    return finish(std::move(outcome), hit_level::miss);
  if (auto why = too_large(outcome))
    return finish(*why, hit_level::miss);
  limit_lifetime(outcome.content(), options.get_ttl);
  finish(std::move(outcome), hit_level::backend);
}

// -- both ---------------------------------------------------------------------

/// Whether a value is larger than this galaxy takes, whoever it is from.
std::optional<failure>
loader_state::too_large(const load_result& outcome) const {
  if (!outcome.found())
    return std::nullopt;
  auto size = outcome.content().data.size();
  auto limit = config_.galaxy->options.value_bytes_max;
  if (size <= limit)
    return std::nullopt;
  return failure{errc::value_too_large, std::to_string(size)
                                          + " bytes, at most "
                                          + std::to_string(limit)};
}

void loader_state::limit_lifetime(loaded& content, const ttl_cap& cap) {
  auto wall = config_.galaxy->home->time->wall_now();
  content.expiry = cap.apply(content.expiry, wall, random_);
  if (order_.gutter)
    content.expiry = ttl_cap{gutter_ttl_max, {}}.apply(content.expiry, wall,
                                                       random_);
}

void loader_state::finish(load_result outcome, hit_level level) {
  busy_ = false;
  landed result;
  result.slot = order_.slot;
  result.serial = order_.serial;
  result.outcome = std::move(outcome);
  result.level = level;
  result.owner = level == hit_level::peer
                   ? asked_id_
                   : config_.galaxy->owner_of(order_.key);
  order_.view.reset();
  stop_ = std::stop_source{std::nostopstate};
  send_to(self_, config_.cache, std::move(result));
}

loader_actor::behavior_type
loader(loader_actor::stateful_pointer<loader_state> self,
       loader_config config) {
  return state_of(self).start(self, std::move(config));
}

} // namespace galaxycache
