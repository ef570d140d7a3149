#include "galaxycache/testing/cluster.hpp"

#include "galaxycache/actors/core.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/startup.hpp"
#include "galaxycache/runtime/caf/stepper.hpp"
#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/random.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace galaxycache::testing {

using std::chrono::nanoseconds;

namespace {

// A get without a timeout of its own ends by its galaxy's; nothing ends later.
constexpr nanoseconds get_patience = std::chrono::hours{24};

// For real threads to do what they have to do.
constexpr int settle_rounds = 10;

std::string name_of(std::size_t node) {
  return "node" + std::to_string(node);
}

// -- time ---------------------------------------------------------------------

/// A node's view of the cluster's time: its time of day may be wrong.
class node_clock : public clock {
public:
  explicit node_clock(std::shared_ptr<manual_clock> base)
    : base_(std::move(base)) {
    // nop
  }

  mono_time now() const noexcept override {
    return base_->now();
  }

  wall_time wall_now() const noexcept override {
    return base_->wall_now() + nanoseconds{wrong_by_.load()};
  }

  void call_at(mono_time when, std::function<void()> alarm) override {
    base_->call_at(when, std::move(alarm));
  }

  void skew(nanoseconds by) {
    wrong_by_ += by.count();
  }

private:
  std::shared_ptr<manual_clock> base_;
  std::atomic<std::int64_t> wrong_by_{0};
};

// -- configuration ------------------------------------------------------------

struct announced {
  announced() {
    init();
  }
};

class cluster_config : private announced, public caf::actor_system_config {
public:
  explicit cluster_config(world kind) {
    galaxycache::add_message_types(*this);
    if (kind == world::threads)
      set_caf_option(
        *this, "scheduler.max-threads",
        std::max<std::size_t>(2, std::thread::hardware_concurrency()));
  }
};

// -- backends -----------------------------------------------------------------

/// What the backends of a cluster do and have done.
struct script_book {
  std::mutex mutex; // protects all below
  cluster::backend_script script;
  std::vector<backend_call> calls;
  std::size_t first = 0; // the number of the first that is not forgotten
};

struct backend_setup {
  std::shared_ptr<script_book> book;
  std::shared_ptr<clock> time;
  std::size_t node = 0;
  std::string galaxy;
};

/// A backend that follows the script.
class scripted {
public:
  static inline const char* name = "galaxycache.testing.backend";

  caf::behavior start(caf::event_based_actor* self, backend_setup setup) {
    self_ = self;
    setup_ = std::move(setup);
    harden(self, [](std::exception_ptr& thrown) {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& why) {
        return make_error({errc::backend_failed, why.what()});
      } catch (...) {
        return make_error({errc::backend_failed, "unknown"});
      }
    });
    return {
      [this](load_atom, const std::string& key) { return load(key); },
      [this](flush_atom) { answer_due(); },
    };
  }

private:
  using promise = caf::typed_response_promise<loaded>;

  struct owed {
    promise to;
    std::size_t call = 0;
    load_result result;
  };

  caf::result<loaded> load(const std::string& key) {
    cluster::backend_script script;
    auto now = setup_.time->now();
    std::size_t call = 0;
    {
      std::lock_guard guard{setup_.book->mutex};
      script = setup_.book->script;
      call = setup_.book->first + setup_.book->calls.size();
      setup_.book->calls.push_back(
        {setup_.node, setup_.galaxy, key, now, {}, errc::not_found});
    }
    reaction wanted;
    try {
      if (script)
        wanted = script(setup_.node, setup_.galaxy, key);
    } catch (const std::exception& thrown) {
      wanted = {reaction::kind::fail, thrown.what()};
    }
    owed x{self_->make_response_promise<loaded>(), call, {}};
    auto to = x.to;
    if (wanted.what == reaction::kind::never) {
      never_.push_back(std::move(x));
      return to;
    }
    x.result = result_of(key, wanted);
    if (wanted.after <= nanoseconds{0}) {
      deliver(std::move(x));
      return to;
    }
    auto due = now + wanted.after;
    due_.emplace(due, std::move(x));
    setup_.time->call_at(due, [weak
                               = caf::actor_cast<caf::weak_actor_ptr>(self_)] {
      if (auto strong = weak.lock())
        post(caf::actor_cast<caf::actor>(strong), flush_atom_v);
    });
    return to;
  }

  load_result result_of(const std::string& key, const reaction& wanted) {
    auto expiry = wanted.lifetime > nanoseconds{0}
                    ? setup_.time->wall_now() + wanted.lifetime
                    : never_expires;
    switch (wanted.what) {
      case reaction::kind::not_found:
        return errc::not_found;
      case reaction::kind::fail:
        return failure{errc::backend_failed, wanted.text};
      case reaction::kind::large:
        return loaded{value::take(std::string(wanted.bytes, 'x')), expiry};
      default:
        return loaded{value::copy(wanted.text.empty() ? "value of " + key
                                                      : wanted.text),
                      expiry};
    }
  }

  void finish(std::size_t call, const load_result& result) {
    std::lock_guard guard{setup_.book->mutex};
    auto& book = *setup_.book;
    if (call < book.first)
      return; // forgotten meanwhile
    auto& x = book.calls[call - book.first];
    x.ended = setup_.time->now();
    x.result = result;
  }

  void deliver(owed x) {
    finish(x.call, x.result);
    if (x.result.found())
      x.to.deliver(std::move(x.result.content()));
    else
      x.to.deliver(make_error(x.result.error()));
  }

  void answer_due() {
    while (!due_.empty() && due_.begin()->first <= setup_.time->now()) {
      auto next = due_.extract(due_.begin());
      deliver(std::move(next.mapped()));
    }
  }

  caf::event_based_actor* self_ = nullptr;
  backend_setup setup_;
  std::multimap<mono_time, owed> due_;
  std::vector<owed> never_;
};

caf::behavior scripted_backend(caf::stateful_actor<scripted>* self,
                               backend_setup setup) {
  return state_of(self).start(self, std::move(setup));
}

// -- gets ---------------------------------------------------------------------

/// The gets of a cluster and what came of them.
struct get_book {
  struct entry {
    outcome result;
    std::optional<galaxy> whom; // until it has been asked
  };

  std::mutex mutex; // protects all below
  std::deque<entry> gets;
  std::size_t first = 0; // the number of the first that is not forgotten
  std::size_t over = 0;  // of those that are not forgotten
  std::function<void(const outcome&)> on_answer;
  std::uint64_t hash = 0;

  entry& at(std::size_t id) {
    return gets.at(id - first);
  }

  /// What is to be asked, once.
  entry take(std::size_t id) {
    std::lock_guard guard{mutex};
    auto& x = at(id);
    entry result{x.result, std::exchange(x.whom, std::nullopt)};
    return result;
  }

  void close(std::size_t id, mono_time now, const answer& content,
             const failure& why) {
    std::function<void(const outcome&)> tell;
    outcome x;
    {
      std::lock_guard guard{mutex};
      if (id < first)
        return;
      auto& result = at(id).result;
      if (++result.answers == 1) {
        ++over;
        result.answered = now;
        result.content = content;
        result.code = why.code;
        result.reason = why.reason;
      }
      hash = mix64(hash ^ id)
             + hash64(content.bytes(), static_cast<std::uint64_t>(why.code))
             + static_cast<std::uint64_t>(now.time_since_epoch().count());
      tell = on_answer;
      x = result;
    }
    if (tell)
      tell(x);
  }
};

/// Asks for whatever is in the book.
caf::behavior client(caf::event_based_actor* self,
                     std::shared_ptr<get_book> book,
                     std::shared_ptr<clock> time) {
  harden(self, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a client crashed"});
  });
  return {
    [=](get_atom, std::uint64_t id) {
      auto x = book->take(id);
      x.whom->get(self, x.result.key, x.result.options)
        .then([=](const answer& a) { book->close(id, time->now(), a, {}); },
              [=](const caf::error& why) {
                book->close(id, time->now(), {}, failure_of(why));
              });
    },
    [=](get_atom, std::uint64_t first, std::uint64_t count) {
      std::vector<std::string> keys;
      std::optional<get_book::entry> any;
      for (auto id = first; id < first + count; ++id) {
        any = book->take(id);
        keys.push_back(any->result.key);
      }
      if (!any)
        return;
      any->whom->get_many(self, std::move(keys), any->result.options)
        .then(
          [=](const std::vector<get_result>& all) {
            for (std::uint64_t i = 0; i < all.size(); ++i)
              book->close(first + i, time->now(), all[i].content,
                          {all[i].error, all[i].reason});
          },
          [=](const caf::error& why) {
            for (auto id = first; id < first + count; ++id)
              book->close(id, time->now(), {}, failure_of(why));
          });
    },
  };
}

} // namespace

// -- the cluster --------------------------------------------------------------

struct cluster::implementation {
  struct galaxy_kind {
    std::string name;
    std::size_t capacity_bytes = 0;
    galaxy_options options;
  };

  struct node {
    std::shared_ptr<node_clock> time;
    std::optional<universe> home;
    std::vector<caf::actor> backends;
    std::vector<peer_info> members;
  };

  explicit implementation(cluster_options given)
    : options(std::move(given)),
      chance(options.seed),
      cfg(options.kind),
      time(std::make_shared<manual_clock>()) {
    if (options.kind == world::simulated) {
      stepped.emplace(cfg, [this](std::size_t n) { return chance.below(n); });
      system = &stepped->system();
    } else {
      threaded.emplace(cfg);
      system = &*threaded;
    }
    net.emplace(*system, time, chance.next());
    asker = system->spawn<caf::hidden>(client, gets, time);
    nodes.resize(options.nodes);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      nodes[i].time = std::make_shared<node_clock>(time);
      start(i);
    }
  }

  ~implementation() {
    // What they tell of may be gone.
    {
      std::lock_guard guard{gets->mutex};
      gets->on_answer = nullptr;
    }
    {
      std::lock_guard guard{scripts->mutex};
      scripts->script = nullptr;
    }
    run();
    for (std::size_t i = 0; i < nodes.size(); ++i)
      try {
        if (nodes[i].home)
          stop(i, nanoseconds{0});
      } catch (const std::exception&) {
        // It would wait for actors that nobody runs: let it be.
        static_cast<void>(new universe{std::move(*nodes[i].home)});
        nodes[i].home.reset();
      }
    caf::anon_send_exit(asker, caf::exit_reason::kill);
    asker = {};
    run();
    net.reset();
  }

  // -- time -------------------------------------------------------------------

  void step_all() {
    while (auto who = stepped->step()) {
      ++steps;
      trace = mix64(trace ^ *who) + steps;
    }
  }

  void run() {
    if (stepped)
      return step_all();
    for (int i = 0; i < settle_rounds; ++i) {
      auto turn = std::make_shared<std::promise<void>>();
      auto come = turn->get_future();
      system->spawn<caf::hidden>(
        [turn](caf::event_based_actor*) { turn->set_value(); });
      come.wait();
    }
  }

  /// Runs to the next alarm, or to `until` if that comes first.
  void leap(mono_time until) {
    run();
    auto next = time->next_alarm();
    auto then = next ? std::min(*next, until) : until;
    time->advance(std::max(then - time->now(), nanoseconds{0}));
    trace = mix64(
      trace
      + static_cast<std::uint64_t>(time->now().time_since_epoch().count()));
    run();
  }

  void advance(nanoseconds by) {
    auto until = time->now() + by;
    run();
    while (time->now() < until)
      leap(until);
  }

  bool advance_until(const std::function<bool()>& holds, nanoseconds limit) {
    auto until = time->now() + limit;
    run();
    while (!holds()) {
      // Real threads may just not have come to it.
      if (!stepped && await(holds, std::chrono::milliseconds{10}))
        break;
      if (time->now() >= until)
        return false;
      leap(until);
    }
    return true;
  }

  // -- nodes ------------------------------------------------------------------

  node& live(std::size_t i) {
    auto& n = nodes.at(i);
    if (!n.home)
      throw std::logic_error{name_of(i) + " is not running"};
    return n;
  }

  void start(std::size_t i) {
    auto& n = nodes.at(i);
    if (n.home)
      throw std::logic_error{name_of(i) + " is running"};
    net->put_back(name_of(i));
    universe_options how;
    how.self = name_of(i);
    how.listen = "inproc://" + how.self;
    how.placement = options.placement;
    how.peers = options.peers;
    how.transports = {net->join(how.self)};
    how.time = n.time;
    how.seed = chance.next();
    how.verbosity = options.verbosity;
    how.log_to = options.log_to ? options.log_to
                                : [](log_level, std::string_view) {};
    how.stop_grace = nanoseconds{0};
    n.home.emplace(*system, std::move(how));
    for (auto& kind : kinds)
      add_galaxy(i, kind);
    if (options.joined && n.members.empty())
      for (std::size_t k = 0; k < nodes.size(); ++k)
        n.members.push_back(member(k));
    if (!n.members.empty())
      tell_members(n);
  }

  void add_galaxy(std::size_t i, const galaxy_kind& kind) {
    auto& n = nodes[i];
    n.backends.push_back(system->spawn<caf::hidden>(
      scripted_backend, backend_setup{scripts, n.time, i, kind.name}));
    n.home->add_galaxy(kind.name, kind.capacity_bytes,
                       backend::actor(n.backends.back()), kind.options);
  }

  void tell_members(node& n) {
    post(n.home->ring(), set_atom_v, n.members);
    run();
  }

  void stop(std::size_t i, nanoseconds grace) {
    auto& n = live(i);
    post(n.home->actor(), stop_atom_v, caf::timespan{grace});
    auto gone = [&] { return n.home->actors_alive() == 0; };
    auto limit = grace + std::chrono::seconds{1};
    auto ended = advance_until(gone, limit);
    if (!ended && !stepped)
      ended = await(gone);
    for (auto& each : n.backends)
      caf::anon_send_exit(each, caf::exit_reason::kill);
    n.backends.clear();
    if (!ended)
      throw std::logic_error{name_of(i) + " does not end"};
    n.home.reset();
    run();
  }

  /// Gives real threads real time.
  static bool await(const std::function<bool()>& holds,
                    nanoseconds patience = std::chrono::seconds{10}) {
    auto until = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until)
        return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
  }

  /// Asks a ring actor; nothing if there is no answer.
  std::vector<peer_status> peers_of(std::size_t i) {
    auto& n = live(i);
    if (!stepped)
      return n.home->peers();
    auto result = std::make_shared<std::vector<peer_status>>();
    system->spawn<caf::hidden>([result, ring = n.home->ring()](
                                 caf::event_based_actor* self) {
      request(self, ring, list_atom_v)
        .then([result](std::vector<peer_status>& x) { *result = std::move(x); },
              [](caf::error&) {});
    });
    run();
    return *result;
  }

  // -- gets -------------------------------------------------------------------

  /// Writes gets into the book and returns the number of the first.
  std::size_t open(std::size_t i, const std::string& name,
                   const std::vector<std::string>& keys, const get_options& how,
                   bool among_many) {
    auto whom = live(i).home->find_galaxy(name);
    if (!whom)
      throw std::logic_error{"there is no galaxy '" + name + "'"};
    std::lock_guard guard{gets->mutex};
    auto id = gets->first + gets->gets.size();
    for (auto& key : keys) {
      get_book::entry x;
      x.result.node = i;
      x.result.galaxy = name;
      x.result.key = key;
      x.result.options = how;
      x.result.among_many = among_many;
      x.result.asked = time->now();
      x.whom = whom;
      gets->gets.push_back(std::move(x));
    }
    return id;
  }

  bool is_over(std::size_t id) {
    std::lock_guard guard{gets->mutex};
    return gets->at(id).result.answers > 0;
  }

  cluster_options options;
  random_source chance;
  cluster_config cfg;
  std::shared_ptr<manual_clock> time;
  std::uint64_t trace = 0;
  std::uint64_t steps = 0;
  std::optional<stepped_system> stepped;
  std::optional<caf::actor_system> threaded;
  caf::actor_system* system = nullptr;
  std::optional<network> net;
  std::shared_ptr<script_book> scripts = std::make_shared<script_book>();
  std::shared_ptr<get_book> gets = std::make_shared<get_book>();
  caf::actor asker;
  std::vector<galaxy_kind> kinds;
  std::vector<node> nodes;
};

cluster::cluster(cluster_options options)
  : impl_(std::make_unique<implementation>(std::move(options))) {
  if (impl_->options.joined)
    settle();
}

cluster::~cluster() {
  // nop
}

std::size_t cluster::size() const noexcept {
  return impl_->nodes.size();
}

const cluster_options& cluster::options() const noexcept {
  return impl_->options;
}

// -- galaxies -----------------------------------------------------------------

void cluster::add_galaxy(const std::string& name, std::size_t capacity_bytes,
                         galaxy_options options) {
  impl_->kinds.push_back({name, capacity_bytes, std::move(options)});
  for (std::size_t i = 0; i < size(); ++i)
    if (alive(i))
      impl_->add_galaxy(i, impl_->kinds.back());
  run();
}

void cluster::script(backend_script f) {
  std::lock_guard guard{impl_->scripts->mutex};
  impl_->scripts->script = std::move(f);
}

const std::vector<backend_call>& cluster::calls() const noexcept {
  return impl_->scripts->calls;
}

void cluster::forget() {
  {
    auto& book = *impl_->scripts;
    std::lock_guard guard{book.mutex};
    book.first += book.calls.size();
    book.calls.clear();
  }
  auto& book = *impl_->gets;
  std::lock_guard guard{book.mutex};
  while (!book.gets.empty() && book.gets.front().result.answers > 0) {
    book.gets.pop_front();
    ++book.first;
    --book.over;
  }
}

// -- gets ---------------------------------------------------------------------

outcome cluster::get(std::size_t node, const std::string& galaxy,
                     const std::string& key, const get_options& options) {
  auto id = ask(node, galaxy, key, options);
  auto over = [&] { return impl_->is_over(id); };
  if (!impl_->stepped)
    implementation::await([&] { return over() || impl_->time->next_alarm(); });
  if (!impl_->advance_until(over, get_patience))
    throw std::logic_error{"a get of '" + key + "' was never answered"};
  return result(id);
}

std::size_t cluster::ask(std::size_t node, const std::string& galaxy,
                         const std::string& key, const get_options& options) {
  auto id = impl_->open(node, galaxy, {key}, options, false);
  post(impl_->asker, get_atom_v, std::uint64_t{id});
  return id;
}

std::size_t cluster::ask_many(std::size_t node, const std::string& galaxy,
                              const std::vector<std::string>& keys,
                              const get_options& options) {
  auto id = impl_->open(node, galaxy, keys, options, true);
  post(impl_->asker, get_atom_v, std::uint64_t{id}, std::uint64_t{keys.size()});
  return id;
}

const outcome& cluster::result(std::size_t id) const {
  std::lock_guard guard{impl_->gets->mutex};
  return impl_->gets->at(id).result;
}

std::size_t cluster::pending() const noexcept {
  std::lock_guard guard{impl_->gets->mutex};
  return impl_->gets->gets.size() - impl_->gets->over;
}

void cluster::on_answer(std::function<void(const outcome&)> f) {
  std::lock_guard guard{impl_->gets->mutex};
  impl_->gets->on_answer = std::move(f);
}

// -- time ---------------------------------------------------------------------

mono_time cluster::now() const {
  return impl_->time->now();
}

wall_time cluster::wall_now(std::size_t node) const {
  return impl_->nodes.at(node).time->wall_now();
}

void cluster::run() {
  impl_->run();
}

void cluster::advance(nanoseconds by) {
  impl_->advance(by);
}

bool cluster::advance_until(const std::function<bool()>& holds,
                            nanoseconds limit) {
  return impl_->advance_until(holds, limit);
}

void cluster::skew(std::size_t node, nanoseconds by) {
  impl_->nodes.at(node).time->skew(by);
}

// -- the network --------------------------------------------------------------

void cluster::cut(std::size_t a, std::size_t b) {
  impl_->net->cut(name_of(a), name_of(b));
}

void cluster::freeze(std::size_t node) {
  impl_->net->freeze(name_of(node));
}

void cluster::thaw(std::size_t node) {
  impl_->net->thaw(name_of(node));
}

void cluster::faults(std::size_t from, std::size_t to, link_faults f) {
  impl_->net->set_faults(name_of(from), name_of(to), f);
}

void cluster::heal() {
  impl_->net->heal();
}

// -- nodes --------------------------------------------------------------------

void cluster::kill(std::size_t node) {
  impl_->live(node);
  impl_->net->take_off(name_of(node));
  impl_->stop(node, nanoseconds{0});
}

void cluster::stop(std::size_t node, nanoseconds grace) {
  impl_->stop(node, grace);
}

void cluster::restart(std::size_t node) {
  impl_->start(node);
}

bool cluster::alive(std::size_t node) const {
  return impl_->nodes.at(node).home.has_value();
}

void cluster::set_members(std::size_t node,
                          const std::vector<std::size_t>& members) {
  auto& n = impl_->live(node);
  n.members.clear();
  for (auto i : members)
    n.members.push_back(member(i));
  impl_->tell_members(n);
}

std::optional<peer_state> cluster::state_of(std::size_t at, std::size_t of) {
  for (auto& x : impl_->peers_of(at))
    if (x.info.id == name_of(of))
      return x.state;
  return std::nullopt;
}

bool cluster::settle(nanoseconds limit) {
  return advance_until(
    [this] {
      for (std::size_t i = 0; i < size(); ++i) {
        if (!alive(i))
          continue;
        auto peers = impl_->peers_of(i);
        if (peers.empty() && !impl_->nodes[i].members.empty())
          return false; // its ring does not answer
        for (auto& x : peers) {
          if (x.state == peer_state::self)
            continue;
          auto it = std::size_t{std::stoul(x.info.id.substr(4))};
          auto up = x.state == peer_state::up;
          if (up != (it < size() && alive(it)))
            return false;
        }
      }
      return true;
    },
    limit);
}

// -- what is inside -----------------------------------------------------------

caf::actor_system& cluster::system() {
  return *impl_->system;
}

universe& cluster::at(std::size_t node) {
  return *impl_->live(node).home;
}

galaxy cluster::galaxy_of(std::size_t node, const std::string& name) {
  auto result = at(node).find_galaxy(name);
  if (!result)
    throw std::logic_error{"there is no galaxy '" + name + "'"};
  return *result;
}

/// What only tests may see.
class inspection {
public:
  static const galaxy_core& of(const galaxy& x) {
    return *x.core_;
  }
};

bool cluster::accounts_exactly(std::size_t node, const std::string& galaxy) {
  auto whom = galaxy_of(node, galaxy);
  return std::ranges::all_of(inspection::of(whom).shards, [](auto& cell) {
    return cell->memory.accounts_exactly();
  });
}

peer_info cluster::member(std::size_t node) {
  return {name_of(node), "inproc://" + name_of(node)};
}

std::uint64_t cluster::trace_hash() const noexcept {
  std::lock_guard guard{impl_->gets->mutex};
  return mix64(impl_->trace) ^ impl_->gets->hash;
}

std::uint64_t cluster::steps() const noexcept {
  return impl_->steps;
}

} // namespace galaxycache::testing
