// How many gets of other nodes' keys the hot caches answer, by promoter: one
// JSON object a line for each promoter and pattern of gets. Nodes are shards
// without actors or a network; time advances with the gets.

#include "measure.hpp"
#include "trace.hpp"

#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/hotness.hpp"
#include "galaxycache/runtime/random.hpp"
#include "galaxycache/runtime/shard.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::bench;

namespace {

struct settings {
  std::vector<std::string> promoters;
  std::vector<std::string> patterns{"zipf:1.0", "zipf:0.8", "flash"};
  std::string file;
  std::string format;
  std::size_t nodes = 8;
  std::uint64_t keys = 100'000;
  std::uint64_t gets = 2'000'000;
  std::uint64_t gets_per_s = 10'000;
  std::size_t capacity_entries = 2000;
  std::size_t value_bytes = 100;
  std::size_t hot_ratio = 8;
  std::size_t candidates = 1024;
  std::uint64_t seed = 1;
};

using factory = std::function<std::shared_ptr<promoter>(std::uint64_t seed)>;

/// Promotes a key that was asked for before, and any while there is room.
std::shared_ptr<promoter> make_known_or_room() {
  return make_promoter(
    [](std::string_view key, const value& data, const promotion_stats& x) {
      return x.hits > 0
             || x.hot.room_bytes()
                  > static_cast<std::int64_t>(key.size() + data.size());
    });
}

/// Promotes a key asked for more often than the one that would leave, as
/// TinyLFU admits, and any while there is room.
std::shared_ptr<promoter> make_rate_or_room() {
  return make_promoter(
    [](std::string_view key, const value& data, const promotion_stats& x) {
      return x.key_qps > x.hot.victim_qps
             || x.hot.room_bytes()
                  > static_cast<std::int64_t>(key.size() + data.size());
    });
}

const std::map<std::string, factory> promoter_of{
  {"qps", [](std::uint64_t) { return make_qps_promoter(); }},
  {"one_in_ten",
   [](std::uint64_t seed) { return make_probabilistic_promoter(10, seed); }},
  {"previously_known",
   [](std::uint64_t) { return make_previously_known_promoter(); }},
  {"always", [](std::uint64_t) { return make_always_promoter(); }},
  {"known_or_room", [](std::uint64_t) { return make_known_or_room(); }},
  {"rate_or_room", [](std::uint64_t) { return make_rate_or_room(); }},
  {"never", [](std::uint64_t) { return make_never_promoter(); }},
};

std::string key_of(std::uint64_t number) {
  auto digits = std::to_string(number);
  return std::string(16 - std::min<std::size_t>(16, digits.size()), 'k')
         + digits;
}

/// The key that the crowd comes for: no trace has it.
constexpr auto flash_key = std::uint64_t{1} << 60;

/// Gets of a trace, from half of which on a fifth are of one new key.
class flash_trace : public trace {
public:
  flash_trace(std::unique_ptr<trace> background, std::uint64_t requests,
              std::uint64_t seed)
    : background_(std::move(background)),
      begins_(requests / 2),
      random_(seed) {
    // nop
  }

  bool next(request& into) override {
    if (!background_->next(into))
      return false;
    if (done_++ >= begins_ && random_.chance(0.2))
      into.key = flash_key;
    return true;
  }

private:
  const std::unique_ptr<trace> background_;
  const std::uint64_t begins_;
  std::uint64_t done_ = 0;
  random_source random_;
};

class cluster {
public:
  cluster(const settings& cfg, const factory& promote)
    : content_(value::copy(std::string(cfg.value_bytes, 'v'))),
      advance_(std::chrono::nanoseconds{1'000'000'000 / cfg.gets_per_s}) {
    for (std::size_t i = 0; i < cfg.nodes; ++i) {
      shard::settings each;
      constexpr std::size_t index_bytes = 16;
      each.capacity_bytes
        = cfg.capacity_entries
          * (entry::cost_of(key_of(0), content_, {}) + index_bytes);
      each.hot_ratio = cfg.hot_ratio;
      each.candidates_max = cfg.candidates;
      each.promote = promote(i + 1);
      each.hash_seed = mix64(i + 1);
      nodes_.push_back({std::make_unique<shard>(std::move(each))});
    }
  }

  void get(std::uint64_t number, std::size_t node) {
    time_.advance(advance_);
    const auto key = key_of(number);
    const auto owner = mul_high(hash64(key), nodes_.size());
    if (node == owner)
      return load(owner, key);
    ++remote_gets;
    auto& here = nodes_[node];
    if (here.memory->visit(read_guard{}, here.memory->hash_of(key), key, time_,
                           [](const entry&) {})) {
      ++local;
      if (number == flash_key)
        here.has_flash_key = true;
      return;
    }
    if (number == flash_key) {
      ++flash_fetches;
      flash_fetches_before_local += !here.has_flash_key;
    }
    load(owner, key);
    promotions += here.memory->offer_hot(key, content_, never_expires, 1,
                                         time_);
  }

  std::uint64_t remote_gets = 0;
  std::uint64_t local = 0;
  std::uint64_t promotions = 0;
  std::uint64_t loads = 0;
  std::uint64_t flash_fetches = 0;
  std::uint64_t flash_fetches_before_local = 0;

private:
  struct node {
    std::unique_ptr<shard> memory;
    bool has_flash_key = false;
  };

  /// The owner answers.
  void load(std::size_t owner, const std::string& key) {
    auto& memory = *nodes_[owner].memory;
    if (memory.visit(read_guard{}, memory.hash_of(key), key, time_,
                     [](const entry&) {}))
      return;
    ++loads;
    memory.put_main(key, content_, never_expires, time_);
  }

  const value content_;
  const std::chrono::nanoseconds advance_;
  manual_clock time_;
  std::vector<node> nodes_;
};

std::unique_ptr<trace> open_pattern(const settings& cfg,
                                    const std::string& pattern) {
  if (pattern == "trace")
    return open_trace(cfg.format, cfg.file, cfg.seed);
  const auto made_up = [&](const std::string& kind) {
    return open_trace(kind + ":" + std::to_string(cfg.keys) + ":"
                        + std::to_string(cfg.gets),
                      {}, cfg.seed);
  };
  if (pattern == "flash")
    return std::make_unique<flash_trace>(made_up("zipf:1.0"), cfg.gets,
                                         cfg.seed + 1);
  return made_up(pattern);
}

nlohmann::ordered_json measure(const settings& cfg, const std::string& pattern,
                               const std::string& promoter) {
  cluster nodes{cfg, promoter_of.at(promoter)};
  random_source random{cfg.seed + 2};
  auto source = open_pattern(cfg, pattern);
  std::uint64_t gets = 0;
  const stopwatch watch;
  for (request x; source->next(x); ++gets)
    nodes.get(x.key, random.below(cfg.nodes));
  const auto wall_ns = watch.wall_ns();
  const auto cpu_ns = watch.cpu_ns();
  if (gets == 0)
    throw std::runtime_error{"the trace has no requests"};
  const auto count = static_cast<double>(gets);
  const auto share = [](std::uint64_t part, std::uint64_t all) {
    return all == 0 ? 0.0
                    : static_cast<double>(part) / static_cast<double>(all);
  };
  nlohmann::ordered_json result{
    {"bench", "hot_keys"},
    {"pattern", pattern},
    {"promoter", promoter},
    {"nodes", cfg.nodes},
    {"capacity_entries", cfg.capacity_entries},
    {"hot_ratio", cfg.hot_ratio},
    {"candidates", cfg.candidates},
    {"gets", gets},
    {"gets_per_s", cfg.gets_per_s},
    {"served_locally", share(nodes.local, nodes.remote_gets)},
    {"promotions_per_remote_get", share(nodes.promotions, nodes.remote_gets)},
    {"loads_per_get", share(nodes.loads, gets)},
    {"ns_per_op", wall_ns / count},
    {"cpu_ns_per_op", cpu_ns / count},
    {"ops_per_s", count * 1e9 / wall_ns},
  };
  if (pattern == "trace")
    result["trace"] = cfg.file.empty() ? cfg.format : cfg.file;
  if (pattern == "flash") {
    result["flash_fetches_before_local"] = nodes.flash_fetches_before_local;
    result["flash_fetches"] = nodes.flash_fetches;
  }
  return result;
}

} // namespace

int main(int argc, char** argv) {
  settings cfg;
  for (const auto& each : promoter_of)
    cfg.promoters.push_back(each.first);
  if (is_brief()) {
    cfg.keys = 10'000;
    cfg.gets = 100'000;
    cfg.capacity_entries = 200;
  }
  CLI::App app{"What promoters make of hot keys, as JSON lines."};
  app.add_option("--promoters", cfg.promoters, "Promoters to compare")
    ->delimiter(',')
    ->check(CLI::IsMember(promoter_of))
    ->capture_default_str();
  app
    .add_option("--patterns", cfg.patterns,
                "zipf:ALPHA, flash (Zipf 1.0, in whose second half a fifth of "
                "the gets is of one new key), trace (with --format)")
    ->delimiter(',')
    ->capture_default_str();
  app.add_option("--trace", cfg.file, "File of requests, not compressed");
  app.add_option("--format", cfg.format,
                 std::string{"Use a trace alone; what is in it: "}
                   + trace_formats);
  app.add_option("--nodes", cfg.nodes, "Nodes, each asked as often")
    ->check(CLI::Range(2, 1000))
    ->capture_default_str();
  app.add_option("--keys", cfg.keys, "Keys of the patterns")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--gets", cfg.gets, "Gets of the patterns, of all nodes")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--gets-per-second", cfg.gets_per_s, "Gets of all nodes")
    ->check(CLI::Range(1, 1'000'000'000))
    ->capture_default_str();
  app
    .add_option("--capacity", cfg.capacity_entries,
                "Entries that a node has room for, about")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--value", cfg.value_bytes, "Bytes of a value")
    ->capture_default_str();
  app.add_option("--hot-ratio", cfg.hot_ratio, "As in galaxy_options")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--candidates", cfg.candidates, "Candidates of a node")
    ->capture_default_str();
  app.add_option("--seed", cfg.seed, "Of all chances")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!cfg.format.empty())
    cfg.patterns = {"trace"};
  try {
    for (const auto& pattern : cfg.patterns)
      for (const auto& promoter : cfg.promoters)
        std::cout << measure(cfg, pattern, promoter) << std::endl;
  } catch (const std::exception& e) {
    std::cerr << "hot_keys: " << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}
