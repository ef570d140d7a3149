// What an entry costs in memory, all in: one JSON object a line for each size
// of values. Each is measured in a process of its own, by how much more of it
// is resident than before the galaxy existed.

#include "measure.hpp"

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/galaxy.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/runtime/galaxy_memory.hpp"
#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/options.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::bench;

namespace {

struct settings {
  std::size_t entries = 1'000'000;
  std::vector<std::size_t> value_bytes{100};
  std::size_t key_bytes = 16;
  std::size_t shards = 0;
  double keep = 1;
  bool expiring = false;
  bool fill = false;
};

std::size_t resident_bytes() {
  std::ifstream in{"/proc/self/statm"};
  std::size_t all = 0, resident = 0;
  if (!(in >> all >> resident))
    throw std::runtime_error{"/proc/self/statm cannot be read"};
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// Distinct for each number, always of this length.
std::string key_of(std::size_t number, std::size_t bytes) {
  auto digits = std::to_string(number);
  return std::string(bytes - std::min(bytes, digits.size()), 'k') + digits;
}

/// What the entries to be kept cost, with a part for what finds them.
std::size_t capacity_for(const settings& cfg, std::size_t value_bytes) {
  constexpr std::size_t index_bytes = 24;
  entry::traits with;
  if (cfg.expiring)
    with.expiry = wall_time::max();
  const auto each = index_bytes
                    + entry::cost_of(key_of(0, cfg.key_bytes),
                                     value::copy(std::string(value_bytes, 'v')),
                                     with);
  const auto all = static_cast<double>(cfg.entries * each);
  // Room for all means that none leaves because its shard got more than others.
  return static_cast<std::size_t>(cfg.keep < 1 ? all * cfg.keep : all * 2);
}

struct growth {
  std::size_t resident = 0;
  std::size_t held = 0;
  std::size_t accounted = 0;
  std::size_t overhead = 0;
  std::size_t retired = 0;
  std::uint64_t evictions = 0;
  std::size_t shards = 0;
  double wall_ns = 0;
  double cpu_ns = 0;
};

/// A galaxy's memory, written to directly.
growth put_all(const settings& cfg, std::size_t value_bytes) {
  const auto time = make_system_clock();
  const auto capacity = capacity_for(cfg, value_bytes);
  const auto shards = cfg.shards != 0
                        ? cfg.shards
                        : default_shards({}, capacity,
                                         std::thread::hardware_concurrency());
  shard::settings each;
  each.capacity_bytes = capacity / shards;
  each.promote = make_always_promoter();
  each.hash_seed = mix64(1);
  growth result;
  const auto before = resident_bytes();
  const stopwatch watch;
  galaxy_memory memory{each, shards, time};
  const auto later = time->wall_now() + std::chrono::hours{1};
  for (std::size_t i = 0; i < cfg.entries; ++i) {
    const auto key = key_of(i, cfg.key_bytes);
    const auto expiry
      = cfg.expiring ? later + std::chrono::milliseconds{mix64(i) % 3'600'000}
                     : never_expires;
    memory.at(memory.shard_of(memory.hash_of(key)))
      .put_main(key, value::copy(std::string(value_bytes, 'v')), expiry, *time);
  }
  result.wall_ns = watch.wall_ns();
  result.cpu_ns = watch.cpu_ns();
  result.resident = resident_bytes() - before;
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const auto held = memory.at(i).stats();
    result.held += held.main.entries;
    result.accounted += held.main.bytes + held.overhead_bytes;
    result.overhead += held.overhead_bytes;
    result.retired += held.retired_bytes;
    result.evictions += held.main.evictions;
  }
  result.shards = shards;
  return result;
}

/// A galaxy whose entries come from its backend.
growth fill_all(const settings& cfg, std::size_t value_bytes) {
  galaxycache::config caf_cfg;
  caf::actor_system system{caf_cfg};
  universe_options options;
  options.self = "bench";
  universe home{system, std::move(options)};
  caf::scoped_actor self{system};
  growth result;
  const auto before = resident_bytes();
  const stopwatch watch;
  const auto expiring = cfg.expiring;
  const auto load = [value_bytes, expiring](std::string_view) {
    loaded result{value::copy(std::string(value_bytes, 'v'))};
    if (expiring)
      result.expiry = std::chrono::system_clock::now() + std::chrono::hours{1};
    return load_result{std::move(result)};
  };
  galaxy_options terms;
  terms.shards = cfg.shards;
  auto g = home.add_galaxy("bench", capacity_for(cfg, value_bytes),
                           backend::in_place(load), terms);
  constexpr std::size_t at_once = 256;
  for (std::size_t i = 0; i < cfg.entries; i += at_once) {
    std::vector<std::string> keys;
    for (auto k = i; k < std::min(i + at_once, cfg.entries); ++k)
      keys.push_back(key_of(k, cfg.key_bytes));
    std::string failed;
    g.get_many(self, std::move(keys))
      .receive([](const std::vector<get_result>&) {},
               [&](const caf::error& why) { failed = caf::to_string(why); });
    if (!failed.empty())
      throw std::runtime_error{failed};
  }
  result.wall_ns = watch.wall_ns();
  result.cpu_ns = watch.cpu_ns();
  result.resident = resident_bytes() - before;
  const auto held = g.stats();
  result.held = held.maincache.entries;
  result.accounted = held.maincache.bytes + held.overhead_bytes;
  result.overhead = held.overhead_bytes;
  result.retired = held.retired_bytes;
  result.evictions = held.maincache.evictions;
  result.shards = cfg.shards;
  return result;
}

nlohmann::ordered_json measure(const settings& cfg, std::size_t value_bytes) {
  const auto x = cfg.fill ? fill_all(cfg, value_bytes)
                          : put_all(cfg, value_bytes);
  const auto puts = static_cast<double>(cfg.entries);
  const auto held = static_cast<double>(std::max<std::size_t>(x.held, 1));
  const auto resident = static_cast<double>(x.resident);
  return {
    {"bench", "memory"},
    {"entries", cfg.entries},
    {"key_bytes", cfg.key_bytes},
    {"value_bytes", value_bytes},
    {"shards", x.shards},
    {"keep", cfg.keep},
    {"expiring", cfg.expiring},
    {"fill", cfg.fill},
    {"entries_held", x.held},
    {"evictions", x.evictions},
    {"resident_bytes_per_entry", resident / held},
    {"accounted_bytes_per_entry", static_cast<double>(x.accounted) / held},
    {"overhead_bytes_per_entry", static_cast<double>(x.overhead) / held},
    {"resident_over_accounted", resident / static_cast<double>(x.accounted)},
    {"retired_bytes", x.retired},
    {"ns_per_op", x.wall_ns / puts},
    {"cpu_ns_per_op", x.cpu_ns / puts},
    {"ops_per_s", puts * 1e9 / x.wall_ns},
  };
}

/// Runs it in a process of its own; says whether it succeeded.
bool measure_apart(const settings& cfg, std::size_t value_bytes) {
  const auto child = fork();
  if (child < 0)
    throw std::runtime_error{"fork has failed"};
  if (child == 0) {
    auto status = EXIT_SUCCESS;
    try {
      std::cout << measure(cfg, value_bytes) << std::endl;
    } catch (const std::exception& e) {
      std::cerr << "memory: " << e.what() << std::endl;
      status = EXIT_FAILURE;
    }
    std::_Exit(status);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status)
         && WEXITSTATUS(status) == EXIT_SUCCESS;
}

} // namespace

int main(int argc, char** argv) {
  settings cfg;
  if (is_brief())
    cfg.entries = 50'000;
  CLI::App app{"Resident bytes of an entry, as JSON lines."};
  app.add_option("--entries", cfg.entries, "Entries to put in")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--value", cfg.value_bytes, "Bytes of a value")
    ->delimiter(',')
    ->capture_default_str();
  app.add_option("--key", cfg.key_bytes, "Bytes of a key")
    ->check(CLI::Range(8, 60'000))
    ->capture_default_str();
  app
    .add_option("--shards", cfg.shards,
                "Parts of the memory; 0 chooses as a galaxy does")
    ->capture_default_str();
  app
    .add_option("--keep", cfg.keep,
                "Share of the entries there is room for: the rest is evicted")
    ->check(CLI::Range(0.001, 1.0))
    ->capture_default_str();
  app.add_flag("--expiring", cfg.expiring, "The entries expire in an hour");
  app.add_flag("--fill", cfg.fill,
               "Let a galaxy load the entries instead of putting them in");
  CLI11_PARSE(app, argc, argv);
  auto good = true;
  for (auto bytes : cfg.value_bytes)
    good = measure_apart(cfg, bytes) && good;
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
