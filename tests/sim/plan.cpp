#include "plan.hpp"

#include "fixtures/zipf.hpp"

#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/random.hpp"

#include <algorithm>
#include <sstream>

namespace galaxycache::sim {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

/// Draws all that a plan is made of.
class dealer {
public:
  explicit dealer(std::uint64_t seed) : random_(mix64(seed + 1)) {
    // nop
  }

  bool chance(double probability) {
    return random_.chance(probability);
  }

  std::size_t between(std::size_t least, std::size_t most) {
    return least + random_.below(most - least + 1);
  }

  nanoseconds between(nanoseconds least, nanoseconds most) {
    auto range = static_cast<std::uint64_t>((most - least).count());
    return least
           + nanoseconds{static_cast<std::int64_t>(random_.below(range + 1))};
  }

  template <class T>
  T one_of(std::initializer_list<T> all) {
    return all.begin()[random_.below(all.size())];
  }

  std::size_t zipf(std::size_t n) {
    return fixtures::zipf_rank(random_, n);
  }

private:
  random_source random_;
};

void draw_configuration(dealer& deal, plan& p) {
  auto& c = p.cluster;
  c.seed = p.seed;
  c.nodes = deal.chance(0.5) ? 3 : deal.between(3, 7);
  c.placement.kind = deal.one_of(
    {placement_kind::rendezvous, placement_kind::rendezvous,
     placement_kind::hash_ring_crc32, placement_kind::hash_ring_fnv1a});
  c.peers.heartbeat_interval = deal.one_of<nanoseconds>({500ms, 1s});
  c.peers.heartbeat_timeout = 3 * c.peers.heartbeat_interval;
  c.peers.reconnect_max = 2s;
  auto& g = p.galaxy;
  g.shards = deal.one_of<std::size_t>({1, 2, 4});
  g.default_timeout = 5s;
  g.load_timeout = 20s;
  if (deal.chance(0.3))
    g.get_ttl = {deal.between(5s, 60s), deal.between(0s, 10s)};
  if (deal.chance(0.3))
    g.peek = peek_options{deal.between(1ms, 50ms), 30s};
  if (deal.chance(0.2))
    g.promote = make_always_promoter();
  else if (deal.chance(0.2))
    g.promote = make_previously_known_promoter();
  p.capacity_bytes = deal.chance(0.7) ? 4 << 20 : deal.between(0, 16) * 1024;
  g.value_bytes_max = 4096;
}

void draw_backend(dealer& deal, plan& p) {
  auto& b = p.backend;
  b.absent = deal.chance(0.5) ? 0.1 : 0;
  b.large = deal.chance(0.2) ? 0.05 : 0;
  if (deal.chance(0.3))
    b.lifetime = deal.between(1s, 60s);
  if (deal.chance(0.5)) {
    b.slow = 0.3;
    b.slow_max = deal.between(1ms, 2s);
  }
  if (deal.chance(0.3))
    b.fail = 0.1;
  if (deal.chance(0.15))
    b.never = 0.02;
}

void draw_load(dealer& deal, plan& p, std::size_t gets) {
  auto keys = deal.between(5, 300);
  for (std::size_t i = 0; i < gets; ++i) {
    event x;
    x.at = deal.between(0s, p.length);
    // Some in bursts.
    if (i > 0 && deal.chance(0.5))
      x.at = p.events.back().at;
    x.a = deal.between(0, p.cluster.nodes - 1);
    x.key = "k" + std::to_string(deal.zipf(keys));
    if (deal.chance(0.2))
      x.options.mode
        = deal.one_of({fetch_mode::no_peer_backend, fetch_mode::peek});
    if (deal.chance(0.3))
      x.options.timeout = deal.between(10ms, 3s);
    if (deal.chance(0.05)) {
      x.what = event::kind::get_many;
      for (auto n = deal.between(1, 20); n > 0; --n)
        x.keys.push_back("k" + std::to_string(deal.zipf(keys)));
    }
    p.events.push_back(std::move(x));
  }
}

std::vector<std::size_t> some_members(dealer& deal, const plan& p) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < p.cluster.nodes; ++i)
    if (deal.chance(0.7))
      result.push_back(i);
  return result;
}

/// Every node believes in another ring, and long.
void draw_member_lists(dealer& deal, plan& p) {
  auto at = deal.between(0s, p.length / 2);
  for (std::size_t i = 0; i < p.cluster.nodes; ++i) {
    event x;
    x.what = event::kind::members;
    x.at = at;
    x.a = i;
    x.members = some_members(deal, p);
    p.events.push_back(std::move(x));
  }
}

void draw_faults(dealer& deal, plan& p) {
  auto any_node = [&] { return deal.between(0, p.cluster.nodes - 1); };
  auto add = [&](event x) {
    x.at = deal.between(0s, p.length);
    p.events.push_back(std::move(x));
  };
  // A fault and what ends it.
  auto pairs = [&](event::kind begin, event::kind end, std::size_t n) {
    for (; n > 0; --n) {
      event x;
      x.what = begin;
      x.at = deal.between(0s, p.length);
      x.a = any_node();
      x.b = any_node();
      p.events.push_back(x);
      x.what = end;
      x.at += deal.between(100ms, 15s);
      p.events.push_back(x);
    }
  };
  if (deal.chance(0.5))
    pairs(event::kind::cut, event::kind::heal, deal.between(1, 5));
  if (deal.chance(0.5))
    pairs(event::kind::freeze, event::kind::thaw, deal.between(1, 5));
  if (deal.chance(0.5))
    pairs(event::kind::kill, event::kind::restart, deal.between(1, 4));
  if (deal.chance(0.3))
    pairs(event::kind::stop, event::kind::restart, deal.between(1, 3));
  if (deal.chance(0.5))
    for (auto n = deal.between(1, 10); n > 0; --n) {
      event x;
      x.what = event::kind::link;
      x.a = any_node();
      x.b = any_node();
      if (deal.chance(0.5))
        x.faults.drop = deal.one_of({0.05, 0.3, 1.0});
      if (deal.chance(0.3))
        x.faults.duplicate = deal.one_of({0.1, 0.5});
      if (deal.chance(0.6)) {
        x.faults.delay_max = deal.between(1ms, 300ms);
        x.faults.delay_min = deal.between(0ms, x.faults.delay_max);
      }
      x.faults.reorder = deal.chance(0.3);
      add(std::move(x));
    }
  if (deal.chance(0.3))
    for (auto n = deal.between(1, 4); n > 0; --n) {
      event x;
      x.what = event::kind::skew;
      x.a = any_node();
      x.by = deal.between(-20s, 20s);
      add(std::move(x));
    }
  if (deal.chance(0.4))
    for (auto n = deal.between(1, 10); n > 0; --n) {
      event x;
      x.what = event::kind::members;
      x.a = any_node();
      x.members = some_members(deal, p);
      add(std::move(x));
    }
  if (deal.chance(0.2))
    draw_member_lists(deal, p);
}

// In some runs the nodes' views of the ring are all that is wrong: whatever
// they are, nobody has to wait for anybody then.
void leave_views_alone(dealer& deal, plan& p) {
  std::erase_if(p.events, [](const event& x) {
    return !is_load(x) && x.what != event::kind::members
           && x.what != event::kind::skew;
  });
  p.backend.slow = 0;
  p.backend.fail = 0;
  p.backend.never = 0;
  if (deal.chance(0.7))
    for (auto n = deal.between(1, 20); n > 0; --n)
      draw_member_lists(deal, p);
  // The same keys everywhere at once.
  const event* last = nullptr;
  for (auto& x : p.events) {
    if (x.what != event::kind::get)
      continue;
    if (last && deal.chance(0.7)) {
      x.at = last->at;
      x.key = last->key;
    }
    last = &x;
  }
}

std::string in_ms(nanoseconds x) {
  return std::to_string(x / 1ms) + " ms";
}

} // namespace

std::string to_string(const event& x) {
  auto node = [](std::size_t i) { return "node" + std::to_string(i); };
  std::ostringstream out;
  out << in_ms(x.at) << ": ";
  switch (x.what) {
    case event::kind::get:
      out << "get " << x.key << " at " << node(x.a) << ", "
          << galaxycache::to_string(x.options.mode);
      if (x.options.timeout > 0s)
        out << ", within " << in_ms(x.options.timeout);
      break;
    case event::kind::get_many:
      out << "get " << x.keys.size() << " keys at " << node(x.a) << ", "
          << galaxycache::to_string(x.options.mode);
      break;
    case event::kind::cut:
      out << "cut " << node(x.a) << " from " << node(x.b);
      break;
    case event::kind::heal:
      out << "heal all links";
      break;
    case event::kind::freeze:
      out << "freeze " << node(x.a);
      break;
    case event::kind::thaw:
      out << "thaw " << node(x.a);
      break;
    case event::kind::kill:
      out << "kill " << node(x.a);
      break;
    case event::kind::stop:
      out << "stop " << node(x.a);
      break;
    case event::kind::restart:
      out << "restart " << node(x.a);
      break;
    case event::kind::link:
      out << "from " << node(x.a) << " to " << node(x.b) << ": drop "
          << x.faults.drop << ", duplicate " << x.faults.duplicate << ", delay "
          << in_ms(x.faults.delay_min) << " to " << in_ms(x.faults.delay_max)
          << (x.faults.reorder ? ", reorder" : "");
      break;
    case event::kind::skew:
      out << "skew " << node(x.a) << " by " << in_ms(x.by);
      break;
    case event::kind::members:
      out << "members at " << node(x.a) << ":";
      for (auto i : x.members)
        out << ' ' << i;
      break;
  }
  return out.str();
}

plan draw(std::uint64_t seed, const shape& given) {
  dealer deal{seed};
  plan p;
  p.seed = seed;
  p.length = deal.between(10s, 60s);
  draw_configuration(deal, p);
  if (given.nodes > 0)
    p.cluster.nodes = given.nodes;
  draw_backend(deal, p);
  draw_load(deal, p, given.gets);
  draw_faults(deal, p);
  // A stream of its own, so that the plans of all other seeds stay the same.
  if (dealer more{mix64(seed + 3)}; more.chance(0.1))
    leave_views_alone(more, p);
  // The same. Values are small here, so the pieces must be smaller.
  if (dealer more{mix64(seed + 4)}; more.chance(0.3)) {
    p.cluster.peers.piece_bytes = more.between(1, 12);
    p.cluster.peers.window_bytes = more.between(1, 4096);
  }
  // And another. In one shard, whose cache actor sees enough fetches to know
  // what is slow.
  if (dealer more{mix64(seed + 5)}; more.chance(0.25)) {
    p.galaxy.hedge = true;
    p.galaxy.shards = 1;
  }
  std::ranges::stable_sort(p.events, {}, &event::at);
  return p;
}

std::string describe(const plan& x) {
  std::ostringstream out;
  auto faults = std::ranges::count_if(x.events,
                                      [](auto& e) { return !is_load(e); });
  out << x.cluster.nodes << " nodes, " << faults << " faults, "
      << x.capacity_bytes << " bytes in " << x.galaxy.shards
      << " shards, placement " << static_cast<int>(x.cluster.placement.kind)
      << ", get ttl " << in_ms(x.galaxy.get_ttl.max) << ", peek "
      << (x.galaxy.peek ? "on" : "off") << ", hedging "
      << (x.galaxy.hedge ? "on" : "off") << ", pieces of "
      << x.cluster.peers.piece_bytes << " bytes; backend: slow "
      << x.backend.slow << " up to " << in_ms(x.backend.slow_max) << ", fail "
      << x.backend.fail << ", never " << x.backend.never << ", absent "
      << x.backend.absent << ", large " << x.backend.large << ", lifetime "
      << in_ms(x.backend.lifetime);
  return out.str();
}

} // namespace galaxycache::sim
