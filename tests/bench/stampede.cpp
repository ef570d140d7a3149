// How long many gets of one cold key take, which cost one load: one JSON object
// a line for each number of actors that ask.

#include "measure.hpp"

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/galaxy.hpp"
#include "galaxycache/actors/universe.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::bench;

namespace {

struct settings {
  std::size_t waiters = 10'000;
  std::vector<std::size_t> actors{1, 100, 10'000};
  std::size_t backend_ms = 10;
  std::size_t rounds = 10;
};

/// What the actors of one round share.
struct round_state {
  galaxy g;
  std::string key;
  std::atomic<std::size_t> open;
  std::atomic<std::size_t> failures{0};
  std::atomic<bool> over{false};

  round_state(galaxy g, std::string key, std::size_t gets)
    : g(std::move(g)),
      key(std::move(key)),
      open(gets) {
    // nop
  }

  void answered(bool good) {
    failures += !good;
    if (--open == 0) {
      over = true;
      over.notify_all();
    }
  }
};

caf::behavior asker(caf::event_based_actor* self,
                    std::shared_ptr<round_state> state, std::size_t gets) {
  return {[self, state = std::move(state), gets](get_atom) {
    for (std::size_t i = 0; i < gets; ++i)
      state->g.get(self, state->key)
        .then([state](const answer& x) { state->answered(x.found()); },
              [state](const caf::error&) { state->answered(false); });
    // Quits with its last answer.
    self->unbecome();
  }};
}

nlohmann::ordered_json measure(const settings& cfg, std::size_t actors) {
  galaxycache::config caf_cfg;
  caf::actor_system system{caf_cfg};
  universe_options options;
  options.self = "bench";
  universe home{system, std::move(options)};
  std::atomic<std::uint64_t> loads{0};
  auto g = home.add_galaxy(
    "bench", 64 << 20, backend::function([&](std::string_view) {
      ++loads;
      std::this_thread::sleep_for(std::chrono::milliseconds{cfg.backend_ms});
      return value::copy("content");
    }));
  std::vector<double> times;
  std::vector<std::uint64_t> loads_a_round;
  std::size_t failures = 0;
  double cpu = 0;
  for (std::size_t round = 0; round < cfg.rounds; ++round) {
    auto state = std::make_shared<round_state>(g,
                                               "key:" + std::to_string(round),
                                               cfg.waiters);
    std::vector<caf::actor> askers;
    for (std::size_t i = 0; i < actors; ++i) {
      const auto gets = cfg.waiters / actors + (i < cfg.waiters % actors);
      askers.push_back(system.spawn(asker, state, gets));
    }
    const auto before = loads.load();
    const stopwatch watch;
    for (const auto& each : askers)
      caf::anon_send(each, get_atom_v);
    state->over.wait(false);
    times.push_back(watch.wall_ns() / 1e6);
    cpu += watch.cpu_ns();
    loads_a_round.push_back(loads.load() - before);
    failures += state->failures.load();
  }
  std::sort(times.begin(), times.end());
  const auto gets = static_cast<double>(cfg.waiters * cfg.rounds);
  const auto median_ns = times[times.size() / 2] * 1e6;
  const auto waiters = static_cast<double>(cfg.waiters);
  return {
    {"bench", "stampede"},
    {"waiters", cfg.waiters},
    {"actors", actors},
    {"backend_ms", cfg.backend_ms},
    {"rounds", cfg.rounds},
    {"loads", *std::max_element(loads_a_round.begin(), loads_a_round.end())},
    {"failures", failures},
    {"all_answered_ms", times[times.size() / 2]},
    {"all_answered_ms_best", times.front()},
    {"all_answered_ms_worst", times.back()},
    {"ns_per_op", median_ns / waiters},
    {"cpu_ns_per_op", cpu / gets},
    {"ops_per_s", waiters * 1e9 / median_ns},
    {"cpus", std::thread::hardware_concurrency()},
  };
}

} // namespace

int main(int argc, char** argv) {
  settings cfg;
  if (is_brief())
    cfg.rounds = 2;
  CLI::App app{"Many gets of one cold key at once, as JSON lines."};
  app.add_option("--waiters", cfg.waiters, "Gets at once")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--actors", cfg.actors, "Actors that share these gets")
    ->delimiter(',')
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--backend-ms", cfg.backend_ms,
                "Milliseconds that the backend takes")
    ->capture_default_str();
  app
    .add_option("--rounds", cfg.rounds,
                "Runs, each with a key of its own; the median counts")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  for (auto actors : cfg.actors)
    std::cout << measure(cfg, actors) << std::endl;
}
