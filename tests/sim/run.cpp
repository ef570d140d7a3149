#include "run.hpp"

#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/random.hpp"
#include "galaxycache/runtime/timer_wheel.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <set>

namespace galaxycache::sim {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using testing::backend_call;
using testing::cluster;
using testing::outcome;
using testing::reaction;

namespace {

constexpr auto galaxy_name = "things";

// Of so many the first say enough.
constexpr std::size_t violations_max = 20;

// Shorter than any cap of the plans.
constexpr nanoseconds expiring_lifetime = 3s;

// After the storm, asked for by every node: some keys of it, and new ones.
constexpr int calm_keys = 5;

// Longer than any peek of the plans lasts.
constexpr nanoseconds peek_patience = 100ms;

/// The ring that these nodes are.
placement ring_of(const plan& p, const std::vector<std::size_t>& nodes) {
  std::vector<member> members;
  for (auto i : nodes)
    members.push_back({cluster::member(i).id});
  return placement{std::move(members), p.cluster.placement};
}

placement ring_of_all(const plan& p) {
  std::vector<std::size_t> all(p.cluster.nodes);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return ring_of(p, all);
}

bool is_of(std::string_view key, double share, std::uint64_t seed) {
  return static_cast<double>(hash64(key, seed) >> 34) < share * (1 << 30);
}

/// One run, and what must hold in it.
class runner {
public:
  runner(const plan& p, bool with_log)
    : plan_(p),
      with_log_(with_log),
      random_(mix64(p.seed + 2)),
      ring_of_all_(ring_of_all(p)),
      cluster_(options_of(p)) {
    start_ = cluster_.now();
    started_ = true;
    cluster_.script([this](std::size_t node, const std::string&,
                           const std::string& key) { return load(node, key); });
    cluster_.on_answer([this](const outcome& x) { answered(x); });
    cluster_.add_galaxy(galaxy_name, p.capacity_bytes, p.galaxy);
    stopped_at_.resize(cluster_.size(), mono_time::min());
    incarnation_.resize(cluster_.size(), 0);
    wrong_by_.resize(cluster_.size(), 0ns);
    rings_.resize(cluster_.size(), ring_of_all_);
  }

  report go() {
    try {
      storm();
      calm();
      drain();
    } catch (const std::exception& thrown) {
      violate(std::string{"an exception: "} + thrown.what());
    }
    result_.hash = cluster_.trace_hash();
    result_.steps = cluster_.steps();
    return std::move(result_);
  }

private:
  testing::cluster_options options_of(const plan& p) {
    auto result = p.cluster;
    if (with_log_) {
      result.verbosity = log_level::debug;
      result.log_to = [this](log_level, std::string_view text) {
        note("        " + std::string{text});
      };
    }
    return result;
  }

  // -- what happens -----------------------------------------------------------

  void storm() {
    for (auto& x : plan_.events) {
      auto wait = start_ + x.at - cluster_.now();
      if (wait > 0ns)
        cluster_.advance(wait);
      happen(x);
    }
    cluster_.advance(plan_.galaxy.load_timeout + 5s);
    check_at_rest("after the storm");
  }

  void happen(const event& x) {
    note(to_string(x));
    auto alive = cluster_.alive(x.a);
    if (is_load(x)) {
      if (!alive)
        return;
      remember_local(x);
      if (x.what == event::kind::get)
        cluster_.ask(x.a, galaxy_name, x.key, x.options);
      else
        cluster_.ask_many(x.a, galaxy_name, x.keys, x.options);
      result_.gets += std::max<std::size_t>(x.keys.size(), 1);
      return;
    }
    ++result_.faults;
    // A clock that is wrong, or another view of the ring, is no trouble for
    // the links.
    if (x.what == event::kind::members)
      agreed_ = false;
    else if (x.what != event::kind::skew)
      links_whole_ = false;
    switch (x.what) {
      case event::kind::cut:
        if (x.a != x.b)
          cluster_.cut(x.a, x.b);
        break;
      case event::kind::heal:
        cluster_.heal();
        break;
      case event::kind::freeze:
        cluster_.freeze(x.a);
        break;
      case event::kind::thaw:
        cluster_.thaw(x.a);
        break;
      case event::kind::kill:
      case event::kind::stop:
        if (!alive)
          break;
        stop(x.a, x.what == event::kind::kill);
        break;
      case event::kind::restart:
        restart(x.a);
        break;
      case event::kind::link:
        if (x.a != x.b)
          cluster_.faults(x.a, x.b, x.faults);
        break;
      case event::kind::skew:
        cluster_.skew(x.a, x.by);
        wrong_by_[x.a] += x.by;
        most_wrong_ = std::max(most_wrong_, wrong_by_[x.a]);
        least_wrong_ = std::min(least_wrong_, wrong_by_[x.a]);
        break;
      case event::kind::members:
        if (alive)
          set_members(x.a, x.members);
        break;
      default:
        break;
    }
  }

  void set_members(std::size_t node, const std::vector<std::size_t>& members) {
    rings_[node] = ring_of(plan_, members);
    cluster_.set_members(node, members);
  }

  void stop(std::size_t node, bool kill) {
    std::vector<std::size_t> friends;
    for (std::size_t i = 0; i < cluster_.size(); ++i)
      if (i != node && cluster_.alive(i)
          && cluster_.state_of(i, node) == peer_state::up)
        friends.push_back(i);
    stopped_at_[node] = mono_time::max(); // until it has
    if (kill)
      cluster_.kill(node);
    else
      cluster_.stop(node, 500ms);
    stopped_at_[node] = cluster_.now();
    // Whoever is connected hears of the end of the connection.
    for (auto i : friends) {
      auto state = cluster_.state_of(i, node);
      if (state == peer_state::up || state == peer_state::draining)
        violate("node" + std::to_string(i) + " has not noticed the end of node"
                + std::to_string(node));
    }
  }

  void restart(std::size_t node) {
    if (cluster_.alive(node))
      return;
    ++incarnation_[node];
    if (rings_[node].size() == 0)
      rings_[node] = ring_of_all_; // as the cluster has it
    cluster_.restart(node);
  }

  /// All faults end; then the cluster must be well.
  void calm() {
    healthy_ = true;
    links_whole_ = false;
    note("all links heal");
    cluster_.heal();
    auto& peers = plan_.cluster.peers;
    auto detection = peers.heartbeat_timeout + peers.reconnect_max;
    cluster_.advance(2 * detection);
    if (!cluster_.settle(0s))
      violate("somebody is not taken for what it is, long after all links "
              "have healed");
    note("all nodes start");
    for (std::size_t i = 0; i < cluster_.size(); ++i)
      restart(i);
    std::vector<std::size_t> all(cluster_.size());
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = i;
    for (auto i : all)
      set_members(i, all);
    cluster_.advance(2 * detection);
    if (!cluster_.settle(0s))
      violate("somebody is not taken for what it is, long after all nodes "
              "have started");
    for (auto i : all)
      for (auto k : all)
        if (i != k && cluster_.state_of(i, k) != peer_state::up)
          violate("node" + std::to_string(i) + " has no connection to node"
                  + std::to_string(k) + " though all is well");
    everybody_asks("new", all);
    // One leaves, and the others agree on that.
    auto rest = all;
    rest.erase(rest.begin()
               + static_cast<std::ptrdiff_t>(random_.below(rest.size())));
    note("one leaves");
    for (auto i : rest)
      set_members(i, rest);
    cluster_.advance(1s);
    everybody_asks("left", rest);
    check_expiry(rest.front());
  }

  /// New keys, and some of the storm, from all members of a ring in which
  /// nothing is wrong.
  void everybody_asks(const std::string& prefix,
                      const std::vector<std::size_t>& members) {
    note("everybody asks for " + prefix);
    auto calls_before = cluster_.calls_so_far();
    auto place = ring_of(plan_, members);
    for (int n = 0; n < calm_keys; ++n)
      for (auto i : members)
        for (auto& kind : {std::string{"k"}, prefix}) {
          ++result_.gets;
          auto key = kind + std::to_string(n);
          auto id = cluster_.ask(i, galaxy_name, key, {});
          auto owner = place.members()[*place.owner(key)].id;
          must_succeed_.emplace(id, kind == prefix ? owner : "");
        }
    cluster_.advance(6s);
    check_loaded_once(calls_before, prefix);
    auto calls = cluster_.calls();
    for (auto i = calls_before; i < calls.size(); ++i) {
      auto& key = calls[i].key;
      auto owner = place.members()[*place.owner(key)].id;
      if (key.starts_with(prefix) && !is_of(key, plan_.backend.large, 2)
          && cluster::member(calls[i].node).id != owner)
        violate(key + " was loaded by node" + std::to_string(calls[i].node)
                + " and not by its owner, " + owner);
    }
    check_at_rest("in the calm");
  }

  /// A value is answered up to the moment when it expires, and not then.
  void check_expiry(std::size_t node) {
    if (plan_.capacity_bytes < 1 << 20)
      return;
    note("a value expires");
    expiring_ = true;
    const get_options here{fetch_mode::no_peer_backend, 0ns};
    auto first = cluster_.get(node, galaxy_name, "expiring", here);
    auto born = cluster_.now();
    if (!first.found())
      return violate("failed in the calm: " + text_of(first));
    auto is_kept = [&] {
      auto got = cluster_.get(node, galaxy_name, "expiring", here);
      return got.text() == first.text();
    };
    cluster_.advance(born + expiring_lifetime - 1ns - cluster_.now());
    if (!is_kept())
      violate("a value is gone before it expires");
    cluster_.advance(1ns);
    if (is_kept())
      violate("a value is answered at the moment it expires");
    expiring_ = false;
  }

  void drain() {
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      stopped_at_[i] = mono_time::max();
      cluster_.stop(i, 1s);
    }
    if (cluster_.pending() != 0)
      violate(std::to_string(cluster_.pending())
              + " gets have no answer though all nodes have stopped");
  }

  /// Some gets never ask peers.
  void remember_local(const event& x) {
    if (x.options.mode != fetch_mode::no_peer_backend)
      return;
    local_.emplace(x.a, x.key);
    for (auto& key : x.keys)
      local_.emplace(x.a, key);
  }

  /// Whether a key is not a node's own, as far as that knows.
  bool is_of_another(std::size_t node, const std::string& key) const {
    auto& ring = rings_[node];
    auto owner = ring.owner(key);
    return owner && ring.members()[*owner].id != cluster::member(node).id;
  }

  /// As long as all agree on the ring and reach each other, a key is loaded by
  /// its owner.
  void check_owner(std::size_t node, const std::string& key) {
    auto& b = plan_.backend;
    if (healthy_ || !links_whole_ || !agreed_ || plan_.galaxy.hedge
        || b.slow > 0 || b.never > 0 || b.fail > 0 || is_of(key, b.large, 2)
        || local_.count({node, key}) != 0)
      return;
    auto owner = ring_of_all_.members()[*ring_of_all_.owner(key)].id;
    if (cluster::member(node).id != owner)
      violate("node" + std::to_string(node) + " loads " + key
              + " though its owner, " + owner + ", is well");
  }

  /// What a backend does with a key.
  reaction load(std::size_t node, const std::string& key) {
    auto number = cluster_.calls_so_far() - 1; // of this call
    if (is_of_another(node, key)) {
      not_own_.insert(number);
      if (local_.count({node, key}) == 0)
        stood_in_.insert(number);
    }
    check_not_loading(node, key, number);
    check_owner(node, key);
    auto& b = plan_.backend;
    reaction result;
    result.text = key + "#" + std::to_string(number);
    result.lifetime = b.lifetime;
    if (expiring_) {
      result.lifetime = expiring_lifetime;
      return result;
    }
    if (is_of(key, b.absent, 1))
      result.what = reaction::kind::not_found;
    else if (is_of(key, b.large, 2)) {
      result.what = reaction::kind::large;
      result.bytes = plan_.galaxy.value_bytes_max + 1;
    }
    if (!healthy_) {
      if (random_.chance(b.slow))
        result.after = nanoseconds{static_cast<std::int64_t>(
          random_.below(static_cast<std::uint64_t>(b.slow_max.count()) + 1))};
      if (random_.chance(b.fail))
        result = {reaction::kind::fail, "sick", result.after};
      if (random_.chance(b.never))
        result.what = reaction::kind::never;
    }
    note("    node" + std::to_string(node) + " loads " + key + ", call "
         + std::to_string(number));
    return result;
  }

  // -- what must hold ---------------------------------------------------------

  void answered(const outcome& x) {
    note("    " + text_of(x));
    if (x.answers != 1)
      return violate("answered more than once: " + text_of(x));
    auto timeout = x.options.timeout > 0ns ? x.options.timeout
                                           : plan_.galaxy.default_timeout;
    if (x.answered > x.asked + timeout + 2 * timer_wheel::tick)
      violate("answered after its deadline: " + text_of(x));
    auto& b = plan_.backend;
    if (links_whole_ && b.slow == 0 && b.never == 0
        && x.answered > x.asked + peek_patience)
      violate("had to wait, and nobody is slow: " + text_of(x));
    if (x.found())
      check_value(x);
    else
      check_failure(x, timeout);
  }

  void check_value(const outcome& x) {
    auto split = x.text().rfind('#');
    if (split == std::string_view::npos || x.text().substr(0, split) != x.key)
      return violate("the value of another key: " + text_of(x));
    auto digits = x.text().substr(split + 1);
    auto number = cluster_.calls_so_far(); // of nobody
    std::from_chars(digits.begin(), digits.end(), number);
    backend_call call;
    if (number < cluster_.calls_so_far())
      call = cluster_.call(number);
    if (!call.ended || !call.result.found() || call.key != x.key
        || call.result.content().data.bytes() != x.text())
      return violate("a value that no backend has given: " + text_of(x));
    auto level = x.content.level;
    if (x.options.mode == fetch_mode::peek && level != hit_level::main
        && level != hit_level::hot)
      violate("a peek that was no look at the own caches: " + text_of(x));
    if (expiring_)
      return; // see check_expiry
    auto stood_in = stood_in_.count(number) != 0;
    // An owner may have peeked at it later.
    if (stood_in && agreed_ && !plan_.galaxy.peek && level == hit_level::hot)
      violate("hot, though from one that stood in: " + text_of(x));
    auto& ttl = plan_.galaxy.get_ttl;
    auto limit = nanoseconds::max();
    if (plan_.backend.lifetime > 0ns)
      limit = plan_.backend.lifetime;
    if (ttl.sets_limit())
      limit = std::min<nanoseconds>(limit, ttl.max + ttl.jitter);
    if (stood_in && agreed_)
      limit = std::min<nanoseconds>(limit, gutter_ttl_max);
    if (limit == nanoseconds::max())
      return;
    // Clocks that are wrong, and an answer that was on its way.
    limit += most_wrong_ - least_wrong_ + 1s;
    auto seen = x.among_many ? x.asked : x.answered;
    if (seen - *call.ended > limit)
      violate("a value that has expired: " + text_of(x));
  }

  void check_failure(const outcome& x, nanoseconds timeout) {
    auto absent = is_of(x.key, plan_.backend.absent, 1);
    auto large = is_of(x.key, plan_.backend.large, 2);
    if (x.ok()) {
      if (!absent && x.options.mode != fetch_mode::peek)
        violate("not found, though it exists: " + text_of(x));
      return;
    }
    auto& b = plan_.backend;
    auto at_a_stopped_node = stopped_at_[x.node] >= x.asked;
    if (x.code == errc::deadline_exceeded && x.answered < x.asked + timeout)
      violate("given up before its deadline: " + text_of(x));
    switch (x.code) {
      case errc::draining:
      case errc::unavailable:
      case errc::internal_error:
        if (!at_a_stopped_node)
          violate("failed at a node that was not stopped: " + text_of(x));
        return;
      case errc::value_too_large:
        if (!large)
          violate("too large, though it is small: " + text_of(x));
        return;
      case errc::backend_failed:
        if (healthy_ && x.asked >= start_ + plan_.length + 5s)
          violate("a failure of a healthy backend: " + text_of(x));
        else if (b.fail == 0 && b.never == 0)
          violate("a failure that no backend has had: " + text_of(x));
        return;
      case errc::deadline_exceeded:
        // Three peers may be waited for, a second each at most: an owner,
        // another and a successor. Then there is time for the backend, whatever
        // the views of the ring.
        if (b.never == 0 && timeout >= 3500ms + b.slow_max)
          violate("took too long, though no backend does: " + text_of(x));
        return;
      default:
        violate("an error nobody expected: " + text_of(x));
    }
  }

  /// A node never loads a key that it is loading.
  void check_not_loading(std::size_t node, const std::string& key,
                         std::size_t number) {
    auto id = std::pair{std::pair{node, incarnation_[node]}, key};
    auto& known = calls_of_[id];
    if (!known.empty()) {
      auto last = cluster_.call(known.back());
      // A load may have peeked before it called.
      auto given_up = last.begun + plan_.galaxy.load_timeout - 1s
                      <= cluster_.call(number).begun;
      if (!last.ended && !given_up)
        violate("node" + std::to_string(node) + " loads " + key
                + " though it is loading it: calls "
                + std::to_string(known.back()) + " and "
                + std::to_string(number));
    }
    // What does not expire and is not evicted is loaded once, but by one that
    // stands in.
    auto lasts = !expiring_ && plan_.backend.lifetime == 0ns
                 && !plan_.galaxy.get_ttl.sets_limit()
                 && plan_.capacity_bytes >= 1 << 20;
    if (lasts)
      for (auto earlier : known) {
        auto call = cluster_.call(earlier);
        if (call.ended && call.result.found()
            && call.result.content().data.size() <= plan_.galaxy.value_bytes_max
            && (not_own_.count(earlier) == 0
                || cluster_.now() - *call.ended < least_gutter_ttl()))
          violate("node" + std::to_string(node) + " loads " + key
                  + " again: calls " + std::to_string(earlier) + " and "
                  + std::to_string(number));
      }
    known.push_back(number);
  }

  /// The shortest that a value is kept by one that stands in, as clocks go.
  nanoseconds least_gutter_ttl() const {
    return gutter_ttl_max - (most_wrong_ - least_wrong_);
  }

  /// New keys were asked for by all nodes of a healthy cluster.
  void check_loaded_once(std::size_t calls_before, const std::string& prefix) {
    if (plan_.capacity_bytes < 1 << 20)
      return; // what is not kept is loaded again
    std::map<std::string, std::size_t> loads;
    auto calls = cluster_.calls();
    for (auto i = calls_before; i < calls.size(); ++i)
      if (calls[i].key.starts_with(prefix) && calls[i].result.found())
        ++loads[calls[i].key];
    for (auto& [key, n] : loads)
      if (n != 1 && !is_of(key, plan_.backend.large, 2))
        violate(key + " was loaded " + std::to_string(n)
                + " times by a healthy cluster");
  }

  void check_at_rest(const std::string& when) {
    if (auto left = cluster_.pending(); left != 0)
      violate(std::to_string(left) + " gets have no answer " + when);
    for (auto& [id, owner] : must_succeed_) {
      auto x = cluster_.result(id);
      auto named = x.content.owner.bytes();
      if (x.found() && !owner.empty() && !named.empty() && named != owner)
        violate("not " + owner + " is said to own it but "
                + std::string{x.content.owner.bytes()} + ": " + text_of(x));
      auto large = is_of(x.key, plan_.backend.large, 2);
      if (!x.ok() && !(large && x.code == errc::value_too_large))
        violate("failed in the calm: " + text_of(x));
    }
    must_succeed_.clear();
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      if (!cluster_.alive(i))
        continue;
      auto node = "node" + std::to_string(i) + " " + when + ": ";
      auto s = cluster_.galaxy_of(i, galaxy_name).stats();
      if (s.waiters != 0 || s.flights != 0)
        violate(node + std::to_string(s.waiters) + " gets wait in "
                + std::to_string(s.flights) + " flights");
      if (s.maincache.bytes + s.hotcache.bytes + s.overhead_bytes
          > plan_.capacity_bytes)
        violate(node + std::to_string(s.maincache.bytes) + " + "
                + std::to_string(s.hotcache.bytes) + " + "
                + std::to_string(s.overhead_bytes) + " bytes");
      if (!cluster_.accounts_exactly(i, galaxy_name))
        violate(node + "the bytes accounted are not those of the entries");
      auto sum = s.maincache_hits + s.hotcache_hits + s.peer_loads
                 + s.backend_loads + s.peer_peeks + s.not_found + s.failed;
      if (s.gets != sum)
        violate(node + "counted " + std::to_string(s.gets) + " gets and "
                + std::to_string(sum) + " outcomes");
    }
  }

  // -- words ------------------------------------------------------------------

  void violate(const std::string& what) {
    note("!!! " + what);
    if (result_.violations.size() < violations_max)
      result_.violations.push_back(what);
  }

  void note(const std::string& line) {
    if (!with_log_)
      return;
    auto now = started_ ? (cluster_.now() - start_) / 1us : 0;
    result_.log.push_back(std::to_string(now / 1000) + "."
                          + std::to_string(1000 + now % 1000).substr(1) + "  "
                          + line);
  }

  std::string text_of(const outcome& x) {
    auto ms = [&](mono_time t) {
      return std::to_string((t - start_) / 1ms) + " ms";
    };
    auto result = x.key + " at node" + std::to_string(x.node) + ", "
                  + to_string(x.options.mode) + ", asked at " + ms(x.asked)
                  + ", answered at " + ms(x.answered) + ": ";
    if (x.found())
      return result + std::string{x.text()} + " from "
             + to_string(x.content.level);
    if (x.ok())
      return result + "not found";
    return result + std::string{name_of(x.code)} + " " + x.reason;
  }

  const plan& plan_;
  const bool with_log_;
  bool started_ = false;
  report result_;
  random_source random_;
  mono_time start_{};
  bool healthy_ = false;
  bool links_whole_ = true; // so far
  bool agreed_ = true;      // all on one ring, so far
  const placement ring_of_all_;
  std::vector<placement> rings_; // as each node has it
  std::set<std::pair<std::size_t, std::string>> local_;
  // Calls of nodes for keys of others, and those of them that nobody asked for
  // but because the owner was away.
  std::set<std::size_t> not_own_;
  std::set<std::size_t> stood_in_;
  std::vector<mono_time> stopped_at_; // of each node, the last time
  std::vector<std::size_t> incarnation_;
  std::vector<nanoseconds> wrong_by_;
  nanoseconds most_wrong_{0};
  nanoseconds least_wrong_{0};
  bool expiring_ = false;
  std::map<std::size_t, std::string> must_succeed_; // and the owner to be named
  std::map<std::pair<std::pair<std::size_t, std::size_t>, std::string>,
           std::vector<std::size_t>>
    calls_of_;
  cluster cluster_; // last: it calls the others until its end
};

} // namespace

report carry_out(const plan& p, bool with_log) {
  return runner{p, with_log}.go();
}

plan shrink(plan p, std::size_t runs_max) {
  std::size_t runs = 0;
  for (auto faults : {true, false}) {
    auto is_of_kind = [&](const event& x) { return !is_load(x) == faults; };
    // Ever smaller pieces (delta debugging; Zeller, 1999).
    auto total
      = static_cast<std::size_t>(std::ranges::count_if(p.events, is_of_kind));
    for (auto piece = total; piece > 0 && runs < runs_max; piece /= 2) {
      std::size_t begin = 0;
      while (runs < runs_max) {
        auto smaller = p;
        std::size_t place = 0;
        auto removed = std::erase_if(smaller.events, [&](const event& x) {
          if (!is_of_kind(x))
            return false;
          auto at = place++;
          return at >= begin && at < begin + piece;
        });
        if (removed == 0)
          break;
        ++runs;
        if (carry_out(smaller).ok())
          begin += piece;
        else
          p = std::move(smaller);
      }
    }
  }
  return p;
}

} // namespace galaxycache::sim
