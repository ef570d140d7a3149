#include "galaxycache/actors/loader.hpp"

#include "galaxycache/runtime/planted.hpp"

#include <algorithm>
#include <utility>

namespace galaxycache {

namespace {

/// Of a load that nobody waits for when its turn comes.
failure given_up() {
  return {errc::deadline_exceeded, "nobody waits any more"};
}

/// Runs a backend function on a worker and tells the loader. Holds nothing of
/// the universe's: on a worker that is abandoned it may outlive the system.
class backend_job : public worker_pool::job {
public:
  /// Takes a place in the queue that the caller has entered.
  backend_job(std::shared_ptr<gate> queue, const backend::pooled& source,
              const loader_actor& to, std::uint64_t serial, std::string key,
              std::stop_token stop)
    : queue_(std::move(queue)),
      load_(source.load),
      to_(caf::actor_cast<caf::weak_actor_ptr>(to)),
      key_(std::move(key)),
      context_{std::move(stop)} {
    done_.serial = serial;
  }

  ~backend_job() override {
    if (queue_)
      queue_->leave();
  }

  void run() override {
    // Whoever waited for it may have left while it was in the queue.
    if (context_.stop.stop_requested())
      done_.outcome = given_up();
    else
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
  harden(self, *this, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a loader crashed"});
  });
  return {
    [this](load_order& order) { take(std::move(order)); },
    [this](stop_atom, std::uint64_t serial) {
      if (!load_ || serial != serial_)
        return;
      stopped_ = true;
      stop_.request_stop();
    },
    [this](work_done& done) {
      if (load_ && done.serial == serial_)
        backend_done(std::move(done.outcome));
    },
  };
}

mono_time loader_state::now() const {
  return config_.galaxy->home->time->now();
}

void loader_state::take(load_order order) {
  slot_ = order.slot;
  serial_ = order.serial;
  load_ = std::move(order.what);
  asked_again_ = false;
  asked_successor_ = false;
  stopped_ = false;
  if (load_->leg == leg_kind::local) {
    if (load_->peek_previous)
      peek_previous_owner();
    else
      call_backend();
    return;
  }
  asked_id_ = std::move(load_->owner);
  first_asked_ = asked_id_;
  auto outcome = std::exchange(load_->outcome, {});
  if (!ask_another())
    finish(std::move(outcome), hit_level::miss);
}

// -- the peer leg -------------------------------------------------------------

/// Asks a member of the view.
void loader_state::ask_peer(std::uint32_t member) {
  auto& view = *load_->view;
  asked_id_ = view.ids[member];
  fetch wanted;
  wanted.galaxy = config_.galaxy->wire_name;
  wanted.key = load_->key;
  wanted.deadline = config_.galaxy->attempt_deadline(now(), load_->deadline);
  wanted.gutter = asked_successor_;
  request(self_, view.peers[member], std::move(wanted))
    .then(
      [this, serial = serial_](load_result& outcome) {
        if (load_ && serial == serial_)
          peer_answered(std::move(outcome));
      },
      [this, serial = serial_](caf::error& why) {
        // The peer actor is gone: the ring has removed it.
        if (load_ && serial == serial_)
          peer_answered(failure{errc::unavailable, describe(why)});
      });
}

void loader_state::peer_answered(load_result outcome) {
  if (auto why = config_.galaxy->too_large(outcome))
    outcome = *why;
  if (outcome.found()) {
    load_->gutter = asked_successor_;
    limit_lifetime(outcome.content(), config_.galaxy->options.get_ttl);
    finish(std::move(outcome), hit_level::peer);
    return;
  }
  if (outcome.failed() && is_away(outcome.error().code) && ask_another())
    return;
  finish(std::move(outcome), hit_level::miss);
}

/// Asks whoever has the key if the one who was asked is away: its owner in a
/// newer view of the ring, or else the successor, so that it is loaded once and
/// not by everybody. Returns false if that is nobody else.
bool loader_state::ask_another() {
  auto& galaxy = *config_.galaxy;
  auto current = galaxy.home->view.get();
  if (!current)
    return false;
  auto owner = current->members.owner(load_->key);
  load_->view = std::move(current);
  auto& view = *load_->view;
  if (!owner || !view.peers[*owner] || asked_successor_)
    return false;
  if (!asked_again_ && view.ids[*owner] != asked_id_) {
    if (!galaxy.retries.try_spend())
      return false;
    asked_again_ = true;
    ask_peer(*owner);
    return true;
  }
  auto successor = view.members.successor(load_->key);
  // Not who was the owner before and is away.
  if (!successor || view.ids[*successor] == first_asked_)
    return false;
  if (!view.peers[*successor]) {
    load_->stands_in = true;
    return false;
  }
  asked_successor_ = true;
  galaxy.cell_of(load_->key).count.add(counter::gutter_fetches);
  ask_peer(*successor);
  return true;
}

// -- the local leg ------------------------------------------------------------

void loader_state::peek_previous_owner() {
  auto& galaxy = *config_.galaxy;
  auto* previous = load_->view->previous_owner(load_->key);
  if (previous == nullptr)
    return call_backend();
  auto& cell = galaxy.cell_of(load_->key);
  cell.count.add(counter::coalesced_peer_peeks);
  fetch wanted;
  wanted.galaxy = galaxy.wire_name;
  wanted.key = load_->key;
  wanted.mode = fetch_mode::peek;
  auto start = now();
  wanted.deadline = start
                    + std::min<std::chrono::nanoseconds>(
                      galaxy.options.peek->timeout, load_->deadline - start);
  auto done = [this, &cell, serial = serial_](load_result outcome) {
    if (!load_ || serial != serial_)
      return;
    if (auto why = config_.galaxy->too_large(outcome))
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
  if (stopped_) // while the previous owner peeked
    return finish(given_up(), hit_level::miss);
  if (auto* inlined = std::get_if<backend::inlined>(&galaxy.source.how())) {
    // Nobody can ask it to stop.
    backend_done(run_backend(inlined->load, load_->key, {}));
    return;
  }
  if (auto* pooled = std::get_if<backend::pooled>(&galaxy.source.how())) {
    auto& queue = galaxy.jobs;
    if (!queue->try_enter())
      return finish(failure{errc::overloaded, std::to_string(queue->limit())
                                                + " loads wait for a worker"},
                    hit_level::miss);
    stop_ = std::stop_source{};
    auto job = std::make_unique<backend_job>(queue, *pooled, self_, serial_,
                                             load_->key, stop_.get_token());
    if (galaxy.workers->submit(std::move(job)))
      return;
    auto draining = galaxy.home->phase != life::serving;
    finish(draining ? failure{errc::draining, {}}
                    : failure{errc::overloaded, "there are no more threads"},
           hit_level::miss);
    return;
  }
  if (GALAXYCACHE_PLANTED(load_twice))
    post(std::get<backend_actor>(galaxy.source.how()), load_atom_v, load_->key);
  request(self_, std::get<backend_actor>(galaxy.source.how()), load_atom_v,
          load_->key)
    .then(
      [this, serial = serial_](loaded& content) {
        if (load_ && serial == serial_)
          backend_done(std::move(content));
      },
      [this, serial = serial_](caf::error& why) {
        if (!load_ || serial != serial_)
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
  if (auto why = config_.galaxy->too_large(outcome))
    return finish(*why, hit_level::miss);
  limit_lifetime(outcome.content(), options.get_ttl);
  finish(std::move(outcome), hit_level::backend);
}

// -- both ---------------------------------------------------------------------

void loader_state::limit_lifetime(loaded& content, const ttl_cap& cap) {
  auto wall = config_.galaxy->home->time->wall_now();
  content.expiry = cap.apply(content.expiry, wall, random_);
  if (load_->gutter)
    content.expiry = ttl_cap{gutter_ttl_max, {}}.apply(content.expiry, wall,
                                                       random_);
}

/// Whose the key is that was loaded here: mostly this process's. If the ring
/// had another owner, that one may have left it since.
value loader_state::owner_of_loaded() const {
  auto& galaxy = *config_.galaxy;
  auto owner = galaxy.owner_in(load_->view.get(), load_->key);
  return owner == galaxy.home->self_id ? owner : galaxy.owner_of(load_->key);
}

void loader_state::finish(load_result outcome, hit_level level) {
  load_->outcome = std::move(outcome);
  load_->level = level;
  load_->owner = level == hit_level::peer ? asked_id_ : owner_of_loaded();
  stop_ = std::stop_source{std::nostopstate};
  send_to(self_, config_.cache, landed{slot_, serial_, std::move(load_)});
}

loader_actor::behavior_type
loader(loader_actor::stateful_pointer<loader_state> self,
       loader_config config) {
  return state_of(self).start(self, std::move(config));
}

} // namespace galaxycache
