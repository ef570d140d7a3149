#include "galaxycache/actors/peer.hpp"

#include "galaxycache/runtime/planted.hpp"

#include <algorithm>
#include <utility>

namespace galaxycache {

using std::chrono::nanoseconds;

namespace {

// Whoever is no peer of ours is not worth asking often: as after this many
// failures.
constexpr std::size_t unfit_failures = 64;

// While a server takes one batch, the next is on its way.
constexpr std::uint64_t batches_under_way_max = 2;

// A fetch that was given less time than this and got no answer says nothing of
// the peer.
constexpr auto telling_patience = std::chrono::milliseconds{50};

// The server hears of it when this part of the window has been taken: while it
// does, the rest is under way.
constexpr std::size_t told_part = 4;

// A value has at most as many bytes; whoever announces more is mistaken.
constexpr std::uint64_t value_bytes_most = 0xffff'ffff;

} // namespace

peer_link_state::~peer_link_state() {
  fail_all({errc::unavailable, "the peer actor ended"});
}

peer_actor::behavior_type peer_link_state::start(peer_actor::pointer self,
                                                 peer_config config) {
  self_ = self;
  config_ = std::move(config);
  random_ = random_source{config_.home->next_seed()};
  breaker_.emplace(random_.next());
  wheel_.emplace(time().now());
  harden(self, *this, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a peer actor crashed"});
  });
  connect();
  rearm();
  return {
    [this](fetch& wanted) {
      auto promise = self_->make_response_promise<load_result>();
      ask(std::move(wanted), fetch_reply{promise}, time().now());
      rearm();
      return promise;
    },
    [this](fetches& x) {
      auto to = caf::actor_cast<fetcher_actor>(self_->current_sender());
      auto now = time().now();
      auto& batch = *x.batch;
      while (batch.taken < batch.asked.size()) {
        auto& each = batch.asked[batch.taken++];
        ask(std::move(each.wanted), fetch_reply{to, each.id}, now);
      }
      rearm();
      outbox_.send();
    },
    [this](const frame& x) {
      hear(x);
      outbox_.send();
    },
    [this](connection& x) {
      connected(x);
      outbox_.send();
    },
    [this](flush_atom) { flush(); },
    [this](put_atom, peer_info& info) {
      move_to(std::move(info));
      outbox_.send();
    },
    [this](tick_atom) {
      tick();
      outbox_.send();
    },
    [this](stop_atom) { stop(); },
  };
}

// -- fetches ------------------------------------------------------------------

/// Why a fetch is not even put down.
std::optional<failure> peer_link_state::why_not_now(const fetch& wanted,
                                                    mono_time now) {
  if (state_ == peer_state::down)
    return failure{errc::peer_failed, "the peer is down"};
  if (state_ == peer_state::draining)
    return failure{errc::draining, "the peer is leaving"};
  if (peeks_only_ && wanted.mode != fetch_mode::peek)
    return failure{errc::incompatible_peer, "it finds owners in another way"};
  if (wanted.deadline <= now)
    return failure{errc::deadline_exceeded, {}};
  if (waiting_.size() >= config_.options.fetches_max
      || waiting_bytes_ + wanted.key.size() > config_.options.fetch_bytes_max)
    return failure{errc::overloaded, "too many fetches wait"};
  if (!breaker_->try_pass(now))
    return failure{errc::peer_failed, "it failed too often"};
  return std::nullopt;
}

void peer_link_state::ask(fetch wanted, fetch_reply to, mono_time now) {
  if (auto why = why_not_now(wanted, now))
    return to.deliver(std::move(*why), outbox_);
  auto id = ++fetches_begun_;
  auto& w = waiting_.try_emplace(id, std::move(to)).first->second;
  w.id = id;
  w.key_bytes = wanted.key.size();
  w.since = now;
  waiting_bytes_ += w.key_bytes;
  wheel_->arm(w, wanted.deadline);
  w.wanted = std::move(wanted);
  unsent_.push_back(id);
  flush_later();
}

/// What else waits in the mailbox leaves in the same batch.
void peer_link_state::flush_later() {
  if (!greeted_ || flush_asked_)
    return;
  flush_asked_ = true;
  send_to(self_, caf::actor_cast<peer_actor>(self_), flush_atom_v);
}

void peer_link_state::flush() {
  flush_asked_ = false;
  if (!greeted_)
    return;
  auto now = time().now();
  while (!unsent_.empty()
         && (!tells_heard_
             || batches_sent_ - batches_heard_ < batches_under_way_max))
    send_batch(now);
}

void peer_link_state::send_batch(mono_time now) {
  auto view = config_.home->view.get();
  wire::fetch_batch batch;
  batch.ring_digest = view ? view->digest() : 0;
  std::vector<value> galaxies;
  std::size_t bytes = 0;
  while (!unsent_.empty() && batch.fetches.size() < wire::batch_items_max
         && bytes < wire::batch_bytes_max) {
    auto i = waiting_.find(unsent_.front());
    unsent_.pop_front();
    if (i == waiting_.end())
      continue;
    auto& wanted = i->second.wanted;
    auto known = std::ranges::find(galaxies, wanted.galaxy);
    auto number = static_cast<std::uint32_t>(known - galaxies.begin());
    if (known == galaxies.end()) {
      galaxies.push_back(wanted.galaxy);
      batch.galaxies.emplace_back(wanted.galaxy.bytes());
    }
    bytes += wanted.key.size();
    batch.fetches.push_back({i->first, number, std::move(wanted.key),
                             wanted.mode, wanted.deadline - now,
                             wanted.gutter});
  }
  if (batch.fetches.empty())
    return;
  batch.number = ++batches_sent_;
  batch_sent_at_ = now;
  say(batch);
}

void peer_link_state::batches_heard(std::uint64_t latest) {
  if (latest <= batches_heard_ || latest > batches_sent_)
    return;
  batches_heard_ = latest;
  flush();
}

void peer_link_state::give_up(waiting& w, mono_time now) {
  if (now - w.since >= telling_patience && breaker_->failed(now))
    config_.home->lines->warning("peer " + config_.info.id + " at "
                                 + config_.info.uri
                                 + " fails too often and is left alone");
  auto id = w.id;
  answer(id, failure{errc::deadline_exceeded, "the peer took too long"});
  assembly_->drop(id); // what has been read and not been heard
}

/// Returns whether somebody waited for it.
bool peer_link_state::answer(std::uint64_t id, load_result outcome) {
  auto i = waiting_.find(id);
  if (i == waiting_.end())
    return false; // given up, or answered twice
  if (incoming_ && incoming_->id == id)
    assembly_->drop(std::exchange(incoming_, {})->id);
  waiting_bytes_ -= i->second.key_bytes;
  i->second.to.deliver(std::move(outcome), outbox_);
  waiting_.erase(i);
  return true;
}

void peer_link_state::fail_all(const failure& why) {
  unsent_.clear();
  incoming_.reset();
  assembly_->clear();
  waiting_bytes_ = 0;
  for (auto& [id, w] : waiting_)
    w.to.deliver(why, outbox_);
  waiting_.clear();
}

// -- the connection -----------------------------------------------------------

void peer_link_state::connect() {
  std::string why;
  auto where = parse_uri(config_.info.uri, why);
  ++attempt_;
  attempting_ = true;
  assembly_ = assembly::make(); // whoever knows the last may not be our peer
  give_up_at_ = time().now() + config_.options.heartbeat_timeout;
  wheel_->arm(connection_alarm_, give_up_at_);
  if (where)
    config_.way->connect(caf::actor_cast<peer_actor>(self_), attempt_, *where);
}

void peer_link_state::connected(connection& x) {
  if (x.attempt != attempt_ || server_) {
    // Of an attempt that was given up.
    if (x.server)
      config_.way->disconnect(x.server);
    return;
  }
  if (!x.server)
    return lost(x.error);
  server_ = std::move(x.server);
  watch_server();
  greet();
  rearm();
}

/// Once for each: CAF may hand out the same server for several attempts.
void peer_link_state::watch_server() {
  auto address = caf::actor_cast<caf::actor_addr>(server_);
  if (watched_ == address)
    return;
  watched_ = address;
  monitors_.watch(self_, server_, [this, address](const caf::error&) {
    if (watched_ == address)
      watched_ = {};
    if (GALAXYCACHE_PLANTED(missed_down_message))
      return;
    if (server_ && caf::actor_cast<caf::actor_addr>(server_) == address)
      lost({errc::peer_failed, "the connection broke"});
    outbox_.send();
  });
}

/// Says hello until the server says welcome: of two nodes that connect to each
/// other at once, CAF 0.17 may close a connection that it then replaces, with
/// all that was on its way.
void peer_link_state::greet() {
  wheel_->arm(connection_alarm_,
              std::min(give_up_at_,
                       time().now() + config_.options.heartbeat_interval));
  auto view = config_.home->view.get();
  wire::hello hello;
  hello.id = config_.home->self_id.bytes();
  hello.to = config_.info.id;
  hello.incarnation = config_.home->incarnation;
  hello.ring_digest = view ? view->digest() : 0;
  hello.attempt = attempt_;
  wire::tell_ring(config_.placement, hello);
  hello.features = wire::feature_pieces;
  hello.window_bytes = config_.options.window_bytes;
  hello.piece_bytes = config_.options.piece_bytes;
  hello.assembly = assembly_->number();
  say(hello);
}

void peer_link_state::disconnect() {
  if (server_)
    config_.way->disconnect(std::exchange(server_, {}));
  greeted_ = false;
  attempting_ = false;
  ++attempt_; // whatever belongs to the old one is ignored from here on
}

void peer_link_state::lost(const failure& why) {
  if (state_ != peer_state::down)
    config_.home->lines->info("peer " + config_.info.id + " at "
                              + config_.info.uri + " is down: " + why.reason);
  disconnect();
  // One that was about to leave has left.
  auto left = state_ == peer_state::draining;
  set_state(peer_state::down);
  fail_all({left ? errc::draining : errc::peer_failed, why.reason});
  auto& options = config_.options;
  auto pause = options.reconnect_min;
  for (auto n = failures_; n > 0 && pause < options.reconnect_max; --n)
    pause *= 2;
  pause = std::min(pause, options.reconnect_max);
  ++failures_;
  auto early = random_.below(static_cast<std::uint64_t>(pause.count() / 2));
  if (GALAXYCACHE_PLANTED(no_reconnect) && failures_ > 3)
    pause = std::chrono::hours{24};
  wheel_->arm(connection_alarm_,
              time().now() + pause - nanoseconds{static_cast<long>(early)});
  rearm();
}

void peer_link_state::move_to(peer_info info) {
  auto moved = info.uri != config_.info.uri;
  config_.info = std::move(info);
  if (!moved)
    return;
  fail_all({errc::peer_failed, "the peer has moved"});
  disconnect();
  failures_ = 0;
  set_state(peer_state::connecting);
  connect();
  rearm();
}

void peer_link_state::set_state(peer_state next) {
  if (state_ == next)
    return;
  state_ = next;
  send_to(self_, config_.ring, peer_changed{config_.info.id, next});
}

// -- what the server says -----------------------------------------------------

void peer_link_state::hear(const frame& x) {
  auto message = wire::decode(x.header);
  if (!message) {
    config_.home->lines->warning("peer " + config_.info.id
                                 + " sends what is no message of ours");
    return;
  }
  heard_ = time().now();
  if (auto* welcome = std::get_if<wire::welcome>(&*message))
    welcomed(*welcome);
  else if (auto* batch = std::get_if<wire::fetched_batch>(&*message))
    fetched(*batch, x.bodies);
  else if (auto* piece = std::get_if<wire::piece>(&*message))
    piece_came(*piece, x.bodies);
  else if (auto* pong = std::get_if<wire::pong>(&*message))
    took(pong->sent);
  else if (std::holds_alternative<wire::goodbye>(*message) && greeted_)
    set_state(peer_state::draining);
}

void peer_link_state::welcomed(const wire::welcome& x) {
  if (x.attempt != attempt_ || greeted_)
    return;
  auto& lines = *config_.home->lines;
  auto unfit = [&](const std::string& reason) {
    if (complaint_ != reason)
      lines.warning("peer " + config_.info.id + " at " + config_.info.uri + " "
                    + reason);
    complaint_ = reason;
    failures_ = unfit_failures;
    lost({errc::incompatible_peer, reason});
  };
  if (x.oldest_version > wire::version || x.version < wire::oldest_version)
    return unfit("speaks another version of the protocol: "
                 + std::to_string(x.version));
  if (x.id != config_.info.id)
    return unfit("says that it is '" + x.id + "'");
  if (incarnation_ != 0 && incarnation_ != x.incarnation)
    lines.info("peer " + config_.info.id + " has been restarted");
  incarnation_ = x.incarnation;
  greeted_ = true;
  attempting_ = false;
  failures_ = 0;
  batches_sent_ = 0;
  batches_heard_ = 0;
  tells_heard_ = (x.features & wire::feature_heard) != 0;
  taken_ = x.sent;
  taken_told_ = x.sent;
  window_bytes_ = x.window_bytes;
  breaker_->reset();
  compare_rings(x);
  wheel_->arm(connection_alarm_,
              time().now() + config_.options.heartbeat_interval);
  lines.info("peer " + config_.info.id + " at " + config_.info.uri + " is up");
  set_state(peer_state::up);
  flush();
  rearm();
}

/// One that finds owners in another way would load what is not its own: its
/// cache may be looked into, and that is all.
void peer_link_state::compare_rings(const wire::welcome& x) {
  auto how = wire::other_ring(config_.placement, x);
  peeks_only_ = how.has_value();
  auto complaint = how.value_or("");
  if (how && complaint != complaint_)
    config_.home->lines->warning(
      "peer " + config_.info.id + " at " + config_.info.uri + " " + *how
      + ": its keys are loaded here until both are configured alike");
  complaint_ = std::move(complaint);
  if (!peeks_only_)
    return;
  // What was put down before anybody knew.
  std::vector<std::uint64_t> refused;
  for (auto id : unsent_)
    if (auto i = waiting_.find(id);
        i != waiting_.end() && i->second.wanted.mode != fetch_mode::peek)
      refused.push_back(id);
  for (auto id : refused)
    answer(id, failure{errc::incompatible_peer, *how});
}

void peer_link_state::fetched(wire::fetched_batch& x,
                              const std::vector<value>& bodies) {
  auto outcome_of = [&](wire::fetched_item& item) -> load_result {
    if (item.code != errc::none)
      return failure{item.code, std::move(item.reason)};
    if (item.body >= bodies.size())
      return failure{errc::peer_failed, "a value is missing"};
    auto body = GALAXYCACHE_PLANTED(wrong_correlation) ? bodies.size() - 1
                                                       : item.body;
    return loaded{bodies[body], item.expiry};
  };
  for (auto& item : x.fetched) {
    auto in_time = item.code != errc::deadline_exceeded;
    if (answer(item.id, outcome_of(item)) && in_time)
      breaker_->succeeded(heard_);
  }
  took(x.sent);
  batches_heard(x.heard);
}

void peer_link_state::piece_came(const wire::piece& x,
                                 const std::vector<value>& bodies) {
  if (waiting_.count(x.id) != 0) {
    auto body = bodies.empty() ? value{} : bodies.front();
    if (body.size() == x.size && x.offset == 0) {
      if (answer(x.id, loaded{std::move(body), x.expiry}))
        breaker_->succeeded(heard_);
    } else if (!add_piece(x, body)) {
      answer(x.id, failure{errc::peer_failed, "a piece of the value is lost"});
      assembly_->drop(x.id);
    } else if (incoming_->filled == x.size) {
      auto whole = assembly_->finish({x.id, x.number, x.size, 0});
      if (answer(x.id, loaded{std::move(whole), x.expiry}))
        breaker_->succeeded(heard_);
    }
  } else {
    assembly_->drop(x.id); // given up
  }
  took(x.sent);
}

/// Returns whether it is the next of its value, or one that has come before.
bool peer_link_state::add_piece(const wire::piece& x, const value& body) {
  auto same = [&] {
    return incoming_ && incoming_->id == x.id && incoming_->number == x.number;
  };
  if (x.offset == 0 && !same()) {
    if (x.size > value_bytes_most)
      return false;
    // The server does without the rest of what came before.
    if (incoming_ && incoming_->id == x.id)
      assembly_->drop(x.id);
    else if (incoming_)
      answer(incoming_->id,
             failure{errc::peer_failed, "the value is not whole"});
    incoming_.emplace(incoming{x.id, x.number, x.size, 0});
  }
  if (!same() || incoming_->size != x.size)
    return false;
  auto& filled = incoming_->filled;
  if (GALAXYCACHE_PLANTED(lost_piece) && x.offset < x.size)
    filled = x.offset;
  if (x.offset < filled && body.size() <= filled - x.offset)
    return true;
  if (x.offset != filled || body.empty() || body.size() > x.size - filled)
    return false;
  if (!assembly_->take({x.id, x.number, x.size, x.offset}, body))
    return false;
  filled += body.size();
  return true;
}

/// Tells the server from time to time how far its answers have been taken.
void peer_link_state::took(std::uint64_t sent) {
  taken_ = std::max(taken_, sent);
  if (!greeted_ || taken_ == taken_told_
      || taken_ - taken_told_ < window_bytes_ / told_part)
    return;
  taken_told_ = taken_;
  say(wire::taken{taken_});
}

void peer_link_state::say(const wire::message& x) {
  if (server_)
    send_to(self_, server_, frame{wire::encode(x), {}});
}

// -- time ---------------------------------------------------------------------

void peer_link_state::tick() {
  auto now = time().now();
  wake_.woken(now);
  while (auto* due = wheel_->pop_due(now)) {
    auto& t = static_cast<timed&>(*due);
    if (t.kind == alarm::connection)
      look_after_connection();
    else
      give_up(static_cast<waiting&>(t), now);
  }
  rearm();
}

void peer_link_state::look_after_connection() {
  auto now = time().now();
  auto& options = config_.options;
  if (attempting_ && now >= give_up_at_)
    return lost({errc::peer_failed, "nobody answered in time"});
  if (attempting_)
    return greet();
  if (!greeted_)
    return connect();
  if (now - heard_ >= options.heartbeat_timeout)
    return lost({errc::peer_failed, "the peer is silent"});
  // What says that a batch has been taken may have been lost.
  if (batches_sent_ != batches_heard_
      && now - batch_sent_at_ >= options.heartbeat_interval)
    batches_heard(batches_sent_);
  say(wire::ping{static_cast<std::uint64_t>(now.time_since_epoch().count()),
                 taken_});
  wheel_->arm(connection_alarm_, now + options.heartbeat_interval);
}

void peer_link_state::rearm() {
  wake_.at(time(), wheel_->next(), caf::actor_cast<peer_actor>(self_));
}

void peer_link_state::stop() {
  fail_all({errc::unavailable, "the peer was removed from the ring"});
  outbox_.send();
  say(wire::goodbye{});
  self_->quit();
}

peer_actor::behavior_type
peer(peer_actor::stateful_pointer<peer_link_state> self, peer_config config) {
  return state_of(self).start(self, std::move(config));
}

} // namespace galaxycache
