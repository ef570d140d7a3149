// How long a reader and the writer of a shard are held up at worst while it
// grows from nothing. One JSON object: times by the clock and by the thread's
// processor time, which a thread that is preempted does not use. Beside them,
// what two readers see in as long a time when nobody writes any more: what the
// machine does by itself, as both clocks go on where the host of a virtual one
// takes a core away.

#include "measure.hpp"

#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/random.hpp"
#include "galaxycache/runtime/shard.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>
#include <thread>

using namespace galaxycache;
using namespace galaxycache::bench;

namespace {

struct config {
  std::uint64_t entries = 10'000'000;
  std::size_t value_bytes = 100;
  bool expiring = false;
  std::size_t capacity_bytes = 0;
};

/// Counts durations in buckets of at most an eighth of their size.
class histogram {
public:
  void add(std::uint64_t ns) {
    ++counts_[bucket_of(ns)];
    ++size_;
  }

  /// No more than this share of the durations is longer.
  std::uint64_t quantile(double share) const {
    const auto beyond
      = static_cast<std::uint64_t>(static_cast<double>(size_) * (1 - share));
    std::uint64_t seen = 0;
    for (auto i = counts_.size(); i-- > 0;)
      if ((seen += counts_[i]) > beyond)
        return end_of(i);
    return 0;
  }

private:
  static constexpr unsigned parts = 8;

  static std::size_t bucket_of(std::uint64_t ns) {
    if (ns < parts)
      return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 4;
    return shift * parts + (ns >> shift);
  }

  static std::uint64_t end_of(std::size_t bucket) {
    if (bucket < 2 * parts)
      return bucket;
    const auto shift = bucket / parts - 1;
    return ((bucket % parts + parts + 1) << shift) - 1;
  }

  std::array<std::uint64_t, 64 * parts> counts_{};
  std::uint64_t size_ = 0;
};

/// The calls of one thread.
class calls {
public:
  template <class F>
  void time(F&& call) {
    const auto start = std::chrono::steady_clock::now();
    call();
    const auto wall = static_cast<std::uint64_t>(
      std::chrono::nanoseconds{std::chrono::steady_clock::now() - start}
        .count());
    const auto cpu_now = bench::cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    const auto cpu = static_cast<std::uint64_t>(cpu_now - cpu_);
    cpu_ = cpu_now;
    wall_times_.add(wall);
    cpu_times_.add(cpu);
    if (wall > worst_) {
      worst_ = wall;
      cpu_of_worst_ = cpu;
    }
    // What came between is no part of the wait by either clock.
    longest_ = std::max(longest_, std::min(wall, cpu));
    wall_sum_ += static_cast<double>(wall);
    cpu_sum_ += static_cast<double>(cpu);
    ++count_;
  }

  void end() {
    rusage used{};
    getrusage(RUSAGE_THREAD, &used);
    preempted_ = used.ru_nivcsw;
    page_faults_ = used.ru_minflt;
  }

  nlohmann::ordered_json summary() const {
    const auto ms = [](auto ns) { return static_cast<double>(ns) / 1e6; };
    const auto count = static_cast<double>(std::max<std::uint64_t>(count_, 1));
    return {
      {"calls", count_},
      {"ns_per_op", wall_sum_ / count},
      {"cpu_ns_per_op", cpu_sum_ / count},
      {"worst_ms", ms(worst_)},
      {"cpu_of_worst_ms", ms(cpu_of_worst_)},
      {"worst_undisturbed_ms", ms(longest_)},
      {"p99_99_ms", ms(wall_times_.quantile(0.9999))},
      {"p99_99_cpu_ms", ms(cpu_times_.quantile(0.9999))},
      {"preempted", preempted_},
      {"page_faults", page_faults_},
    };
  }

private:
  histogram wall_times_;
  histogram cpu_times_;
  double cpu_ = bench::cpu_ns(CLOCK_THREAD_CPUTIME_ID);
  double wall_sum_ = 0;
  double cpu_sum_ = 0;
  std::uint64_t worst_ = 0;
  std::uint64_t cpu_of_worst_ = 0;
  std::uint64_t longest_ = 0;
  std::uint64_t count_ = 0;
  long preempted_ = 0;
  long page_faults_ = 0;
};

/// 16 bytes.
class key {
public:
  explicit key(std::uint64_t number) {
    const auto scrambled = mix64(number);
    std::memcpy(bytes_, &number, sizeof(number));
    std::memcpy(bytes_ + sizeof(number), &scrambled, sizeof(scrambled));
  }

  operator std::string_view() const {
    return {bytes_, sizeof(bytes_)};
  }

private:
  char bytes_[16];
};

nlohmann::ordered_json measure(const config& cfg) {
  const auto time = make_system_clock();
  shard::settings settings;
  settings.capacity_bytes = cfg.capacity_bytes != 0
                              ? cfg.capacity_bytes
                              : std::numeric_limits<std::size_t>::max() / 4;
  settings.promote = make_always_promoter();
  settings.hash_seed = mix64(1);
  shard memory{settings};
  std::atomic<std::uint64_t> written{0};
  std::atomic<bool> done{false};
  calls writes;
  std::atomic<std::uint64_t> bytes_read{0};
  const auto read_until_done = [&](std::uint64_t seed) {
    random_source random{seed};
    calls own;
    std::uint64_t bytes = 0;
    while (!done.load(std::memory_order_relaxed)) {
      const auto n = written.load(std::memory_order_acquire);
      const key k{random.below(std::max<std::uint64_t>(n, 1))};
      const auto hash = memory.hash_of(k);
      own.time([&] {
        memory.visit(read_guard{}, hash, k, *time,
                     [&](const entry& x) { bytes += x.data().size(); });
      });
    }
    own.end();
    bytes_read += bytes;
    return own;
  };
  calls reads;
  std::thread reader{[&] { reads = read_until_done(1); }};
  const auto content = value::copy(std::string(cfg.value_bytes, 'v'));
  const stopwatch watch;
  std::thread writer{[&] {
    calls own;
    const auto later = time->wall_now() + std::chrono::hours{1};
    for (std::uint64_t i = 0; i < cfg.entries; ++i) {
      const key k{i};
      const auto expiry = cfg.expiring
                            ? later + std::chrono::microseconds{mix64(i) >> 32}
                            : never_expires;
      own.time([&] { memory.put_main(k, content, expiry, *time); });
      written.store(i + 1, std::memory_order_release);
    }
    own.end();
    writes = own;
  }};
  writer.join();
  const auto wall_ns = watch.wall_ns();
  done = true;
  reader.join();
  const auto cpu_ns = watch.cpu_ns();
  done = false;
  std::array<calls, 2> later_reads;
  std::array<std::thread, 2> readers;
  for (std::size_t i = 0; i < readers.size(); ++i)
    readers[i]
      = std::thread{[&, i] { later_reads[i] = read_until_done(2 + i); }};
  std::this_thread::sleep_for(std::chrono::nanoseconds{std::llround(wall_ns)});
  done = true;
  for (auto& x : readers)
    x.join();
  const auto puts = static_cast<double>(cfg.entries);
  return {
    {"bench", "pause"},
    {"entries", cfg.entries},
    {"value_bytes", cfg.value_bytes},
    {"expiring", cfg.expiring},
    {"capacity_bytes", cfg.capacity_bytes},
    {"entries_held", memory.stats().main.entries},
    {"ns_per_op", wall_ns / puts},
    {"cpu_ns_per_op", cpu_ns / puts},
    {"ops_per_s", puts * 1e9 / wall_ns},
    {"reader", reads.summary()},
    {"writer", writes.summary()},
    {"readers_alone", {later_reads[0].summary(), later_reads[1].summary()}},
    {"bytes_read", bytes_read.load()},
    {"cpus", std::thread::hardware_concurrency()},
  };
}

} // namespace

int main(int argc, char** argv) {
  config cfg;
  if (is_brief())
    cfg.entries = 200'000;
  CLI::App app{"The longest pauses of a growing shard, as a JSON line."};
  app.add_option("--entries", cfg.entries, "Entries to put in")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--value", cfg.value_bytes, "Bytes of a value")
    ->capture_default_str();
  app
    .add_option("--capacity", cfg.capacity_bytes,
                "Bytes of the shard; 0 has room for all")
    ->capture_default_str();
  app.add_flag("--expiring", cfg.expiring, "The entries expire in an hour");
  CLI11_PARSE(app, argc, argv);
  std::cout << measure(cfg) << std::endl;
}
