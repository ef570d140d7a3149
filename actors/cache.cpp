#include "galaxycache/actors/cache.hpp"

#include "galaxycache/actors/loader.hpp"
#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/planted.hpp"

#include <algorithm>

namespace galaxycache {

namespace {

// How often a flight is looked after: callers that died, a backend that hangs.
constexpr auto check_up_interval = std::chrono::seconds{1};

// Expired entries wait at least this long for the sweeper, so that it never
// runs without pause; a read does not answer them meanwhile.
constexpr auto sweep_interval = std::chrono::seconds{1};
constexpr std::size_t sweep_entries_max = 1024;

// Of each cache actor: more than these are stopped once they were idle for an
// interval.
constexpr std::size_t idle_loaders_max = 64;
constexpr auto trim_interval = std::chrono::seconds{1};

constexpr std::size_t idle_loads_max = 128;

// A longer key's memory is not kept for the next.
constexpr std::size_t kept_key_bytes_max = 256;

} // namespace

std::size_t
cache_state::key_hash::operator()(std::string_view key) const noexcept {
  return hash64(key);
}

cache_state::~cache_state() {
  flush_asked_ = true; // nothing more to oneself; the outbox empties itself
  for (auto& [key, f] : flights_)
    for (auto* l : {&f.peer, &f.local})
      if (l->active())
        galaxy().loads.leave();
  for (auto& slot : loaders_)
    if (slot.loader)
      caf::anon_send_exit(slot.loader, caf::exit_reason::kill);
  if (cell_)
    cell_->flights.store(0, std::memory_order_relaxed);
}

cache_actor::behavior_type cache_state::start(cache_actor::pointer self,
                                              cache_config config) {
  self_ = self;
  config_ = std::move(config);
  cell_ = galaxy().shards[config_.shard].get();
  wheel_.emplace(time().now());
  random_ = random_source{galaxy().home->next_seed()};
  harden(self, *this, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a cache actor crashed"});
  });
  if (auto* user = std::get_if<backend_actor>(&galaxy().source.how()))
    monitors_.watch(self, *user,
                    [this](const caf::error& why) { backend_died(why); });
  return {
    [this](get_atom, std::string& key, const ticket& terms) -> result<answer> {
      auto promise = self_->make_response_promise<answer>();
      get(std::move(key), terms, reply{promise}, time().now());
      return promise;
    },
    [this](questions& all) {
      auto to = caf::actor_cast<asker_actor>(self_->current_sender());
      auto& batch = *all.batch;
      auto now = time().now();
      while (batch.taken < batch.asked.size()) {
        auto& x = batch.asked[batch.taken++];
        get(std::move(x.key), x.terms, reply{outbox_, to, x.id}, now);
      }
    },
    [this](landed& result) { loader_done(result); },
    [this](fetched& x) {
      for (auto& each : *x.all)
        owner_answered(each);
      rearm();
    },
    [this](flush_atom) { flush(); },
    [this](tick_atom) { tick(); },
    [this](stop_atom) { stop(); },
  };
}

// -- gets ---------------------------------------------------------------------

void cache_state::get(std::string key, const ticket& terms, reply to,
                      mono_time now) {
  // The value may have come since the caller looked.
  auto& memory = cell_->memory;
  std::optional<answer> hit;
  if (memory.visit(read_guard{}, memory.hash_of(key), key, time(),
                   [&](const entry& x) { hit = answer_from(x); })) {
    auto main = hit->level == hit_level::main;
    cell_->count.add(main ? counter::maincache_hits : counter::hotcache_hits);
    cell_->count.add(main ? counter::coalesced_maincache_hits
                          : counter::coalesced_hotcache_hits);
    return answer_now(to, *hit);
  }
  if (key.size() > key_bytes_max)
    return answer_now(to, failure{errc::key_too_long, {}});
  if (terms.mode == fetch_mode::peek)
    return answer_now(to, answer{});
  if (terms.deadline <= now)
    return answer_now(to, failure{errc::deadline_exceeded, {}});
  auto i = flights_.find(std::string_view{key});
  if (i != flights_.end())
    return join(i->second, terms, std::move(to), now);
  if (galaxy().home->phase.load() != life::serving)
    return answer_now(to, failure{errc::draining, {}});
  join(begin_flight(std::move(key), terms, now), terms, std::move(to), now);
}

void cache_state::join(flight& f, const ticket& terms, reply to,
                       mono_time now) {
  auto takes_peers = terms.mode == fetch_mode::regular;
  auto& w = f.waiters.emplace_back(std::move(to), takes_peers);
  w.in = &f;
  w.deadline = terms.deadline;
  w.self = std::prev(f.waiters.end());
  auto late = std::chrono::milliseconds{GALAXYCACHE_PLANTED(late_deadline) ? 20
                                                                           : 0};
  wheel_->arm(w, (GALAXYCACHE_PLANTED(inherited_deadline) ? f.deadline
                                                          : terms.deadline)
                   + late);
  // Whoever must not wait for a peer needs the local leg, be there another or
  // not; whoever may is content with any.
  auto remote = f.remote_owner.has_value();
  if (!takes_peers || !remote) {
    if (GALAXYCACHE_PLANTED(waits_for_peer_phase) && f.peer.active())
      return rearm();
    if (!f.local.active()) {
      // Who asks may not know that the key is ours.
      f.gutter = terms.gutter && is_of_another(f);
      start_leg(f, leg_kind::local, now);
    }
  } else if (!f.peer.active() && !f.local.active()) {
    start_leg(f, leg_kind::peer, now);
  }
  rearm();
}

void cache_state::answer_now(reply& to, const answer& x) {
  if (!x.found())
    cell_->count.add(counter::not_found);
  config_.waiters->leave();
  to.deliver(x);
}

void cache_state::answer_now(reply& to, const failure& why) {
  cell_->count.add(counter::failed);
  if (why.code == errc::overloaded)
    cell_->count.add(counter::overloaded);
  if (why.code == errc::deadline_exceeded)
    cell_->count.add(counter::deadline_exceeded);
  config_.waiters->leave();
  to.deliver(why);
}

/// The waiter's own deadline has passed.
void cache_state::leave(waiter& w) {
  auto& f = *w.in;
  if (GALAXYCACHE_PLANTED(leaked_waiter))
    w.to.deliver(failure{errc::deadline_exceeded, {}});
  else
    answer_now(w.to, failure{errc::deadline_exceeded, {}});
  f.waiters.erase(w.self);
  if (f.waiters.empty())
    ask_to_stop(f);
}

// -- flights ------------------------------------------------------------------

cache_state::flight&
cache_state::begin_flight(std::string key, const ticket& terms, mono_time now) {
  auto [i, added] = flights_.try_emplace(std::move(key), &nodes_);
  auto& f = i->second;
  f.key = &i->first;
  f.began = now;
  f.deadline = terms.deadline;
  f.view = galaxy().home->view.get();
  if (f.view) {
    auto owner = f.view->members.owner(*f.key);
    if (owner && f.view->peers[*owner])
      f.remote_owner = owner;
  }
  wheel_->arm(f, f.began + check_up_interval);
  cell_->flights.store(flights_.size(), std::memory_order_relaxed);
  cell_->count.add(counter::coalesced_loads);
  return f;
}

/// May land at once, and so end the flight.
void cache_state::start_leg(flight& f, leg_kind kind, mono_time now) {
  if (!galaxy().loads.try_enter()) {
    auto limit = std::to_string(galaxy().loads.limit());
    fail_all(f, {errc::overloaded, limit + " keys are being loaded"});
    return;
  }
  leg_of(f, kind).began = now;
  if (kind == leg_kind::peer)
    ask_owner(f);
  else
    start_loader(f, kind);
}

void cache_state::ask_owner(flight& f) {
  galaxy().retries.earn();
  f.peer.fetch = ++serial_; // first: from here on the destructor sees this leg
  fetch_from(f, *f.remote_owner, f.peer.fetch, false);
  if (galaxy().options.hedge)
    hedge_later(f);
}

/// With what else waits in the mailbox now.
void cache_state::fetch_from(flight& f, std::uint32_t member, std::uint64_t id,
                             bool gutter) {
  auto& g = galaxy();
  auto& whom = f.view->peers[member];
  fetching_.emplace(id, &f);
  flush_later();
  auto i = std::ranges::find(unsent_, whom, [](auto& x) { return x.first; });
  if (i == unsent_.end()) {
    auto batch = std::make_shared<sure_batch<numbered_fetch>>();
    batch->lost = [to = caf::actor_cast<fetcher_actor>(self_)](auto lost) {
      fetched_outbox one;
      one.add(to, {lost, failure{errc::unavailable, "the peer is gone"}});
    };
    unsent_.emplace_back(whom, fetches{std::move(batch)});
    i = std::prev(unsent_.end());
  }
  auto& each = i->second.batch->asked.emplace_back();
  each.id = id;
  each.wanted.galaxy = g.wire_name;
  each.wanted.key = *f.key;
  auto began = gutter ? time().now() : f.peer.began;
  each.wanted.deadline = g.attempt_deadline(began, f.deadline);
  each.wanted.gutter = gutter;
}

/// Once the owner takes longer than most.
void cache_state::hedge_later(flight& f) {
  galaxy().hedges.earn();
  auto patience = patience_.get();
  if (!patience)
    return;
  if (!f.hedge_alarm)
    f.hedge_alarm.emplace(f);
  wheel_->arm(*f.hedge_alarm, f.peer.began + *patience);
}

/// The owner is slow: whoever would stand in for it is asked, too. What comes
/// of that is kept as briefly as if the owner were away.
void cache_state::hedge(flight& f) {
  auto other = f.view->members.successor(*f.key);
  if (f.peer.fetch == 0 || f.hedge != 0 || f.waiters.empty() || !other
      || other == f.remote_owner || !f.view->peers[*other]
      || !galaxy().hedges.try_spend())
    return;
  cell_->count.add(counter::hedged_fetches);
  f.hedge = ++serial_;
  f.hedged_to = *other;
  fetch_from(f, *other, f.hedge, true);
}

void cache_state::end_hedge(flight& f) {
  f.hedge_alarm.reset();
  if (f.hedge != 0) // seldom
    fetching_.erase(std::exchange(f.hedge, 0));
}

void cache_state::flush_later() {
  if (!std::exchange(flush_asked_, true))
    send_to(self_, caf::actor_cast<cache_actor>(self_), flush_atom_v);
}

void cache_state::flush() {
  flush_asked_ = false;
  for (auto& [to, all] : std::exchange(unsent_, {}))
    send_to(self_, to, std::move(all));
  outbox_.send();
}

void cache_state::owner_answered(fetch_outcome& x) {
  auto i = fetching_.find(x.id);
  if (i == fetching_.end())
    return;
  auto& f = *i->second;
  fetching_.erase(i);
  if (auto why = galaxy().too_large(x.outcome))
    x.outcome = *why;
  auto by_hedge = x.id == f.hedge;
  if (by_hedge) {
    f.hedge = 0;
    if (x.outcome.failed())
      return; // the owner may still answer
    cell_->count.add(counter::hedges_won);
    fetching_.erase(f.peer.fetch);
  }
  end_hedge(f);
  f.peer.fetch = 0;
  // An owner that was slower than its successor took at least as long.
  if (galaxy().options.hedge && !x.outcome.failed())
    patience_.add(time().now() - f.peer.began);
  auto goes_on = x.outcome.failed() && is_away(x.outcome.error().code)
                 && !f.waiters.empty();
  if (goes_on)
    return start_loader(f, leg_kind::peer, std::move(x.outcome));
  auto& said = owner_said_;
  said.outcome = std::move(x.outcome);
  said.level = hit_level::peer;
  said.owner = f.view->ids[by_hedge ? f.hedged_to : *f.remote_owner];
  said.gutter = by_hedge && !GALAXYCACHE_PLANTED(promoted_hedge);
  auto& ttl = galaxy().options.get_ttl;
  if (said.outcome.found() && (by_hedge || ttl.sets_limit())) {
    auto& expiry = said.outcome.content().expiry;
    auto now = time().wall_now();
    expiry = ttl.apply(expiry, now, random_);
    if (by_hedge)
      expiry = ttl_cap{gutter_ttl_max, {}}.apply(expiry, now, random_);
  }
  land(f, leg_kind::peer, said);
}

/// The leg has been counted in before.
void cache_state::start_loader(flight& f, leg_kind kind, load_result so_far) {
  auto& l = leg_of(f, kind);
  try {
    l.slot = take_loader();
  } catch (...) {
    galaxy().loads.leave(); // the destructor does not see this leg
    throw;
  }
  auto& slot = loaders_[l.slot];
  slot.serial = ++serial_;
  slot.busy_with = &f;
  slot.leg = kind;
  auto what = take_load();
  what->leg = kind;
  what->key = *f.key;
  what->deadline = f.deadline;
  what->gutter = f.gutter;
  what->view = f.view;
  what->stands_in = false;
  if (kind == leg_kind::peer) {
    what->outcome = std::move(so_far);
    what->owner = f.view->ids[*f.remote_owner];
  }
  auto& peek = galaxy().options.peek;
  what->peek_previous = peek && kind == leg_kind::local && f.view
                        && !f.remote_owner
                        && l.began - galaxy().home->born < peek->warm_time;
  send_to(self_, slot.loader, load_order{l.slot, slot.serial, std::move(what)});
}

void cache_state::loader_done(landed& result) {
  if (result.slot >= loaders_.size())
    return;
  auto& slot = loaders_[result.slot];
  if (!slot.busy_with || slot.serial != result.serial)
    return; // of a load that was given up
  auto& f = *slot.busy_with;
  auto kind = slot.leg;
  free_loader(result.slot);
  land(f, kind, *result.what);
  keep_load(std::move(result.what));
  rearm();
}

void cache_state::loader_died(std::uint32_t slot, const caf::error& why) {
  auto* f = loaders_[slot].busy_with;
  auto kind = loaders_[slot].leg;
  loaders_[slot].loader = loader_actor{};
  if (!f)
    return;
  free_loader(slot);
  leg_of(*f, kind) = {};
  galaxy().loads.leave();
  land_failure(*f, kind,
               {errc::backend_failed, "the loader died: " + describe(why)});
  rearm();
}

/// The user's actor has died, maybe without answering all it was asked. (Not
/// watched by each loader: one that ends would leave a trace in that actor.)
void cache_state::backend_died(const caf::error& why) {
  for (auto& slot : loaders_)
    if (slot.busy_with && slot.leg == leg_kind::local)
      send_to(self_, slot.loader,
              work_done{slot.serial,
                        failure{errc::backend_failed,
                                "the backend died: " + describe(why)}});
}

void cache_state::land(flight& f, leg_kind kind, load& result) {
  auto stopped = leg_of(f, kind).stopped;
  leg_of(f, kind) = {};
  galaxy().loads.leave();
  if (result.outcome.found())
    return land_value(f, kind, result);
  if (result.outcome.failed()) {
    // A backend that gave up because nobody waited is asked again if somebody
    // does by now.
    if (stopped && !f.waiters.empty())
      return start_leg(f, kind, time().now());
    return land_failure(f, kind, result.outcome.error(), result.stands_in);
  }
  if (GALAXYCACHE_PLANTED(cached_absence) && kind == leg_kind::local)
    cell_->memory.put_main(*f.key, value{}, never_expires, time());
  // A peer's not found is for those that asked for a peer.
  for (auto i = f.waiters.begin(); i != f.waiters.end();) {
    auto& w = *i++;
    if (kind == leg_kind::local || w.takes_peers) {
      answer_now(w.to, answer{});
      f.waiters.erase(w.self);
    }
  }
  close_if_done(f);
}

void cache_state::land_value(flight& f, leg_kind kind, load& result) {
  auto& content = result.outcome.content();
  answer x;
  x.data = std::move(content.data);
  x.expiry = content.expiry;
  x.level = result.level;
  x.owner = std::move(result.owner);
  auto fresh = x.expiry == never_expires
               || !expired(x.expiry, time().wall_now());
  auto& count = cell_->count;
  auto served = counter::backend_loads;
  if (kind == leg_kind::peer) {
    count.add(counter::coalesced_peer_loads);
    served = counter::peer_loads;
    auto lasting = !result.gutter || GALAXYCACHE_PLANTED(promoted_gutter);
    // What was loaded here meanwhile is no older, and may last longer.
    if (fresh && lasting && !f.loaded_here
        && cell_->memory.offer_hot(*f.key, x.data, x.expiry, f.waiters.size(),
                                   time()))
      count.add(counter::promotions);
  } else {
    if (x.level == hit_level::peek)
      served = counter::peer_peeks;
    else
      count.add(counter::coalesced_backend_loads);
    f.loaded_here = fresh;
    if (fresh)
      cell_->memory.put_main(*f.key, x.data, x.expiry, time());
  }
  if (x.expiry != never_expires)
    schedule_sweep();
  answer_all(f, x, served);
}

void cache_state::land_failure(flight& f, leg_kind kind, const failure& why,
                               bool stands_in) {
  auto& count = cell_->count;
  if (kind == leg_kind::local) {
    // Who is overloaded, or was given up before, has not been called.
    if (why.code != errc::overloaded && why.code != errc::deadline_exceeded)
      count.add(counter::backend_load_errors);
    return fail_all(f, why);
  }
  auto no_fault = why.code == errc::draining || never_loads(why.code)
                  || why.code == errc::overloaded;
  if (!no_fault)
    count.add(counter::peer_load_errors);
  if (GALAXYCACHE_PLANTED(no_fallback))
    return fail_all(f, why);
  if (why.code == errc::deadline_exceeded && deserves_patience(f))
    return start_leg(f, leg_kind::peer, time().now());
  if (f.local.active() || f.waiters.empty())
    return close_if_done(f);
  f.gutter = !never_loads(why.code) && is_of_another(f);
  auto now = time().now();
  if (f.gutter && !stands_in && !galaxy().fallbacks.try_take(now)) {
    count.add(counter::fallbacks_refused);
    return fail_all(f, {errc::overloaded,
                        "too many loads for peers that cannot be asked: "
                          + why.reason});
  }
  start_leg(f, leg_kind::local, now);
}

/// The owner was given up because the get that began the flight had little
/// time. Whether somebody has joined who has much more of it, and the owner may
/// be asked once more.
bool cache_state::deserves_patience(flight& f) {
  auto latest = f.deadline;
  for (auto& w : f.waiters)
    if (w.takes_peers)
      latest = std::max(latest, w.deadline);
  auto had = f.deadline - f.began;
  if (f.asked_again || f.local.active() || latest - time().now() < 2 * had
      || !galaxy().retries.try_spend())
    return false;
  f.asked_again = true;
  f.deadline = latest;
  return true;
}

/// Whether the key belongs to another peer as the ring is now.
bool cache_state::is_of_another(const flight& f) {
  auto view = galaxy().home->view.get();
  return view && view->remote_owner(*f.key);
}

void cache_state::answer_all(flight& f, const answer& x, counter served) {
  cell_->count.add(served, f.waiters.size());
  for (auto& w : f.waiters)
    answer_now(w.to, x);
  f.waiters.clear();
  close_if_done(f);
}

/// The local leg has failed: whoever waits for a peer goes on waiting.
void cache_state::fail_all(flight& f, const failure& why) {
  for (auto i = f.waiters.begin(); i != f.waiters.end();) {
    auto& w = *i++;
    if (!f.peer.active() || !w.takes_peers) {
      answer_now(w.to, why);
      f.waiters.erase(w.self);
    }
  }
  close_if_done(f);
}

void cache_state::close_if_done(flight& f) {
  if (f.peer.active() || f.local.active())
    return;
  if (GALAXYCACHE_PLANTED(leaked_flight) && f.key->back() == '7')
    return;
  flights_.erase(flights_.find(std::string_view{*f.key}));
  cell_->flights.store(flights_.size(), std::memory_order_relaxed);
}

/// By way of the loader: a backend may have code to run when it is stopped.
void cache_state::ask_to_stop(flight& f) {
  if (!f.local.active() || f.local.stopped)
    return;
  f.local.stopped = true;
  auto& slot = loaders_[f.local.slot];
  send_to(self_, slot.loader, stop_atom_v, slot.serial);
}

void cache_state::check_up(flight& f) {
  wheel_->arm(f, time().now() + check_up_interval);
  for (auto i = f.waiters.begin(); i != f.waiters.end();) {
    auto& w = *i++;
    if (w.to.asker_is_gone()) {
      config_.waiters->leave();
      f.waiters.erase(w.self);
    }
  }
  if (f.waiters.empty())
    ask_to_stop(f);
  auto patience = galaxy().options.load_timeout;
  if (!f.local.active() || time().now() - f.local.began < patience)
    return;
  // Its loader still waits, so it cannot be used again.
  auto slot = f.local.slot;
  caf::anon_send_exit(loaders_[slot].loader, caf::exit_reason::kill);
  loader_died(slot, make_error({errc::deadline_exceeded,
                                "the backend did not return in time"}));
}

// -- loaders ------------------------------------------------------------------

std::uint32_t cache_state::take_slot() {
  for (auto* stack : {&idle_loaders_, &empty_slots_})
    if (!stack->empty()) {
      auto slot = stack->back();
      stack->pop_back();
      fewest_idle_ = std::min(fewest_idle_, idle_loaders_.size());
      return slot;
    }
  loaders_.emplace_back();
  return static_cast<std::uint32_t>(loaders_.size() - 1);
}

std::uint32_t cache_state::take_loader() {
  auto slot = take_slot();
  if (!loaders_[slot].loader) {
    auto handle = galaxy().home->system.spawn<caf::hidden>(
      loader, loader_config{config_.galaxy, caf::actor_cast<cache_actor>(self_),
                            universe_core::presence{galaxy().home}});
    loaders_[slot].loader = handle;
    galaxy().home->enlist(caf::actor_cast<caf::strong_actor_ptr>(handle));
    monitors_.watch(self_, handle,
                    [this, slot, id = handle.id()](const caf::error& why) {
                      auto& current = loaders_[slot].loader;
                      if (current && current.id() == id)
                        loader_died(slot, why);
                    });
  }
  return slot;
}

void cache_state::free_loader(std::uint32_t slot) {
  auto& l = loaders_[slot];
  l.busy_with = nullptr;
  if (!l.loader)
    return empty_slots_.push_back(slot);
  idle_loaders_.push_back(slot);
  if (idle_loaders_.size() > idle_loaders_max && !trim_.armed()) {
    fewest_idle_ = 0;
    wheel_->arm(trim_, time().now() + trim_interval);
  }
}

/// Stops those that the last interval could have done without.
void cache_state::trim_loaders() {
  auto n = std::max(fewest_idle_, idle_loaders_max) - idle_loaders_max;
  // The first were used least recently.
  auto end = idle_loaders_.begin() + static_cast<std::ptrdiff_t>(n);
  for (auto i = idle_loaders_.begin(); i != end; ++i) {
    caf::anon_send_exit(std::exchange(loaders_[*i].loader, {}),
                        caf::exit_reason::kill);
    empty_slots_.push_back(*i);
  }
  idle_loaders_.erase(idle_loaders_.begin(), end);
  fewest_idle_ = idle_loaders_.size();
  if (fewest_idle_ > idle_loaders_max)
    wheel_->arm(trim_, time().now() + trim_interval);
}

std::shared_ptr<load> cache_state::take_load() {
  if (idle_loads_.empty())
    return std::make_shared<load>();
  auto result = std::move(idle_loads_.back());
  idle_loads_.pop_back();
  return result;
}

void cache_state::keep_load(std::shared_ptr<load> x) {
  if (idle_loads_.size() >= idle_loads_max
      || x->key.capacity() > kept_key_bytes_max)
    return;
  x->view.reset();
  x->outcome = {};
  x->owner = {};
  idle_loads_.push_back(std::move(x));
}

// -- time ---------------------------------------------------------------------

void cache_state::tick() {
  auto now = time().now();
  wake_.woken(now);
  while (auto* due = wheel_->pop_due(now)) {
    switch (auto& t = static_cast<timed&>(*due); t.kind) {
      case alarm::waiter:
        leave(static_cast<waiter&>(t));
        break;
      case alarm::flight:
        check_up(static_cast<flight&>(t));
        break;
      case alarm::hedge:
        hedge(static_cast<hedge_timer&>(t).in);
        break;
      case alarm::sweep:
        sweep();
        break;
      case alarm::trim:
        trim_loaders();
        break;
    }
  }
  rearm();
}

void cache_state::rearm() {
  wake_.at(time(), wheel_->next(), caf::actor_cast<cache_actor>(self_));
}

void cache_state::sweep() {
  auto removed = cell_->memory.sweep(time(), sweep_entries_max);
  if (removed == sweep_entries_max)
    wheel_->arm(sweep_, time().now()); // at the next tick
  else
    schedule_sweep();
}

void cache_state::schedule_sweep() {
  auto next = cell_->memory.next_expiry();
  if (!next)
    return;
  auto pause = std::max<std::chrono::nanoseconds>(*next - time().wall_now(),
                                                  sweep_interval);
  auto when = time().now() + pause;
  if (sweep_.armed() && sweep_at_ <= when)
    return;
  sweep_at_ = when;
  wheel_->arm(sweep_, when);
}

void cache_state::stop() {
  for (auto& [key, f] : flights_) {
    for (auto& w : f.waiters)
      answer_now(w.to, failure{errc::draining, {}});
    f.waiters.clear();
  }
  outbox_.send();
  self_->quit();
}

cache_actor::behavior_type
cache(cache_actor::stateful_pointer<cache_state> self, cache_config config) {
  return state_of(self).start(self, std::move(config));
}

} // namespace galaxycache
