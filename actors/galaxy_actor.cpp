#include "galaxycache/actors/galaxy_actor.hpp"

#include "galaxycache/actors/asking.hpp"
#include "galaxycache/actors/cache.hpp"

#include <algorithm>
#include <utility>

namespace galaxycache {

namespace {

// A cache actor that keeps crashing does so for a reason that a restart does
// not mend.
constexpr std::size_t crashes_max = 5;
constexpr auto crashes_window = std::chrono::seconds{10};

// How a question's id holds both its gathering and its place in it.
constexpr std::uint64_t place_bits = 20;
static_assert(keys_at_once_max == 1 << place_bits);

using keys_view = const std::vector<std::string>&;

std::vector<std::uint64_t> hashes_of(const galaxy_memory& memory,
                                     keys_view keys) {
  std::vector<std::uint64_t> result;
  result.reserve(keys.size());
  for (auto& key : keys)
    result.push_back(memory.hash_of(key));
  return result;
}

/// The places of keys that are not there for the first time, in order, each
/// with an earlier place of its key.
std::vector<std::pair<std::size_t, std::size_t>>
repeats_in(keys_view keys, const std::vector<std::uint64_t>& hashes) {
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  order.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    order.emplace_back(hashes[i], i);
  std::ranges::sort(order);
  std::vector<std::pair<std::size_t, std::size_t>> result;
  for (std::size_t i = 1; i < order.size(); ++i)
    // The nearest before, among equal hashes.
    for (auto k = i; k > 0 && order[k - 1].first == order[i].first; --k)
      if (keys[order[k - 1].second] == keys[order[i].second]) {
        result.emplace_back(order[i].second, order[k - 1].second);
        break;
      }
  std::ranges::sort(result);
  return result;
}

} // namespace

cache_actor spawn_cache(const std::shared_ptr<galaxy_core>& galaxy,
                        std::size_t shard) {
  auto entrance = std::make_shared<cache_entrance>();
  auto limit = galaxy->options.waiters_max;
  auto shards = galaxy->shards.size();
  entrance->waiters = std::make_shared<gate>(part_of_shard(limit, shards));
  auto handle = galaxy->home->system.spawn<caf::hidden>(
    cache, cache_config{galaxy, shard, entrance->waiters,
                        universe_core::presence{galaxy->home}});
  entrance->cache = handle;
  galaxy->home->enlist(caf::actor_cast<caf::strong_actor_ptr>(handle));
  galaxy->shards[shard]->entrance.set(std::move(entrance));
  return handle;
}

galaxy_actor spawn_galaxy(const std::shared_ptr<galaxy_core>& galaxy) {
  galaxy_config config{galaxy, {}, universe_core::presence{galaxy->home}};
  for (std::size_t shard = 0; shard < galaxy->shards.size(); ++shard)
    config.caches.push_back(spawn_cache(galaxy, shard));
  auto handle = galaxy->home->system.spawn<galaxy_supervisor, caf::hidden>(
    std::move(config));
  galaxy->home->enlist(caf::actor_cast<caf::strong_actor_ptr>(handle));
  return handle;
}

galaxy_state::~galaxy_state() {
  if (config_.galaxy)
    for (auto& cell : config_.galaxy->shards)
      cell->entrance.set(nullptr);
  for (auto& each : config_.caches)
    if (each)
      caf::anon_send_exit(each, caf::exit_reason::kill);
}

galaxy_actor::behavior_type galaxy_state::start(galaxy_actor::pointer self,
                                                galaxy_config config) {
  self_ = self;
  config_ = std::move(config);
  harden(self, *this, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a galaxy actor crashed"});
  });
  for (std::size_t shard = 0; shard < config_.caches.size(); ++shard)
    supervise(shard);
  return {
    [this](get_atom, std::string& key) { return get(std::move(key), {}); },
    [this](get_atom, std::string& key, const get_options& options) {
      return get(std::move(key), options);
    },
    [this](get_atom, name_list& keys, const get_options& options) {
      return get_many(std::move(keys.names), options);
    },
    [this](get_atom, sought& x, const get_options& options) {
      return get_absent(*x.keys, options);
    },
    [this](stats_atom) { return config_.galaxy->stats(); },
    [this](answers& x) {
      for (auto& each : *x.all)
        take(each);
    },
    [this](stop_atom) { stop(); },
  };
}

// -- gets by message ----------------------------------------------------------

result<answer> galaxy_state::get(std::string key, const get_options& options) {
  auto begun = config_.galaxy->begin(key, options);
  if (auto* known = std::get_if<answer>(&begun))
    return std::move(*known);
  if (auto* why = std::get_if<failure>(&begun))
    return make_error(std::move(*why));
  auto& way = std::get<way_on>(begun);
  return delegate(self_, way.cache, get_atom_v, std::move(key), way.terms);
}

result<std::vector<get_result>>
galaxy_state::get_many(std::vector<std::string> keys,
                       const get_options& options) {
  if (keys.size() > keys_at_once_max)
    return make_error(too_many_keys());
  auto& galaxy = *config_.galaxy;
  auto hashes = hashes_of(galaxy.memory, keys);
  auto& g = begin_gathering(keys.size(), options);
  g.repeats = repeats_in(keys, hashes);
  auto repeat = g.repeats.begin();
  for (std::size_t place = 0; place < keys.size(); ++place)
    if (repeat != g.repeats.end() && repeat->first == place)
      ++repeat;
    else
      add(g, place, hashes[place], keys[place],
          galaxy.answer_at_once(hashes[place], keys[place], options.mode));
  return ask(g);
}

/// The same of keys that a caller has looked for and found to differ. What came
/// since then, their caches find.
result<std::vector<get_result>>
galaxy_state::get_absent(sought::key_list& keys, const get_options& options) {
  auto& galaxy = *config_.galaxy;
  auto& g = begin_gathering(keys.names.size(), options);
  for (std::size_t place = 0; place < keys.names.size(); ++place) {
    auto& key = keys.names[place];
    add(g, place, keys.hashes[place], key,
        galaxy.answer_though_absent(key, options.mode));
  }
  return ask(g);
}

galaxy_state::gathering&
galaxy_state::begin_gathering(std::size_t size, const get_options& options) {
  auto& galaxy = *config_.galaxy;
  auto id = ++gatherings_begun_;
  auto& result = gatherings_[id];
  result.id = id;
  result.terms = {options.mode, galaxy.deadline_for(options), false};
  result.to_ask.resize(galaxy.shards.size());
  result.results.resize(size);
  return result;
}

/// Takes what is known of the key at a place, or notes that its cache is to be
/// asked.
void galaxy_state::add(gathering& g, std::size_t place, std::uint64_t hash,
                       std::string& key,
                       std::optional<std::variant<answer, failure>> known) {
  if (!known) {
    g.to_ask[config_.galaxy->memory.shard_of(hash)].push_back(
      {g.id << place_bits | place, std::move(key), g.terms});
    ++g.missing;
  } else if (auto* x = std::get_if<answer>(&*known)) {
    g.results[place].content = std::move(*x);
  } else {
    auto& why = std::get<failure>(*known);
    g.results[place] = {{}, why.code, why.reason};
  }
}

result<std::vector<get_result>> galaxy_state::ask(gathering& g) {
  auto& galaxy = *config_.galaxy;
  g.to.emplace(self_->make_response_promise<std::vector<get_result>>());
  auto promise = g.to->promise();
  // Refusals are answers, too: keep it open until all are asked.
  ++g.missing;
  auto to_ask = std::exchange(g.to_ask, {});
  for (std::size_t shard = 0; shard < to_ask.size(); ++shard)
    if (!to_ask[shard].empty())
      ask_cache(self_, galaxy, *galaxy.shards[shard], std::move(to_ask[shard]),
                [this](answered x) { take(x); });
  finish_one(g);
  return promise;
}

void galaxy_state::take(answered& x) {
  auto i = gatherings_.find(x.id >> place_bits);
  if (i == gatherings_.end())
    return;
  auto& g = i->second;
  auto& result = g.results[x.id & (keys_at_once_max - 1)];
  result.content = std::move(x.content);
  result.error = x.error.code;
  result.reason = std::move(x.error.reason);
  finish_one(g);
}

/// One less is missing of a gathering, which ends with the last.
void galaxy_state::finish_one(gathering& g) {
  if (--g.missing > 0)
    return;
  for (auto [place, earlier] : g.repeats)
    g.results[place] = g.results[earlier];
  g.to->deliver(std::move(g.results));
  gatherings_.erase(g.id);
}

// -- supervision --------------------------------------------------------------

void galaxy_state::supervise(std::size_t shard) {
  monitors_.watch(self_, config_.caches[shard],
                  [this, shard](const caf::error& why) {
                    cache_died(shard, why);
                  });
}

void galaxy_state::cache_died(std::size_t shard, const caf::error& why) {
  auto& galaxy = *config_.galaxy;
  auto& cell = *galaxy.shards[shard];
  cell.entrance.set(nullptr);
  cell.memory.clear();
  config_.caches[shard] = cache_actor{};
  if (stopping_ || galaxy.home->phase == life::down)
    return end_if_alone();
  auto now = galaxy.home->time->now();
  crashes_.push_back(now);
  while (now - crashes_.front() > crashes_window)
    crashes_.pop_front();
  auto reason = describe(why);
  if (crashes_.size() > crashes_max || galaxy.failed) {
    galaxy.failed = true;
    galaxy.home->lines->error("galaxy " + galaxy.name
                              + " has failed: its cache actors keep crashing, "
                                "the last one with: "
                              + reason);
    return;
  }
  galaxy.home->lines->warning("galaxy " + galaxy.name
                              + ": a cache actor crashed and is replaced: "
                              + reason);
  cell.count.add(counter::cache_restarts);
  config_.caches[shard] = spawn_cache(config_.galaxy, shard);
  supervise(shard);
}

void galaxy_state::stop() {
  stopping_ = true;
  for (auto& each : config_.caches)
    if (each)
      send_to(self_, each, stop_atom_v);
  end_if_alone();
}

void galaxy_state::end_if_alone() {
  if (std::ranges::none_of(config_.caches, [](auto& x) { return bool{x}; }))
    self_->quit();
}

// -- the actor ----------------------------------------------------------------

galaxy_supervisor::galaxy_supervisor(caf::actor_config& cfg,
                                     galaxy_config config)
  : early_actor(cfg),
    galaxy_(config.galaxy),
    config_(std::move(config)) {
  // nop
}

galaxy_actor::behavior_type galaxy_supervisor::make_behavior() {
  return state_of(this).start(this, std::move(config_));
}

std::optional<answer>
galaxy_supervisor::answer_early(const content& request) const {
  if (!request.match_elements<get_atom, std::string, get_options>()
      && !request.match_elements<get_atom, std::string>())
    return std::nullopt;
  auto galaxy = galaxy_.lock();
  if (!galaxy)
    return std::nullopt;
  std::optional<answer> result;
  galaxy->memory.read(request.get_as<std::string>(1), read_outcome::not_counted,
                      [&](const entry& x) { result = answer_from(x); });
  return result;
}

} // namespace galaxycache
