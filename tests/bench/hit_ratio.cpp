// The share of a trace's requests that an order of eviction answers: one JSON
// object a line for each policy and capacity. It drives the objects that a
// shard drives, without the shard.

#include "measure.hpp"
#include "trace.hpp"

#include "galaxycache/runtime/entry.hpp"
#include "galaxycache/runtime/eviction.hpp"
#include "galaxycache/runtime/hash.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::bench;

namespace {

struct config {
  std::string file;
  std::string format = "zipf:1.0:100000:5000000";
  std::vector<std::string> capacities{"10%"};
  std::vector<std::string> policies{"s3fifo", "lru"};
  std::size_t shards = 1;
  std::uint64_t seed = 1;
};

/// What an entry weighs is its value.
std::size_t weight_of(const entry& x) {
  std::size_t result;
  std::memcpy(&result, x.data().data(), sizeof(result));
  return result;
}

std::string_view bytes_of(const std::uint64_t& x) {
  return {reinterpret_cast<const char*>(&x), sizeof(x)};
}

/// A shard as far as an order of eviction sees it.
class driver {
public:
  driver(const std::string& policy, std::size_t capacity)
    : order_(policy == "lru" ? make_lru(weight_of)
                             : make_s3_fifo(weight_of, capacity)),
      capacity_(capacity) {
    // nop
  }

  driver(const driver&) = delete;

  ~driver() {
    order_->clear([](entry& x) { entry::drop(&x); });
  }

  /// Whether the key is there; it is afterwards if its weight allows it.
  bool get(std::uint64_t key, std::uint64_t hash, std::size_t weight) {
    if (auto i = index_.find(key); i != index_.end()) {
      order_->used(*i->second);
      return true;
    }
    if (weight > capacity_)
      return false;
    auto* x = entry::make(bytes_of(key), value::copy(bytes_of(weight)), {});
    index_.emplace(key, x);
    order_->add(*x, hash);
    while (order_->bytes() > capacity_) {
      auto& out = *order_->next();
      std::uint64_t out_key;
      std::memcpy(&out_key, out.key().data(), sizeof(out_key));
      order_->evict(out, hash64(out.key()));
      index_.erase(out_key);
      entry::drop(&out);
    }
    return false;
  }

  std::size_t entries() const {
    return order_->entries();
  }

private:
  const std::unique_ptr<eviction> order_;
  const std::size_t capacity_;
  std::unordered_map<std::uint64_t, entry*> index_;
};

struct capacity {
  std::uint64_t amount = 0;
  bool in_bytes = false;
};

/// The distinct keys of a trace, and the sum of their sizes.
struct extent {
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;
};

extent extent_of(const config& cfg) {
  extent result;
  std::unordered_set<std::uint64_t> seen;
  auto source = open_trace(cfg.format, cfg.file, cfg.seed);
  for (request x; source->next(x);)
    if (seen.insert(x.key).second)
      result.bytes += x.size;
  result.keys = seen.size();
  return result;
}

capacity parse_capacity(const config& cfg, const std::string& text) {
  capacity result;
  std::string_view rest{text};
  if (rest.ends_with('b')) {
    result.in_bytes = true;
    rest.remove_suffix(1);
  }
  const auto relative = rest.ends_with('%');
  if (relative)
    rest.remove_suffix(1);
  double amount = 0;
  const auto [end, error] = std::from_chars(rest.data(),
                                            rest.data() + rest.size(), amount);
  if (error != std::errc{} || end != rest.data() + rest.size()
      || !(amount > 0 && amount < 1e18))
    throw std::runtime_error{"\"" + text
                             + "\" is no capacity: a number, or a "
                               "number and b, % or %b"};
  if (relative) {
    const auto all = extent_of(cfg);
    amount *= static_cast<double>(result.in_bytes ? all.bytes : all.keys) / 100;
  }
  result.amount = static_cast<std::uint64_t>(amount);
  return result;
}

nlohmann::ordered_json measure(const config& cfg, const std::string& policy,
                               const capacity& size) {
  std::vector<std::unique_ptr<driver>> shards;
  for (std::size_t i = 0; i < cfg.shards; ++i)
    shards.push_back(std::make_unique<driver>(
      policy, size.amount / cfg.shards + (i < size.amount % cfg.shards)));
  auto source = open_trace(cfg.format, cfg.file, cfg.seed);
  std::uint64_t requests = 0, hits = 0, bytes = 0, hit_bytes = 0;
  stopwatch watch;
  for (request x; source->next(x);) {
    const auto hash = hash64(bytes_of(x.key));
    const auto weight = size.in_bytes ? x.size : 1;
    const auto hit = shards[mul_high(hash, cfg.shards)]->get(x.key, hash,
                                                             weight);
    ++requests;
    bytes += x.size;
    hits += hit;
    hit_bytes += hit ? x.size : 0;
  }
  const auto wall_ns = watch.wall_ns();
  const auto cpu_ns = watch.cpu_ns();
  if (requests == 0)
    throw std::runtime_error{cfg.file + ": has no requests"};
  std::size_t entries = 0;
  for (const auto& shard : shards)
    entries += shard->entries();
  const auto count = static_cast<double>(requests);
  return {
    {"bench", "hit_ratio"},
    {"trace", cfg.file},
    {"format", cfg.format},
    {"policy", policy},
    {"capacity", size.amount},
    {"capacity_unit", size.in_bytes ? "bytes" : "entries"},
    {"shards", cfg.shards},
    {"requests", requests},
    {"hit_ratio", static_cast<double>(hits) / count},
    {"byte_hit_ratio",
     static_cast<double>(hit_bytes) / static_cast<double>(bytes)},
    {"entries", entries},
    {"ns_per_op", wall_ns / count},
    {"cpu_ns_per_op", cpu_ns / count},
    {"ops_per_s", count * 1e9 / wall_ns},
  };
}

} // namespace

int main(int argc, char** argv) {
  config cfg;
  if (is_brief())
    cfg.format = "zipf:1.0:10000:200000";
  CLI::App app{"Hit ratios of the orders of eviction, as JSON lines."};
  app.add_option("--trace", cfg.file, "File of requests, not compressed");
  app
    .add_option("--format", cfg.format,
                std::string{"What is in it: "} + trace_formats)
    ->capture_default_str();
  app
    .add_option("--capacity", cfg.capacities,
                "ENTRIES, or BYTESb of the sizes that the trace gives, or N% "
                "or N%b of all that is asked for")
    ->delimiter(',')
    ->capture_default_str();
  app.add_option("--policy", cfg.policies, "Orders of eviction")
    ->delimiter(',')
    ->check(CLI::IsMember({"s3fifo", "lru"}))
    ->capture_default_str();
  app
    .add_option("--shards", cfg.shards,
                "Parts of the cache, each with its share of the capacity")
    ->check(CLI::Range(1, 1 << 20))
    ->capture_default_str();
  app.add_option("--seed", cfg.seed, "Of the chances in a zipf trace")
    ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    for (const auto& text : cfg.capacities) {
      const auto size = parse_capacity(cfg, text);
      for (const auto& policy : cfg.policies)
        std::cout << measure(cfg, policy, size) << std::endl;
    }
  } catch (const std::exception& e) {
    std::cerr << "hit_ratio: " << e.what() << std::endl;
    return EXIT_FAILURE;
  }
}
