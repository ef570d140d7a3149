#include "workload.hpp"

#include "fixtures/zipf.hpp"

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/random.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace galaxycache::soak {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

namespace {

// More than fit into the smaller ones, so that there is eviction all the time.
constexpr std::size_t keys = 20'000;
constexpr std::size_t capacities[] = {8 << 20, 2 << 20, 512 << 10};

constexpr auto tick = 10ms;

// What counts as late: a machine that is busy with other things is slow to run
// threads, for which nobody here can be blamed.
constexpr auto slack = 2s;

// A longer pause between ticks is not ours: the process stood still.
constexpr auto pause_min = 100ms;

// A node that is behind does not get further behind.
constexpr std::size_t outstanding_max = 1000;

// What backends fail with.
constexpr const char* planned = "planned";

std::uint64_t number_of(std::string_view key) {
  return hash64(key, 42);
}

bool is_absent(std::string_view key) {
  return number_of(key) % 50 == 0;
}

/// Mostly small, some large enough to travel alone.
std::size_t bytes_of(std::string_view key) {
  auto n = number_of(key) >> 32;
  if (n % 1000 == 0)
    return 1 << 20;
  if (n % 100 == 0)
    return 64 * 1024 + n % 65536;
  return 20 + n % 2000;
}

/// Whether a value is what backends make of the key.
bool is_of(std::string_view text, std::string_view key) {
  if (text.size() != key.size() + 1 + bytes_of(key)
      || text.substr(0, key.size()) != key || text[key.size()] != ' ')
    return false;
  auto rest = text.substr(key.size() + 1);
  return rest.find_first_not_of('x') == std::string_view::npos;
}

value value_of(std::string_view key) {
  auto text = std::string{key} + ' ';
  text.append(bytes_of(key), 'x');
  return value::take(std::move(text));
}

} // namespace

// -- tallies ------------------------------------------------------------------

tally& tally::operator+=(const tally& x) {
  gets += x.gets;
  found += x.found;
  absent += x.absent;
  backend_failed += x.backend_failed;
  deadline_exceeded += x.deadline_exceeded;
  overloaded += x.overloaded;
  from_peers += x.from_peers;
  hits += x.hits;
  latest_ms = std::max(latest_ms, x.latest_ms);
  violations += x.violations;
  if (first_violation.empty())
    first_violation = x.first_violation;
  return *this;
}

std::string to_string(const tally& x) {
  std::ostringstream out;
  out << x.gets << ' ' << x.found << ' ' << x.absent << ' ' << x.backend_failed
      << ' ' << x.deadline_exceeded << ' ' << x.overloaded << ' '
      << x.from_peers << ' ' << x.hits << ' ' << x.latest_ms << ' '
      << x.violations << ' ' << x.first_violation;
  return out.str();
}

tally tally_from(const std::string& text) {
  std::istringstream in{text};
  tally x;
  in >> x.gets >> x.found >> x.absent >> x.backend_failed >> x.deadline_exceeded
    >> x.overloaded >> x.from_peers >> x.hits >> x.latest_ms >> x.violations;
  if (!in)
    throw std::runtime_error{"no tally: " + text};
  std::getline(in >> std::ws, x.first_violation);
  return x;
}

// -- what is watched ----------------------------------------------------------

/// All gets of a process, and its backends' chances.
struct observer {
  struct get {
    galaxy whom;
    std::vector<std::string> keys;
    bool many = false;
    get_options options;
  };

  struct open_get {
    steady_clock::time_point deadline;
    nanoseconds paused; // before it began
  };

  explicit observer(std::uint64_t seed) : random(seed) {
    // nop
  }

  load_result load(std::string_view key, bool may_block) {
    nanoseconds wait{0};
    auto fails = false;
    wall_time expiry = never_expires;
    {
      std::lock_guard guard{mutex};
      fails = !is_calm && random.chance(0.01);
      if (may_block && !is_calm && random.chance(0.1))
        wait = 1ms * random.below(50);
      if (random.chance(0.3))
        expiry = time->wall_now() + 100ms * (1 + random.below(200));
    }
    if (wait > 0ns)
      std::this_thread::sleep_for(wait);
    if (fails)
      throw std::runtime_error{planned};
    if (is_absent(key))
      return errc::not_found;
    return loaded{value_of(key), expiry};
  }

  get draw() {
    std::lock_guard guard{mutex};
    get result{galaxies[random.below(galaxies.size())], {}, false, {}};
    result.many = random.chance(0.05);
    for (std::size_t n = result.many ? 16 : 1; n > 0; --n)
      result.keys.push_back(
        "key" + std::to_string(fixtures::zipf_rank(random, keys)));
    result.options.timeout = 200ms + 1ms * random.below(4800);
    if (random.chance(0.05))
      result.options.mode = fetch_mode::no_peer_backend;
    return result;
  }

  bool has_room() {
    std::lock_guard guard{mutex};
    return under_way.size() < outstanding_max;
  }

  std::uint64_t open(const get& x) {
    std::lock_guard guard{mutex};
    auto id = next++;
    under_way.emplace(id, open_get{steady_clock::now() + x.options.timeout,
                                   paused});
    return id;
  }

  /// How long the process has stood still since it began, as far as its ticks
  /// tell.
  nanoseconds standstill() const {
    auto gap = steady_clock::now() - last_tick;
    return paused + (gap > pause_min ? gap : 0ns);
  }

  /// How long a get is late, not counting that.
  nanoseconds lateness(const open_get& x) const {
    return steady_clock::now() - x.deadline - (standstill() - x.paused);
  }

  void take_tick() {
    std::lock_guard guard{mutex};
    paused = standstill();
    last_tick = steady_clock::now();
  }

  void violate(const std::string& what) {
    if (++sum.violations == 1)
      sum.first_violation = what;
  }

  void close(std::uint64_t id) {
    auto i = under_way.find(id);
    if (i == under_way.end())
      return violate("a get is answered twice, or long after its deadline");
    auto late = lateness(i->second);
    sum.latest_ms = std::max<std::int64_t>(sum.latest_ms, late / 1ms);
    if (late > slack)
      violate("a get is answered " + std::to_string(late / 1ms)
              + " ms after its deadline");
    under_way.erase(i);
  }

  void answered(const std::string& key, const answer& x) {
    ++sum.gets;
    if (!x.found()) {
      ++sum.absent;
      if (!is_absent(key))
        violate(key + " is said not to exist");
      return;
    }
    ++sum.found;
    sum.from_peers += x.level == hit_level::peer;
    sum.hits += x.level == hit_level::main || x.level == hit_level::hot;
    if (is_absent(key) || !is_of(x.bytes(), key))
      violate(key + " has the value of another: "
              + std::string{x.bytes().substr(0, 40)});
  }

  void failed(const std::string& key, errc code, const std::string& reason) {
    ++sum.gets;
    // A process that stood still for a minute gives its loads up.
    if (code == errc::deadline_exceeded
        || reason.find("in time") != std::string::npos)
      ++sum.deadline_exceeded;
    else if (code == errc::overloaded)
      ++sum.overloaded;
    else if (code == errc::backend_failed
             && reason.find(planned) != std::string::npos)
      ++sum.backend_failed;
    else
      violate(key + ": " + std::string{name_of(code)} + ", " + reason);
  }

  /// Gets that nobody answered are counted and forgotten.
  void look_for_lost() {
    std::lock_guard guard{mutex};
    std::erase_if(under_way, [this](auto& x) {
      auto lost = lateness(x.second) > 2 * slack;
      if (lost)
        violate("a get is not answered long after its deadline");
      return lost;
    });
  }

  const std::shared_ptr<clock> time = make_system_clock();
  std::mutex mutex; // protects all below
  random_source random;
  std::vector<galaxy> galaxies;
  bool is_calm = false;
  nanoseconds paused{0}; // at the last tick
  steady_clock::time_point last_tick = steady_clock::now();
  std::uint64_t next = 0;
  std::map<std::uint64_t, open_get> under_way;
  tally sum;
};

namespace {

/// A backend that is an actor.
caf::behavior source(caf::event_based_actor*, std::shared_ptr<observer> watch) {
  return {
    [=](load_atom, const std::string& key) -> caf::result<loaded> {
      try {
        auto x = watch->load(key, false);
        if (x.found())
          return std::move(x.content());
        return make_error(x.error());
      } catch (const std::exception& why) {
        return make_error({errc::backend_failed, why.what()});
      }
    },
  };
}

/// Begins a get whenever it is told to.
caf::behavior asker(caf::event_based_actor* self,
                    std::shared_ptr<observer> watch) {
  return {
    [=](tick_atom) {
      auto x = watch->draw();
      auto id = watch->open(x);
      auto over = [=](auto handle) {
        return [=](const auto& outcome) {
          std::lock_guard guard{watch->mutex};
          watch->close(id);
          handle(outcome);
        };
      };
      auto none = [=](const caf::error& why) {
        for (auto& key : x.keys)
          watch->failed(key, code_of(why), describe(why));
      };
      if (!x.many)
        return x.whom.get(self, x.keys[0], x.options)
          .then(over([=](const answer& a) { watch->answered(x.keys[0], a); }),
                over(none));
      auto some = [=](const std::vector<get_result>& all) {
        for (std::size_t i = 0; i < x.keys.size(); ++i)
          if (all[i].ok())
            watch->answered(x.keys[i], all[i].content);
          else
            watch->failed(x.keys[i], all[i].error, all[i].reason);
      };
      x.whom.get_many(self, x.keys, x.options).then(over(some), over(none));
    },
  };
}

} // namespace

// -- the workload -------------------------------------------------------------

workload::workload(caf::actor_system& system, universe& home,
                   std::uint64_t seed, double gets)
  : watch_(std::make_shared<observer>(seed)),
    asker_(system.spawn<caf::hidden>(asker, watch_)),
    source_(system.spawn<caf::hidden>(source, watch_)) {
  auto load = [watch = watch_](bool may_block) {
    return [=](std::string_view key) { return watch->load(key, may_block); };
  };
  galaxy_options options;
  options.get_ttl = {60s, 10s};
  watch_->galaxies = {home.add_galaxy("in place", capacities[0],
                                      backend::in_place(load(false)), options),
                      home.add_galaxy("workers", capacities[1],
                                      backend::function(load(true)), options),
                      home.add_galaxy("actor", capacities[2],
                                      backend::actor(source_), options)};
  pace_ = std::jthread{
    [this, gets](const std::stop_token& stop) { keep_pace(stop, gets); }};
}

workload::~workload() {
  finish();
  for (auto& each : {asker_, source_})
    caf::anon_send_exit(each, caf::exit_reason::kill);
}

void workload::keep_pace(const std::stop_token& stop, double gets) {
  auto last = steady_clock::now();
  double due = 0;
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(tick);
    auto now = steady_clock::now();
    // A process that stood still does not make up for it.
    auto passed = std::min<nanoseconds>(now - std::exchange(last, now),
                                        pause_min);
    watch_->take_tick();
    watch_->look_for_lost();
    for (due += gets * std::chrono::duration<double>(passed).count(); due >= 1;
         due -= 1)
      if (watch_->has_room())
        post(asker_, tick_atom_v);
  }
}

void workload::calm() {
  std::lock_guard guard{watch_->mutex};
  watch_->is_calm = true;
}

void workload::finish() {
  pace_ = {};
  auto until = steady_clock::now() + 10s;
  for (;;) {
    {
      std::lock_guard guard{watch_->mutex};
      if (watch_->under_way.empty())
        return;
      if (steady_clock::now() > until) {
        watch_->violate(std::to_string(watch_->under_way.size())
                        + " gets are never answered");
        watch_->under_way.clear();
        return;
      }
    }
    std::this_thread::sleep_for(tick);
  }
}

tally workload::so_far() const {
  std::lock_guard guard{watch_->mutex};
  return watch_->sum;
}

} // namespace galaxycache::soak
