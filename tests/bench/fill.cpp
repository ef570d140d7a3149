// What a fill costs: a get of a cold key, from the asker through flight,
// loader and backend and back. One JSON object a line for each backend.

#include "measure.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/galaxy.hpp"
#include "galaxycache/actors/galaxy_actor.hpp"
#include "galaxycache/runtime/caf/startup.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
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
  std::vector<std::string> backends{"inline", "function", "actor"};
  std::size_t keys = 200'000;
  std::size_t threads = std::max(std::thread::hardware_concurrency(), 1u);
  std::size_t window = 64;
  double seconds = 0;
};

struct caf_settings : galaxycache::config {
  explicit caf_settings(std::size_t threads) {
    set_caf_option(*this, "scheduler.max-threads", threads);
  }
};

// Small, and shared: the backend's own work is not what is measured.
const value content = value::take(std::string(100, 'x'));

caf::behavior answering(caf::event_based_actor*) {
  return {[](load_atom, const std::string&) { return loaded{content}; }};
}

backend make_backend(const std::string& kind, caf::actor_system& system) {
  auto load = [](std::string_view) { return content; };
  if (kind == "inline")
    return backend::in_place(load);
  if (kind == "function")
    return backend::function(load);
  return backend::actor(system.spawn<caf::hidden>(answering));
}

// Asks for one key after the other.
struct client {
  galaxy g;
  std::size_t next;
  std::size_t end;
  std::atomic<std::size_t>& failures;
};

void ask(caf::event_based_actor* self, const std::shared_ptr<client>& state) {
  if (state->next == state->end)
    return;
  auto key = "key:" + std::to_string(state->next++);
  state->g.get(self, key).then(
    [self, state](const answer& x) {
      if (x.level != hit_level::backend)
        ++state->failures;
      ask(self, state);
    },
    [self, state](const caf::error&) {
      ++state->failures;
      ask(self, state);
    });
}

struct cost {
  double wall_ns = 0;
  double cpu_ns = 0;

  cost& operator+=(const cost& x) {
    wall_ns += x.wall_ns;
    cpu_ns += x.cpu_ns;
    return *this;
  }
};

// Fills the keys from `first` to `last`, shared out among the clients.
cost fill(caf::actor_system& system, const galaxy& g, const settings& cfg,
          std::size_t first, std::size_t last,
          std::atomic<std::size_t>& failures) {
  const stopwatch watch;
  for (std::size_t i = 0; i < cfg.threads; ++i) {
    auto part = [&](std::size_t n) {
      return first + (last - first) * n / cfg.threads;
    };
    auto state
      = std::make_shared<client>(client{g, part(i), part(i + 1), failures});
    system.spawn([state, &cfg](caf::event_based_actor* self) {
      for (std::size_t n = 0; n < cfg.window; ++n)
        ask(self, state);
    });
  }
  system.await_all_actors_done();
  return {watch.wall_ns(), watch.cpu_ns()};
}

// One galaxy, cold at first; a tenth of the keys more warm up the actors.
cost run_round(const settings& cfg, const std::string& kind,
               std::atomic<std::size_t>& failures) {
  caf_settings caf_cfg{cfg.threads};
  caf::actor_system system{caf_cfg};
  auto core = std::make_shared<universe_core>(
    system, "bench", make_system_clock(),
    std::make_shared<galaxycache::log>(log_level::warning, "fill"), 1);
  constexpr std::size_t bytes_per_key = 1024;
  auto shared = std::make_shared<galaxy_core>(core, "bench",
                                              2 * cfg.keys * bytes_per_key,
                                              make_backend(kind, system),
                                              galaxy_options{});
  auto supervisor = spawn_galaxy(shared);
  galaxy g{shared, supervisor};
  auto warm_up = cfg.keys / 10;
  fill(system, g, cfg, 0, warm_up, failures);
  auto result = fill(system, g, cfg, warm_up, warm_up + cfg.keys, failures);
  caf::anon_send_exit(supervisor, caf::exit_reason::kill);
  core->await_no_actors(std::chrono::seconds{10});
  if (auto* user = std::get_if<backend_actor>(&shared->source.how()))
    caf::anon_send_exit(*user, caf::exit_reason::kill);
  return result;
}

nlohmann::ordered_json measure(const settings& cfg, const std::string& kind) {
  std::atomic<std::size_t> failures{0};
  cost sum;
  std::size_t rounds = 0;
  do {
    sum += run_round(cfg, kind, failures);
    ++rounds;
  } while (sum.wall_ns < cfg.seconds * 1e9);
  auto fills = static_cast<double>(rounds * cfg.keys);
  return {
    {"bench", "fill"},
    {"backend", kind},
    {"keys", cfg.keys},
    {"threads", cfg.threads},
    {"window", cfg.window},
    {"rounds", rounds},
    {"ns_per_op", sum.wall_ns / fills},
    {"cpu_ns_per_op", sum.cpu_ns / fills},
    {"ops_per_s", fills * 1e9 / sum.wall_ns},
    {"failures", failures.load()},
    {"caf", caf_version()},
    {"cpus", std::thread::hardware_concurrency()},
    {"compiler", __VERSION__},
  };
}

} // namespace

int main(int argc, char** argv) {
  settings cfg;
  // What says that a smoke test is enough.
  if (auto* brief = std::getenv("GALAXYCACHE_BENCH_BRIEF");
      brief != nullptr && std::string_view{brief} == "1")
    cfg.keys = 20'000;
  CLI::App app{"The cost of a get that loads, as JSON lines."};
  app.add_option("--backend", cfg.backends, "Where the values come from")
    ->delimiter(',')
    ->check(CLI::IsMember({"inline", "function", "actor"}))
    ->capture_default_str();
  app.add_option("--keys", cfg.keys, "Keys to fill a round")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--threads", cfg.threads,
                "Threads of CAF's scheduler, and actors that ask")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--window", cfg.window, "Gets under way, for each such actor")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--seconds", cfg.seconds,
                "Repeat rounds until they add up to this")
    ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  for (const auto& kind : cfg.backends)
    std::cout << measure(cfg, kind) << std::endl;
}
