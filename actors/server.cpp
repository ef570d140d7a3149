#include "galaxycache/actors/server.hpp"

#include "galaxycache/actors/asking.hpp"
#include "galaxycache/runtime/planted.hpp"

#include <algorithm>

namespace galaxycache {

server_actor::behavior_type server_state::start(server_actor::pointer self,
                                                server_config config) {
  self_ = self;
  config_ = std::move(config);
  harden(self, [](std::exception_ptr&) {
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
  else if (auto* ping = std::get_if<wire::ping>(&*message))
    say(from.handle, wire::pong{ping->number});
  else if (std::holds_alternative<wire::goodbye>(*message))
    clients_.erase(i);
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
  welcome.features = wire::feature_heard;
  auto handle = caf::actor_cast<wire_actor>(sender);
  // One that speaks another version learns ours, and that is all.
  auto compatible = x.oldest_version <= wire::version
                    && x.version >= wire::oldest_version;
  auto address = caf::actor_cast<caf::actor_addr>(sender);
  if (compatible && x.to == home.self_id.bytes()) {
    auto [i, added] = clients_.try_emplace(address);
    i->second.handle = handle;
    i->second.id = x.id;
    i->second.incarnation = x.incarnation;
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
    from.ready.heard = batch.number;
    flush_later(from);
  }
  auto now = home.time->now();
  question_map asked;
  for (auto& wanted : batch.fetches) {
    auto* galaxy = named[wanted.galaxy];
    if (galaxy == nullptr) {
      ready(from, wanted.id, failure{errc::unknown_galaxy, {}});
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
  auto shard = galaxy.shard_of(wanted.key);
  auto& cell = *galaxy.shards[shard];
  cell.count.add(counter::server_requests);
  if (auto known = galaxy.answer_at_once(wanted.key, wanted.mode))
    return std::visit([&](auto& x) { ready(from, wanted.id, x); }, *known);
  if (open_.size() >= config_.fetches_max)
    return ready(from, wanted.id,
                 failure{errc::overloaded, "too many fetches wait"});
  auto id = ++questions_asked_;
  open_.emplace(id, open_fetch{caf::actor_cast<caf::actor_addr>(from.handle),
                               wanted.id});
  ticket terms{wanted.mode, now + wanted.budget, wanted.gutter};
  asked[{wanted.galaxy, shard}].push_back({id, std::move(wanted.key), terms});
}

// -- what is ready ------------------------------------------------------------

void server_state::take(const answered& x) {
  auto i = open_.find(x.id);
  if (i == open_.end())
    return;
  auto [from, id] = i->second;
  open_.erase(i);
  if (GALAXYCACHE_PLANTED(lost_answer) && id % 3 == 0)
    return;
  auto c = clients_.find(from);
  if (c == clients_.end())
    return; // gone meanwhile
  if (x.error.code == errc::none)
    ready(c->second, id, x.content);
  else
    ready(c->second, id, x.error);
}

void server_state::ready(client& to, std::uint64_t id, const answer& x) {
  if (!x.found())
    return ready(to, id, failure{errc::not_found, {}});
  auto& item = to.ready.fetched.emplace_back();
  item.id = id;
  item.body = static_cast<std::uint32_t>(to.bodies.size());
  item.expiry = GALAXYCACHE_PLANTED(lost_expiry) ? never_expires : x.expiry;
  to.bodies.push_back(x.data);
  flush_later(to);
}

void server_state::ready(client& to, std::uint64_t id, const failure& why) {
  auto& item = to.ready.fetched.emplace_back();
  item.id = id;
  item.code = why.code;
  item.reason = why.reason;
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
    if (auto i = clients_.find(address); i != clients_.end())
      send_ready(i->second);
}

void server_state::send_ready(client& to) {
  to.to_flush = false;
  auto heard = std::exchange(to.ready.heard, 0);
  auto items = std::exchange(to.ready.fetched, {});
  auto bodies = std::exchange(to.bodies, {});
  wire::fetched_batch batch;
  std::vector<value> batch_bodies;
  std::size_t bytes = 0;
  auto leave = [&] {
    if (!batch.fetched.empty() || batch.heard != 0)
      say(to.handle, std::exchange(batch, {}), std::exchange(batch_bodies, {}));
    bytes = 0;
  };
  for (auto& item : items) {
    if (batch.fetched.size() == wire::batch_items_max
        || bytes >= wire::batch_bytes_max)
      leave();
    if (item.code == errc::none) {
      auto& body = bodies[item.body];
      bytes += body.size();
      item.body = static_cast<std::uint32_t>(batch_bodies.size());
      batch_bodies.push_back(std::move(body));
    }
    batch.fetched.push_back(std::move(item));
  }
  batch.heard = heard;
  leave();
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
