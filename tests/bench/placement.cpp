// How well placements spread keys, how little they move and what they cost:
// one JSON object a line for each kind and number of members.

#include "galaxycache/runtime/placement.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;

namespace {

struct config {
  std::vector<std::string> kinds{"rendezvous", "hash_ring_crc32",
                                 "hash_ring_fnv1a"};
  std::vector<std::size_t> members{32, 1000};
  std::uint32_t segments = 50;
  std::size_t keys = 300'000;
  std::uint64_t many_keys = 10'000'000;
  std::size_t rounds = 5;
};

const std::map<std::string, placement_kind> kind_of{
  {"rendezvous", placement_kind::rendezvous},
  {"hash_ring_crc32", placement_kind::hash_ring_crc32},
  {"hash_ring_fnv1a", placement_kind::hash_ring_fnv1a}};

struct cost {
  double wall_ns;
  double cpu_ns;
};

// The cheapest of several runs of a function.
template <class Function>
cost cheapest(std::size_t rounds, Function run) {
  cost best{1e18, 1e18};
  for (std::size_t i = 0; i < rounds; ++i) {
    const auto cpu = std::clock();
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double, std::nano> wall
      = std::chrono::steady_clock::now() - start;
    best.wall_ns = std::min(best.wall_ns, wall.count());
    best.cpu_ns = std::min(best.cpu_ns, static_cast<double>(std::clock() - cpu)
                                          * 1e9 / CLOCKS_PER_SEC);
  }
  return best;
}

double max_over_mean(const std::vector<std::uint64_t>& counts) {
  std::uint64_t sum = 0;
  for (auto count : counts)
    sum += count;
  return static_cast<double>(*std::max_element(counts.begin(), counts.end()))
         * static_cast<double>(counts.size()) / static_cast<double>(sum);
}

nlohmann::ordered_json measure(const config& cfg, const std::string& kind,
                               std::size_t count,
                               const std::vector<std::string>& keys) {
  std::vector<member> members;
  for (std::size_t i = 0; i < count; ++i)
    members.push_back({"http://10.0." + std::to_string(i / 256) + "."
                       + std::to_string(i % 256) + ":8080"});
  const placement_options options{kind_of.at(kind), cfg.segments};
  placement place;
  const auto build = cheapest(cfg.rounds, [&] {
    place = placement{members, options};
  });
  std::uint64_t sink = 0;
  const auto lookups = cheapest(cfg.rounds, [&] {
    for (const auto& key : keys)
      sink += *place.owner(key);
  });
  const auto leaver = place.members()[count / 2].id;
  const auto rest = place.without(leaver);
  std::vector<std::uint64_t> few(count);
  std::size_t moved = 0;
  for (const auto& key : keys) {
    const auto owner = *place.owner(key);
    ++few[owner];
    if (const auto next = rest.owner(key))
      moved += place.members()[owner].id != rest.members()[*next].id;
  }
  std::vector<std::uint64_t> many(count);
  for (std::uint64_t i = 0; i < cfg.many_keys; ++i) {
    char key[sizeof(i)];
    std::memcpy(key, &i, sizeof(i));
    ++many[*place.owner({key, sizeof(key)})];
  }
  const auto key_count = static_cast<double>(keys.size());
  nlohmann::ordered_json result{
    {"bench", "placement"},
    {"kind", kind},
    {"members", count},
    {"build_ms", build.wall_ns / 1e6},
    {"build_cpu_ms", build.cpu_ns / 1e6},
    {"ns_per_lookup", lookups.wall_ns / key_count},
    {"cpu_ns_per_lookup", lookups.cpu_ns / key_count},
    {"keys", keys.size()},
    {"max_over_mean", max_over_mean(few)},
    {"moved_when_one_leaves", static_cast<double>(moved) / key_count},
    {"moved_ideal", 1.0 / static_cast<double>(count)},
    {"many_keys", cfg.many_keys},
    {"max_over_mean_many_keys", max_over_mean(many)},
    {"cpus", std::thread::hardware_concurrency()},
    {"compiler", __VERSION__},
    {"check", sink % 1000},
  };
  if (options.kind != placement_kind::rendezvous)
    result["segments"] = cfg.segments;
  return result;
}

} // namespace

int main(int argc, char** argv) {
  config cfg;
  CLI::App app{"Balance, movement and cost of placements, as JSON lines."};
  app.add_option("--kinds", cfg.kinds, "Placements to measure")
    ->delimiter(',')
    ->check(CLI::IsMember(kind_of))
    ->capture_default_str();
  app.add_option("--members", cfg.members, "Sizes of the cluster")
    ->delimiter(',')
    ->check(CLI::Range(2, 1'000'000))
    ->capture_default_str();
  app.add_option("--segments", cfg.segments, "Points of a member on a ring")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--keys", cfg.keys,
                "Keys to look up, to count by owner, and to watch moving")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--many-keys", cfg.many_keys,
                "Keys to count by owner with little noise of their own")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--rounds", cfg.rounds, "Runs, of which the cheapest counts")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < cfg.keys; ++i)
    keys.push_back("user:" + std::to_string(i));
  for (auto count : cfg.members)
    for (const auto& kind : cfg.kinds)
      std::cout << measure(cfg, kind, count, keys) << std::endl;
}
