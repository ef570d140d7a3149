// Runs clusters in which everything fails, one for each seed, and looks whether
// what must hold holds. See ./dev sim --help.

#include "run.hpp"

#include "galaxycache/runtime/planted.hpp"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

using namespace galaxycache;
using namespace galaxycache::sim;

namespace {

// One in so many runs twice, to see that it is the same run.
constexpr std::uint64_t runs_twice = 50;

constexpr std::size_t shrink_runs = 300;

// With this many failures something is broken; more seeds tell no more.
constexpr std::size_t failures_max = 10;

struct settings {
  std::uint64_t seeds = 1000;
  std::uint64_t first = 1;
  std::optional<std::uint64_t> replay;
  std::string file;
  shape form;
  unsigned threads = std::max(std::thread::hardware_concurrency(), 1u);
  bool keep_going = false;
  std::string bug;
  std::uint64_t enough = 10;
  bool brief = false;
};

struct totals {
  std::mutex mutex; // protects all below
  std::condition_variable changed;
  std::uint64_t runs = 0;
  std::uint64_t gets = 0;
  std::uint64_t faults = 0;
  std::uint64_t steps = 0;
  std::vector<std::uint64_t> failed;
  bool finished = false;
};

/// The numbers that begin the lines of a file; what follows "#" is a comment.
std::vector<std::uint64_t> seeds_of(const std::string& file) {
  std::vector<std::uint64_t> result;
  std::ifstream in{file};
  if (!in)
    throw std::runtime_error{"cannot read " + file};
  for (std::string line; std::getline(in, line);) {
    std::istringstream words{line};
    std::uint64_t seed = 0;
    if (words >> seed)
      result.push_back(seed);
  }
  return result;
}

report run_seed(std::uint64_t seed, const settings& s) {
  auto p = draw(seed, s.form);
  auto result = carry_out(p);
  if (seed % runs_twice == 0 && carry_out(p).hash != result.hash)
    result.violations.push_back("the same seed was another run");
  return result;
}

void explain(std::uint64_t seed, const report& x, const settings& s) {
  std::cout << "\nseed " << seed << " fails: " << describe(draw(seed, s.form))
            << '\n';
  for (auto& each : x.violations)
    std::cout << "  " << each << '\n';
  if (!s.brief && !carry_out(draw(seed, s.form)).ok()) {
    auto small = shrink(draw(seed, s.form), shrink_runs);
    std::size_t gets = 0;
    std::cout << "  what it takes:\n";
    for (auto& e : small.events) {
      if (!is_load(e) || ++gets <= 10)
        std::cout << "    " << to_string(e) << '\n';
    }
    if (gets > 10)
      std::cout << "    and " << gets - 10 << " more gets\n";
  }
  std::cout << "  to replay: ./dev sim --replay " << seed;
  if (s.form.nodes != shape{}.nodes)
    std::cout << " --nodes " << s.form.nodes;
  if (s.form.gets != shape{}.gets)
    std::cout << " --gets " << s.form.gets;
  std::cout << std::endl;
}

/// On a terminal in place, elsewhere a line now and then.
void show_progress(totals& all, std::uint64_t of) {
  auto terminal = isatty(STDERR_FILENO) == 1;
  auto began = std::chrono::steady_clock::now();
  std::unique_lock guard{all.mutex};
  while (!all.changed.wait_for(guard, std::chrono::seconds{terminal ? 1 : 30},
                               [&] { return all.finished; })) {
    std::chrono::duration<double> spent = std::chrono::steady_clock::now()
                                          - began;
    std::cerr << (terminal ? "\r" : "") << all.runs << " of " << of
              << " seeds, "
              << static_cast<std::uint64_t>(static_cast<double>(all.runs)
                                            / spent.count())
              << " a second, " << all.failed.size() << " failed"
              << (terminal ? " " : "\n") << std::flush;
  }
}

int replay(std::uint64_t seed, const settings& s) {
  auto p = draw(seed, s.form);
  if (!carry_out(p).ok())
    p = shrink(std::move(p), shrink_runs);
  std::cout << "seed " << seed << ": " << describe(p) << '\n';
  auto x = carry_out(p, true);
  for (auto& line : x.log)
    std::cout << line << '\n';
  if (carry_out(p, true).hash != x.hash)
    x.violations.push_back("the same seed was another run");
  for (auto& each : x.violations)
    std::cout << "violated: " << each << '\n';
  return x.ok() ? 0 : 1;
}

#ifdef GALAXYCACHE_PLANTED_BUGS

struct bug_row {
  bug which;
  const char* name;
  const char* text;
};

constexpr bug_row bugs[] = {
#  define GALAXYCACHE_X(name, text) {bug::name, #  name, text},
  GALAXYCACHE_BUGS(GALAXYCACHE_X)
#  undef GALAXYCACHE_X
};

/// How many of the seeds find a bug.
bool hunt(const bug_row& row, const settings& s) {
  planted_bug = row.which;
  std::atomic<std::uint64_t> next{s.first};
  std::atomic<std::uint64_t> runs{0};
  std::mutex mutex; // protects all below
  std::uint64_t found = 0;
  std::uint64_t first = 0;
  std::string words;
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < s.threads; ++i)
    workers.emplace_back([&] {
      for (auto seed = next++; seed < s.first + s.seeds; seed = next++) {
        auto x = run_seed(seed, s);
        ++runs;
        if (x.ok())
          continue;
        std::lock_guard guard{mutex};
        if (++found >= s.enough)
          next = s.first + s.seeds;
        if (first == 0 || seed < first) {
          first = seed;
          words = x.violations.front();
        }
      }
    });
  for (auto& each : workers)
    each.join();
  planted_bug = bug::none;
  std::cout << std::left << std::setw(24) << row.name << " found by " << found
            << " of " << runs << " seeds";
  if (found > 0)
    std::cout << ", first by " << first << ": " << words;
  std::cout << std::endl;
  return found > 0;
}

int hunt_all(const settings& s) {
  auto known = false;
  auto all_found = true;
  for (auto& row : bugs)
    if (s.bug == "all" || s.bug == row.name) {
      known = true;
      all_found = hunt(row, s) && all_found;
    }
  if (!known)
    throw std::runtime_error{"there is no bug '" + s.bug + "'"};
  return all_found ? 0 : 1;
}

#endif

int run_all(const settings& s) {
  std::vector<std::uint64_t> seeds;
  if (!s.file.empty())
    seeds = seeds_of(s.file);
  for (std::uint64_t i = 0; i < s.seeds; ++i)
    seeds.push_back(s.first + i);
  totals all;
  std::atomic<std::size_t> next{0};
  auto began = std::chrono::steady_clock::now();
  std::thread progress{[&] { show_progress(all, seeds.size()); }};
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < s.threads; ++i)
    workers.emplace_back([&] {
      for (;;) {
        auto at = next++;
        if (at >= seeds.size())
          return;
        auto x = run_seed(seeds[at], s);
        std::lock_guard guard{all.mutex};
        ++all.runs;
        all.gets += x.gets;
        all.faults += x.faults;
        all.steps += x.steps;
        if (x.ok())
          continue;
        all.failed.push_back(seeds[at]);
        std::cerr << '\n';
        explain(seeds[at], x, s);
        if (!s.keep_going && all.failed.size() >= failures_max)
          next = seeds.size();
      }
    });
  for (auto& each : workers)
    each.join();
  std::chrono::duration<double> spent = std::chrono::steady_clock::now()
                                        - began;
  {
    std::lock_guard guard{all.mutex};
    all.finished = true;
  }
  all.changed.notify_all();
  progress.join();
  if (isatty(STDERR_FILENO) == 1)
    std::cerr << '\r';
  std::cout << all.runs << " seeds, " << std::fixed << std::setprecision(1)
            << static_cast<double>(all.runs) / spent.count()
            << " runs a second, " << all.gets << " gets checked, " << all.faults
            << " faults injected, " << all.steps << " steps, "
            << all.failed.size() << " failed" << std::endl;
  return all.failed.empty() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app{"Simulates clusters in which everything fails."};
  app.add_option("--seeds", s.seeds, "How many seeds to run")
    ->capture_default_str();
  app.add_option("--first", s.first, "The first of them")
    ->capture_default_str();
  app.add_option("--nodes", s.form.nodes, "Nodes of each; 0: 3 to 7")
    ->check(CLI::Range(2, 7))
    ->capture_default_str();
  app.add_option("--gets", s.form.gets, "Gets of each; of many keys some")
    ->capture_default_str();
  app.add_option("--replay", s.replay,
                 "Run this seed alone, with all that happens in it");
  app.add_option("--file", s.file, "Run the seeds in this file first");
  app.add_option("--threads", s.threads, "Runs at once")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_flag("--keep-going", s.keep_going, "Do not end after ten failures");
  app.add_flag("--brief", s.brief, "Do not look for what a failure takes");
#ifdef GALAXYCACHE_PLANTED_BUGS
  app.add_option(
    "--bug", s.bug,
    "Plant this bug, or one after the other \"all\" of them, and say "
    "how many seeds find it");
  app
    .add_option("--enough", s.enough, "Go on once so many seeds have found it")
    ->capture_default_str();
#endif
  CLI11_PARSE(app, argc, argv);
  try {
#ifdef GALAXYCACHE_PLANTED_BUGS
    if (!s.bug.empty())
      return hunt_all(s);
#endif
    return s.replay ? replay(*s.replay, s) : run_all(s);
  } catch (const std::exception& wrong) {
    std::cerr << "sim: " << wrong.what() << '\n';
    return 2;
  }
}
