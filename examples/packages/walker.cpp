#include "walker.hpp"

#include <chrono>
#include <utility>

namespace packages {

namespace {

using namespace std::chrono_literals;

using walker_pointer = caf::stateful_actor<walker_state>*;

using clock = std::chrono::steady_clock;

// Gets in flight for one closure.
constexpr size_t window = 64;

// Gets made in one go: then the answers to the other walks have their turn.
constexpr size_t gets_per_turn = 64;

constexpr auto get_timeout = 10s;

void step(walker_pointer self, uint64_t item);

void answered(walker_pointer self, uint64_t item, std::string key,
              const galaxycache::answer& got, clock::time_point start) {
  using galaxycache::hit_level;
  using source = reporter::source;
  auto& state = galaxycache::state_of(self);
  auto& walk = state.walks.at(item);
  --walk.outstanding;
  auto where = got.level == hit_level::main  ? source::main_cache
               : got.level == hit_level::hot ? source::hot_cache
                                             : source::elsewhere;
  state.config->out->answered(where, clock::now() - start);
  if (got.found()) {
    walk.keys.found(key, got.bytes());
    walk.result.outcomes.push_back({std::move(key), got.data});
  } else {
    walk.keys.absent(key);
    walk.result.outcomes.push_back({std::move(key), std::nullopt});
  }
  step(self, item);
}

void failed(walker_pointer self, uint64_t item, const std::string& key,
            const caf::error& why, clock::time_point start) {
  auto& state = galaxycache::state_of(self);
  auto& walk = state.walks.at(item);
  --walk.outstanding;
  state.config->out->answered(reporter::source::error, clock::now() - start);
  state.config->out->failed(key, galaxycache::describe(why));
  // The walk goes on, so that it ends.
  walk.keys.absent(key);
  step(self, item);
}

void ask(walker_pointer self, uint64_t item, std::string key) {
  auto& state = galaxycache::state_of(self);
  auto start = clock::now();
  galaxycache::get_options options;
  options.timeout = get_timeout;
  state.config->records.get(self, key, options)
    .then(
      [self, item, key, start](const galaxycache::answer& got) {
        answered(self, item, key, got, start);
      },
      [self, item, key, start](const caf::error& why) {
        failed(self, item, key, why, start);
      });
}

void step(walker_pointer self, uint64_t item) {
  auto& state = galaxycache::state_of(self);
  auto& walk = state.walks.at(item);
  if (walk.stepping)
    return;
  walk.stepping = true;
  for (size_t n = 0; n < gets_per_turn && walk.outstanding < window; ++n) {
    auto key = walk.keys.next();
    if (!key)
      break;
    ++walk.outstanding;
    ask(self, item, std::move(*key));
  }
  walk.stepping = false;
  if (walk.keys.has_next()) {
    if (walk.outstanding < window && !std::exchange(walk.ticking, true))
      galaxycache::send_to(self, self, caf::tick_atom_v, item);
  } else if (walk.outstanding == 0) {
    state.config->finished->push(std::move(walk.result));
    state.walks.erase(item);
  }
}

} // namespace

caf::behavior walker(walker_pointer self, walker_config config) {
  galaxycache::state_of(self).config = std::move(config);
  return {
    [self](caf::put_atom, uint64_t item, std::string& root) {
      auto& state = galaxycache::state_of(self);
      auto keys = closure{std::move(root), state.config->providers};
      state.walks.emplace(item, walker_state::walk{std::move(keys),
                                                   finished_walk{item, {}}});
      step(self, item);
    },
    [self](caf::tick_atom, uint64_t item) {
      auto& walks = galaxycache::state_of(self).walks;
      auto i = walks.find(item);
      if (i == walks.end())
        return; // answers have finished it
      i->second.ticking = false;
      step(self, item);
    },
    [self](caf::close_atom) { self->quit(); },
  };
}

} // namespace packages
