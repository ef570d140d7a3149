// What galaxies cost that nobody uses: the processor time of a process with
// some, beside that of an empty actor system of the same configuration. One
// JSON object.

#include "measure.hpp"

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/galaxy.hpp"
#include "galaxycache/actors/universe.hpp"

#include <caf/actor_system.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

using namespace galaxycache;
using namespace galaxycache::bench;

namespace {

struct settings {
  double seconds = 10;
  double settle_seconds = 1;
  std::size_t galaxies = 10;
};

/// What a phase has used of one core.
struct usage {
  double share = 0;
  double wake_ups_per_s = 0;
};

usage rest(const settings& cfg) {
  std::this_thread::sleep_for(
    std::chrono::duration<double>{cfg.settle_seconds});
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const stopwatch watch;
  std::this_thread::sleep_for(std::chrono::duration<double>{cfg.seconds});
  const auto cpu_ns = watch.cpu_ns();
  const auto wall_ns = watch.wall_ns();
  getrusage(RUSAGE_SELF, &after);
  const auto switches = static_cast<double>(after.ru_nvcsw - before.ru_nvcsw);
  return {cpu_ns / wall_ns, switches * 1e9 / wall_ns};
}

usage run_phase(const settings& cfg, std::size_t galaxies) {
  galaxycache::config caf_cfg;
  caf::actor_system system{caf_cfg};
  std::optional<universe> home;
  if (galaxies > 0) {
    universe_options options;
    options.self = "bench";
    home.emplace(system, std::move(options));
    for (std::size_t i = 0; i < galaxies; ++i)
      home->add_galaxy("galaxy" + std::to_string(i), 64 << 20,
                       backend::function([](std::string_view) {
                         return value::copy("content");
                       }));
  }
  return rest(cfg);
}

/// Runs a phase in a process of its own.
usage run_apart(const settings& cfg, std::size_t galaxies) {
  int ends[2];
  if (pipe(ends) != 0)
    throw std::runtime_error{"pipe has failed"};
  const auto child = fork();
  if (child < 0)
    throw std::runtime_error{"fork has failed"};
  if (child == 0) {
    auto status = EXIT_FAILURE;
    try {
      const auto result = run_phase(cfg, galaxies);
      if (write(ends[1], &result, sizeof(result)) == sizeof(result))
        status = EXIT_SUCCESS;
    } catch (const std::exception& e) {
      std::cerr << "idle: " << e.what() << std::endl;
    }
    std::_Exit(status);
  }
  close(ends[1]);
  usage result;
  const auto got = read(ends[0], &result, sizeof(result));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (got != sizeof(result))
    throw std::runtime_error{"a phase has failed"};
  return result;
}

} // namespace

int main(int argc, char** argv) {
  settings cfg;
  if (is_brief()) {
    cfg.seconds = 1;
    cfg.settle_seconds = 0.3;
  }
  CLI::App app{"The processor time of galaxies at rest, as a JSON line."};
  app.add_option("--seconds", cfg.seconds, "How long to watch each process")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--settle-seconds", cfg.settle_seconds,
                "How long to wait before")
    ->capture_default_str();
  app.add_option("--galaxies", cfg.galaxies, "Galaxies at rest")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const auto empty = run_apart(cfg, 0);
    const auto full = run_apart(cfg, cfg.galaxies);
    std::cout << nlohmann::ordered_json{
      {"bench", "idle"},
      {"galaxies", cfg.galaxies},
      {"seconds", cfg.seconds},
      {"cpu_share", full.share},
      {"cpu_share_of_empty_system", empty.share},
      {"cpu_share_more", full.share - empty.share},
      {"wake_ups_per_s", full.wake_ups_per_s},
      {"wake_ups_per_s_of_empty_system", empty.wake_ups_per_s},
      {"cpus", std::thread::hardware_concurrency()},
    } << std::endl;
  } catch (const std::exception& e) {
    std::cerr << "idle: " << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}
