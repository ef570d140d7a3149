#include "galaxycache/actors/server.hpp"

#include "galaxycache/actors/asking.hpp"
#include "galaxycache/runtime/planted.hpp"

#include <algorithm>

namespace galaxycache {

namespace {

// A peer that wants smaller pieces makes more work than sense.
constexpr std::size_t piece_bytes_min = 64;

// More than any peer takes, and several of them do not overflow.
constexpr std::size_t window_bytes_most = std::size_t{1} << 48;

// Values of up to this part of a piece leave with others.
constexpr std::size_t small_part = 4;

// About the bytes that an answer has in a header, and what a header takes else,
// with what CAF says beside it.
constexpr std::size_t item_cost = 32;
constexpr std::size_t frame_cost = 128;

std::size_t header_cost(const wire::piece&) {
  return frame_cost;
}

std::size_t header_cost(const wire::fetched_batch& x) {
  std::size_t result = frame_cost;
  for (auto& item : x.fetched)
    result += item_cost + item.reason.size();
  return result;
}

/// What an answer, or some, take of a window.
template <class T>
std::uint64_t cost_of(const T& x, const std::vector<value>& bodies) {
  std::uint64_t result = header_cost(x);
  for (auto& each : bodies)
    result += each.size();
  return result;
}

// How often answers that wait are looked through.
constexpr auto sweep_interval = std::chrono::milliseconds{500};

} // namespace

server_actor::behavior_type server_state::start(server_actor::pointer self,
                                                server_config config) {
  self_ = self;
  config_ = std::move(config);
  harden(self, *this, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a server actor crashed"});
  });
  return {
    [this](const frame& x) { hear(x); },
    [this](const answers& x) {
      for (auto& each : *x.all)
        take(each);
    },
    [this](flush_atom) {
      if (is_from_here())
        flush();
    },
    [this](tick_atom) { tick(); },
    [this](drain_atom) {
      if (is_from_here())
        say_goodbye();
    },
    [this](stop_atom) {
      if (!is_from_here())
        return;
      say_goodbye();
      self_->quit();
    },
  };
}

/// The server is published, so anybody may send it anything.
bool server_state::is_from_here() const {
  auto& sender = self_->current_sender();
  return sender && sender->node() == self_->node();
}

// -- what peers say -----------------------------------------------------------

void server_state::hear(const frame& x) {
  auto message = wire::decode(x.header);
  if (!message) {
    config_.home->lines->debug("somebody sends what is no message of ours");
    return;
  }
  if (auto* hello = std::get_if<wire::hello>(&*message))
    return greeted(*hello);
  auto i
    = clients_.find(caf::actor_cast<caf::actor_addr>(self_->current_sender()));
  if (i == clients_.end())
    return; // whoever does not greet is not answered
  auto& from = i->second;
  if (auto* batch = std::get_if<wire::fetch_batch>(&*message))
    serve(from, *batch);
  else if (auto* x = std::get_if<wire::taken>(&*message))
    taken(from, x->bytes);
  else if (auto* ping = std::get_if<wire::ping>(&*message))
    pinged(from, *ping);
  else if (std::holds_alternative<wire::goodbye>(*message))
    clients_.erase(i);
}

void server_state::pinged(client& by, const wire::ping& x) {
  say(by.handle, wire::pong{x.number, by.window.sent()});
  taken(by, x.taken);
}

void server_state::greeted(const wire::hello& x) {
  auto sender = self_->current_sender();
  if (!sender)
    return;
  auto& home = *config_.home;
  auto view = home.view.get();
  wire::welcome welcome;
  welcome.id = home.self_id.bytes();
  welcome.to = x.id;
  welcome.incarnation = home.incarnation;
  welcome.ring_digest = view ? view->digest() : 0;
  welcome.attempt = x.attempt;
  wire::tell_ring(config_.placement, welcome);
  welcome.features = wire::feature_heard | wire::feature_pieces;
  auto handle = caf::actor_cast<wire_actor>(sender);
  // One that speaks another version learns ours, and that is all.
  auto compatible = x.oldest_version <= wire::version
                    && x.version >= wire::oldest_version;
  auto address = caf::actor_cast<caf::actor_addr>(sender);
  if (compatible && x.to == home.self_id.bytes()) {
    auto [i, added] = clients_.try_emplace(address);
    auto& c = i->second;
    c.handle = handle;
    c.id = x.id;
    c.incarnation = x.incarnation;
    if (added)
      warn_of_ring(x);
    // A new attempt: whoever asked before has given up, and what is under way
    // counts no more.
    if (added || x.attempt > c.attempt) {
      c.small.clear();
      c.large.clear();
      c.left_behind = 0;
      c.waiting_bytes = 0;
      c.window.forget();
      c.attempt = x.attempt;
    }
    auto& own = config_.peers;
    auto with_pieces = (x.features & wire::feature_pieces) != 0;
    auto window_bytes = std::min(own.window_bytes, window_bytes_most);
    c.piece_bytes = own.piece_bytes;
    c.assembly = x.assembly;
    if (with_pieces && x.window_bytes != 0)
      window_bytes = std::min<std::uint64_t>(x.window_bytes, window_bytes);
    if (with_pieces && x.piece_bytes != 0)
      c.piece_bytes = std::min<std::uint64_t>(
        std::max<std::uint64_t>(x.piece_bytes, piece_bytes_min),
        own.piece_bytes);
    c.window.resize(window_bytes, with_pieces);
    welcome.sent = c.window.sent();
    welcome.window_bytes = window_bytes;
    welcome.piece_bytes = c.piece_bytes;
    // One that says goodbye and comes back is watched already.
    if (added && watched_.insert(address).second)
      monitors_.watch(self_, handle, [this, address](const caf::error&) {
        clients_.erase(address);
        watched_.erase(address);
      });
  }
  say(handle, welcome);
  if (home.phase != life::serving)
    say(handle, wire::goodbye{});
}

void server_state::warn_of_ring(const wire::hello& x) {
  if (auto how = wire::other_ring(config_.placement, x))
    config_.home->lines->warning("peer " + x.id + " " + *how
                                 + "; what it asks for is served all the same");
}

void server_state::serve(client& from, wire::fetch_batch& batch) {
  auto& home = *config_.home;
  auto galaxies = home.galaxies.get();
  auto view = home.view.get();
  auto same_ring = view && view->digest() == batch.ring_digest;
  if (!same_ring && !mismatch_logged_) {
    mismatch_logged_ = true;
    home.lines->info("peer " + from.id
                     + " sees another ring; its fetches are served all the "
                       "same");
  }
  std::vector<galaxy_core*> named; // by their numbers in the batch
  for (auto& name : batch.galaxies) {
    auto i = galaxies->find(name);
    named.push_back(i != galaxies->end() ? i->second.get() : nullptr);
  }
  if (batch.number != 0) {
    from.heard = batch.number;
    flush_later(from);
  }
  auto now = home.time->now();
  question_map asked;
  for (auto& wanted : batch.fetches) {
    auto* galaxy = named[wanted.galaxy];
    if (galaxy == nullptr) {
      ready(from, wanted.id, now + wanted.budget,
            failure{errc::unknown_galaxy, {}});
      continue;
    }
    if (!same_ring)
      galaxy->cell_of(wanted.key).count.add(counter::view_mismatches);
    serve_one(from, *galaxy, wanted, now, asked);
  }
  for (auto& [where, group] : asked) {
    auto& galaxy = *named[where.first];
    ask_cache(self_, galaxy, *galaxy.shards[where.second], std::move(group),
              [this](const answered& x) { take(x); });
  }
}

void server_state::serve_one(client& from, galaxy_core& galaxy,
                             wire::fetch_item& wanted, mono_time now,
                             question_map& asked) {
  auto hash = galaxy.memory.hash_of(wanted.key);
  auto shard = galaxy.memory.shard_of(hash);
  auto& cell = *galaxy.shards[shard];
  cell.count.add(counter::server_requests);
  auto deadline = now + wanted.budget;
  if (auto known = galaxy.answer_at_once(hash, wanted.key, wanted.mode))
    return std::visit([&](auto& x) { ready(from, wanted.id, deadline, x); },
                      *known);
  if (open_.size() >= config_.peers.fetches_max)
    return ready(from, wanted.id, deadline,
                 failure{errc::overloaded, "too many fetches wait"});
  auto id = ++questions_asked_;
  open_.emplace(id, open_fetch{caf::actor_cast<caf::actor_addr>(from.handle),
                               wanted.id, deadline});
  ticket terms{wanted.mode, deadline, wanted.gutter};
  asked[{wanted.galaxy, shard}].push_back({id, std::move(wanted.key), terms});
}

// -- what is ready ------------------------------------------------------------

void server_state::take(const answered& x) {
  auto i = open_.find(x.id);
  if (i == open_.end())
    return;
  auto [from, id, deadline] = i->second;
  open_.erase(i);
  if (GALAXYCACHE_PLANTED(lost_answer) && id % 3 == 0)
    return;
  auto c = clients_.find(from);
  if (c == clients_.end())
    return; // gone meanwhile
  if (x.error.code == errc::none)
    ready(c->second, id, deadline, x.content);
  else
    ready(c->second, id, deadline, x.error);
}

void server_state::ready(client& to, std::uint64_t id, mono_time deadline,
                         const answer& x) {
  if (!x.found())
    return ready(to, id, deadline, failure{errc::not_found, {}});
  auto waiting = to.small.size() + to.large.size();
  auto bytes = to.waiting_bytes + x.data.size();
  if (waiting >= config_.peers.fetches_max
      || (bytes > config_.peers.answer_bytes_max && to.waiting_bytes > 0))
    return ready(to, id, deadline,
                 failure{errc::overloaded, "too many answers wait to leave"});
  auto expiry = GALAXYCACHE_PLANTED(lost_expiry) ? never_expires : x.expiry;
  to.waiting_bytes = bytes;
  if (to.window.with_pieces() && x.data.size() > to.piece_bytes / small_part)
    to.large.push_back({id, x.data, expiry, deadline});
  else
    to.small.push_back({{id, errc::none, {}, 0, expiry}, x.data, deadline});
  flush_later(to);
}

void server_state::ready(client& to, std::uint64_t id, mono_time deadline,
                         const failure& why) {
  // Nobody asks for as much without having given up most of it.
  if (to.small.size() >= 2 * config_.peers.fetches_max)
    return;
  to.small.push_back(
    {{id, why.code, why.reason, 0, never_expires}, {}, deadline});
  flush_later(to);
}

/// Once all that waits in the mailbox now has been seen.
void server_state::flush_later(client& to) {
  if (to.to_flush)
    return;
  to.to_flush = true;
  if (to_flush_.empty())
    send_to(self_, caf::actor_cast<server_actor>(self_), flush_atom_v);
  to_flush_.push_back(caf::actor_cast<caf::actor_addr>(to.handle));
}

void server_state::flush() {
  for (auto& address : std::exchange(to_flush_, {}))
    if (auto i = clients_.find(address); i != clients_.end()) {
      i->second.to_flush = false;
      send_what_fits(i->second);
    }
}

// -- what leaves --------------------------------------------------------------

/// A peer has taken what came up to here.
void server_state::taken(client& by, std::uint64_t bytes) {
  by.window.take(bytes);
  if (by.waits())
    send_what_fits(by);
}

void server_state::send_what_fits(client& to) {
  auto now = config_.home->time->now();
  send_small(to, now);
  send_pieces(to, now);
  if (to.waits())
    wake_.at(*config_.home->time, now + sweep_interval,
             caf::actor_cast<server_actor>(self_));
}

/// Answers that fit into frames with others, and what has been heard.
void server_state::send_small(client& to, mono_time now) {
  std::size_t at = 0;
  while (at < to.small.size() || to.heard != 0) {
    auto room = std::min<std::uint64_t>(wire::batch_bytes_max,
                                        to.window.room_for_small());
    if (room == 0)
      break;
    wire::fetched_batch batch;
    std::vector<value> bodies;
    std::size_t bytes = 0;
    for (; at < to.small.size() && batch.fetched.size() < wire::batch_items_max
           && bytes < room;
         ++at) {
      auto& x = to.small[at];
      to.waiting_bytes -= x.body.size();
      if (at < to.left_behind && x.deadline <= now)
        x.item.code = errc::deadline_exceeded;
      bytes += item_cost + x.item.reason.size();
      if (x.item.code == errc::none) {
        bytes += x.body.size();
        x.item.body = static_cast<std::uint32_t>(bodies.size());
        bodies.push_back(std::move(x.body));
      }
      batch.fetched.push_back(std::move(x.item));
    }
    batch.heard = std::exchange(to.heard, 0);
    if (auto cost = cost_of(batch, bodies); batch.fetched.empty())
      to.window.send_other(cost);
    else
      to.window.send_small(cost);
    send_counted(to, std::move(batch), std::move(bodies));
  }
  to.small.erase(to.small.begin(),
                 to.small.begin() + static_cast<std::ptrdiff_t>(at));
  to.left_behind = to.small.size();
}

/// One value after the other, so that the other side has the pieces of one at a
/// time.
void server_state::send_pieces(client& to, mono_time now) {
  while (!to.large.empty() && to.window.has_room_for_piece()) {
    auto& x = to.large.front();
    auto size = std::min(to.piece_bytes, x.data.size() - x.offset);
    if (x.deadline <= now) {
      to.waiting_bytes -= x.data.size();
      auto id = x.id;
      to.large.pop_front();
      ready(to, id, now, failure{errc::deadline_exceeded, {}});
      continue;
    }
    if (x.offset == 0)
      x.number = ++to.large_begun;
    wire::piece piece{x.id, x.data.size(), x.offset, x.expiry,
                      0,    to.assembly,   x.number};
    auto whole = size == x.data.size();
    auto body = whole ? x.data : x.data.part(x.offset, size);
    if (GALAXYCACHE_PLANTED(swapped_pieces) && to.large.size() > 1
        && to.large[1].data.size() == x.data.size())
      body = to.large[1].data.part(x.offset, size);
    x.offset += size;
    if (x.offset == x.data.size()) {
      to.waiting_bytes -= x.data.size();
      to.large.pop_front();
    }
    std::vector bodies{std::move(body)};
    to.window.send_piece(cost_of(piece, bodies));
    send_counted(to, piece, std::move(bodies));
  }
}

/// Sends an answer, or some, whose bytes count until they are taken.
template <class T>
void server_state::send_counted(client& to, T x, std::vector<value> bodies) {
  auto sent = to.window.sent();
  if (to.window.with_pieces()) {
    x.sent = sent;
    return say(to.handle, x, std::move(bodies));
  }
  // One that does not tell what it has taken says so by answering.
  auto done = [this, address = caf::actor_cast<caf::actor_addr>(to.handle),
               sent] {
    auto i = clients_.find(address);
    if (i != clients_.end() && !i->second.window.with_pieces())
      taken(i->second, sent);
  };
  request(self_, to.handle, frame{wire::encode(x), std::move(bodies)})
    .then(done, [done](const caf::error&) { done(); });
}

/// Values that nobody waits for any more are of no use here.
void server_state::drop_late(client& to, mono_time now) {
  for (auto& x : to.small)
    if (x.item.code == errc::none && x.deadline <= now) {
      x.item.code = errc::deadline_exceeded;
      to.waiting_bytes -= x.body.size();
      x.body = {};
    }
  std::vector<std::uint64_t> late;
  std::erase_if(to.large, [&](const large_answer& x) {
    if (x.deadline > now)
      return false;
    to.waiting_bytes -= x.data.size();
    late.push_back(x.id);
    return true;
  });
  for (auto id : late)
    ready(to, id, now, failure{errc::deadline_exceeded, {}});
}

void server_state::tick() {
  auto now = config_.home->time->now();
  wake_.woken(now);
  for (auto& [address, c] : clients_) {
    if (!c.waits())
      continue;
    drop_late(c, now);
    send_what_fits(c);
  }
}

void server_state::say(const wire_actor& to, const wire::message& x,
                       std::vector<value> bodies) {
  send_to(self_, to, frame{wire::encode(x), std::move(bodies)});
}

void server_state::say_goodbye() {
  flush();
  for (auto& [address, c] : clients_)
    say(c.handle, wire::goodbye{});
}

server_actor::behavior_type
server(server_actor::stateful_pointer<server_state> self,
       server_config config) {
  return state_of(self).start(self, std::move(config));
}

} // namespace galaxycache
