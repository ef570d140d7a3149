#include "galaxycache/actors/ring.hpp"

#include "galaxycache/runtime/planted.hpp"

#include <algorithm>
#include <set>

namespace galaxycache {

namespace {

// More than this is no ring but a mistake; it also bounds what a view costs.
constexpr std::size_t members_max = 10'000;

} // namespace

std::optional<failure> why_refused(const transport& way, const uri& where,
                                   bool insecure) {
  if (auto why = way.why_unusable())
    return failure{why->code, to_string(where) + ": " + why->reason};
  if (insecure || way.is_private(where))
    return std::nullopt;
  return failure{
    errc::invalid_argument,
    to_string(where)
      + " is not on loopback and not encrypted: whoever reaches it "
        "can read and change what is cached. Use cafs://, or, if that "
        "network is yours alone, say so: universe_options::insecure, "
        "or --galaxycache.insecure"};
}

ring_actor::behavior_type ring_state::start(ring_actor::pointer self,
                                            ring_config config) {
  self_ = self;
  config_ = std::move(config);
  harden(self, *this, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a ring actor crashed"});
  });
  publish();
  return {
    [this](set_atom, std::vector<peer_info>& members) {
      return set(std::move(members));
    },
    [this](join_atom, peer_info& info) { return add(std::move(info)); },
    [this](leave_atom, const name_list& ids) {
      for (auto& id : ids.names)
        remove(id);
      publish();
    },
    [this](self_atom, bool included) {
      include_self(included);
      publish();
    },
    [this](list_atom) { return list(); },
    [this](const peer_changed& x) {
      // Not from one that was retired and whose id is back.
      auto i = remotes_.find(x.id);
      if (i != remotes_.end() && i->second.handle == self_->current_sender())
        i->second.state = x.state;
    },
    [this](stop_atom) { stop(); },
  };
}

caf::error ring_state::check(const peer_info& info) const {
  if (info.id.empty() || info.id.size() > peer_id_bytes_max)
    return make_error({errc::invalid_argument,
                       "a peer's id must have 1 to "
                         + std::to_string(peer_id_bytes_max) + " bytes"});
  if (is_self(info))
    return {};
  std::string why;
  auto where = parse_uri(info.uri, why);
  if (!where)
    return make_error({errc::invalid_argument, why});
  if (config_.ways.count(where->scheme) == 0)
    return make_error({errc::invalid_argument,
                       "no transport for '" + where->scheme
                         + "://', the address of peer '" + info.id + "'"});
  if (auto refused = why_refused(*config_.ways.at(where->scheme), *where,
                                 config_.insecure))
    return make_error(*refused);
  return {};
}

result<void> ring_state::set(std::vector<peer_info> members) {
  if (members.size() > members_max)
    return make_error(
      {errc::invalid_argument,
       "a ring has at most " + std::to_string(members_max) + " members"});
  std::set<std::string> kept;
  for (auto& info : members) {
    if (auto why = check(info))
      return why;
    kept.insert(info.id);
  }
  for (auto i = remotes_.begin(); i != remotes_.end();) {
    if (kept.count(i->first) == 0) {
      retire(i->second);
      i = remotes_.erase(i);
    } else {
      ++i;
    }
  }
  self_included_ = std::ranges::any_of(members, [this](const peer_info& x) {
    return is_self(x);
  });
  for (auto& info : members)
    put(std::move(info));
  publish();
  return caf::unit;
}

result<void> ring_state::add(peer_info info) {
  if (auto why = check(info))
    return why;
  if (remotes_.size() >= members_max && !is_self(info)
      && remotes_.count(info.id) == 0)
    return make_error({errc::invalid_argument, "the ring is full"});
  put(std::move(info));
  publish();
  return caf::unit;
}

void ring_state::put(peer_info info) {
  if (is_self(info)) {
    self_included_ = true;
    self_weight_ = info.weight;
    return;
  }
  std::string why;
  auto where = parse_uri(info.uri, why);
  auto i = remotes_.find(info.id);
  if (i != remotes_.end()) {
    if (i->second.info == info)
      return;
    if (parse_uri(i->second.info.uri, why)->scheme == where->scheme) {
      i->second.info = info;
      send_to(self_, i->second.handle, put_atom_v, std::move(info));
      return;
    }
    // Another scheme needs another transport.
    retire(i->second);
    remotes_.erase(i);
  }
  auto handle = spawn_peer(info, config_.ways.at(where->scheme));
  auto id = info.id;
  remotes_.emplace(id, remote{std::move(info), std::move(handle)});
}

peer_actor ring_state::spawn_peer(const peer_info& info,
                                  const std::shared_ptr<transport>& way) {
  auto handle = config_.home->system.spawn<caf::hidden>(
    peer, peer_config{config_.home, way, info, config_.peers, config_.placement,
                      caf::actor_cast<ring_actor>(self_),
                      universe_core::presence{config_.home}});
  config_.home->enlist(caf::actor_cast<caf::strong_actor_ptr>(handle));
  monitors_.watch(self_, handle,
                  [this, id = info.id, handle, way](const caf::error& why) {
                    auto i = remotes_.find(id);
                    if (i == remotes_.end() || i->second.handle != handle)
                      return; // retired
                    if (config_.home->phase == life::down)
                      return; // ended with all others
                    config_.home->lines->warning("the peer actor for " + id
                                                 + " crashed and is replaced: "
                                                 + describe(why));
                    i->second.state = peer_state::connecting;
                    i->second.handle = spawn_peer(i->second.info, way);
                    publish();
                  });
  return handle;
}

void ring_state::remove(const std::string& id) {
  if (id == config_.home->self_id.bytes())
    return include_self(false);
  auto i = remotes_.find(id);
  if (i == remotes_.end())
    return;
  retire(i->second);
  remotes_.erase(i);
}

void ring_state::include_self(bool included) {
  self_included_ = included;
}

std::vector<peer_status> ring_state::list() const {
  std::vector<peer_status> result;
  if (self_included_)
    result.push_back({{std::string{config_.home->self_id.bytes()},
                       config_.self_uri, self_weight_},
                      peer_state::self});
  for (auto& [id, x] : remotes_)
    result.push_back({x.info, x.state});
  return result;
}

void ring_state::publish() {
  std::vector<member> members;
  if (auto view = config_.home->view.get();
      GALAXYCACHE_PLANTED(wrong_owner_after_leave) && view)
    members = view->members.members();
  if (self_included_)
    members.push_back(
      {std::string{config_.home->self_id.bytes()}, self_weight_});
  for (auto& [id, x] : remotes_)
    members.push_back({id, x.info.weight});
  if (GALAXYCACHE_PLANTED(stale_view) && version_ % 2 == 1) {
    ++version_;
    return;
  }
  auto view = std::make_shared<ring_view>();
  view->members = placement{std::move(members), config_.placement};
  for (auto& m : view->members.members()) {
    auto i = remotes_.find(m.id);
    view->peers.push_back(i != remotes_.end() ? i->second.handle
                                              : peer_actor{});
    view->ids.push_back(value::copy(m.id));
  }
  view->version = ++version_;
  config_.home->view.set(std::move(view));
  // Only now: flights whose peer fails look for its successor in the new view.
  for (auto& x : std::exchange(retired_, {}))
    send_to(self_, x, stop_atom_v);
}

void ring_state::retire(remote& x) {
  retired_.push_back(std::move(x.handle));
}

void ring_state::stop() {
  for (auto& [id, x] : remotes_)
    send_to(self_, x.handle, stop_atom_v);
  remotes_.clear();
  self_->quit();
}

ring_actor::behavior_type ring(ring_actor::stateful_pointer<ring_state> self,
                               ring_config config) {
  return state_of(self).start(self, std::move(config));
}

} // namespace galaxycache
