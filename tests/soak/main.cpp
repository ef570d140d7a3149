// Runs a ring of processes over TCP for a long time, kills, freezes and cuts
// them off, and looks whether what must hold holds. See ./dev soak --help.

#include "fixtures/forwarder.hpp"
#include "fixtures/process.hpp"
#include "fixtures/waiting.hpp"
#include "member.hpp"
#include "workload.hpp"

#include "galaxycache/messages/init.hpp"
#include "galaxycache/runtime/random.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::soak;
using namespace std::chrono_literals;
using fixtures::forwarder;
using fixtures::process;
using std::chrono::steady_clock;

namespace {

// The first nodes are never killed: their memory is watched.
constexpr std::size_t never_killed = 2;

// Memory is watched from then on: by then every cache is full. It comes and
// goes with what is being loaded, so it is looked at often, and what it mostly
// was early is compared with what it mostly was later.
constexpr auto warm_up = 10min;
constexpr std::size_t looks_min = 20;

struct settings {
  double minutes = 1;
  std::size_t nodes = 4;
  std::uint64_t seed = 1;
  double gets = 200;        // a second at each node
  double pause_seconds = 5; // between faults, on average
};

std::size_t median(std::span<std::size_t> all) {
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::ranges::nth_element(all, middle);
  return *middle;
}

std::string in_mib(std::size_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

class ring {
public:
  explicit ring(const settings& s) : settings_(s), random_(s.seed) {
    links_.resize(s.nodes);
    for (auto& row : links_)
      for (std::size_t i = 0; i < s.nodes; ++i)
        row.push_back(net_.open());
    nodes_.resize(s.nodes);
    for (std::size_t i = 0; i < s.nodes; ++i)
      start(i);
    for (std::size_t i = 0; i < s.nodes; ++i)
      tell_members(i);
  }

  int run() {
    began_ = steady_clock::now();
    auto until = began_
                 + std::chrono::duration_cast<steady_clock::duration>(
                   settings_.minutes * 1min);
    auto next_report = began_ + 1min;
    while (steady_clock::now() < until) {
      std::this_thread::sleep_for(1ms
                                  * random_.below(static_cast<std::uint64_t>(
                                    2000 * settings_.pause_seconds)));
      change_something();
      if (steady_clock::now() >= next_report) {
        next_report += 1min;
        look();
        report();
      }
    }
    return finish();
  }

private:
  struct member {
    std::unique_ptr<process> program;
    std::uint16_t port = 0;
    bool left_out = false; // of the others' rings
    steady_clock::time_point since;
    std::size_t bytes = 0; // allocated and not freed, when last looked at
    std::vector<std::size_t> looks; // the same since it was warm
    tally last;
  };

  static std::string name_of(std::size_t i) {
    return "node" + std::to_string(i);
  }

  void start(std::size_t i) {
    auto& n = nodes_[i];
    n = {};
    n.program = std::make_unique<process>(
      name_of(i), "--node",
      std::vector<std::string>{name_of(i), std::to_string(random_.next()),
                               std::to_string(settings_.gets)});
    auto uri = n.program->hear();
    n.port
      = static_cast<std::uint16_t>(std::stoul(uri.substr(uri.rfind(':') + 1)));
    n.since = steady_clock::now();
    for (auto& row : links_)
      net_.aim(row[i], n.port);
  }

  void tell_members(std::size_t i) {
    std::string line = "ring";
    for (std::size_t k = 0; k < nodes_.size(); ++k)
      if (k == i || !nodes_[k].left_out)
        line += " " + name_of(k) + " caf://127.0.0.1:"
                + std::to_string(net_.port_of(links_[i][k]));
    nodes_[i].program->ask(line);
  }

  bool is_well(std::size_t i) const {
    return nodes_[i].program && !nodes_[i].program->is_frozen();
  }

  void tell_all_members() {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (is_well(i))
        tell_members(i);
  }

  void link(std::size_t a, std::size_t b,
            void (forwarder::*what)(std::size_t)) {
    (net_.*what)(links_[a][b]);
    (net_.*what)(links_[b][a]);
  }

  void change_something() {
    auto a = random_.below(nodes_.size());
    auto b = random_.below(nodes_.size());
    ++changes_;
    switch (random_.below(10)) {
      case 0:
      case 1:
        link(a, b, &forwarder::cut);
        break;
      case 2:
        link(a, b, &forwarder::hold);
        break;
      case 3:
        // A connection breaks and comes again.
        link(a, b, &forwarder::cut);
        link(a, b, &forwarder::mend);
        break;
      case 4:
        if (is_well(a))
          nodes_[a].program->freeze();
        break;
      case 5:
        if (a >= never_killed && is_well(a)) {
          add(a);
          nodes_[a].program->kill();
          nodes_[a].program = nullptr;
          ++kills_;
        }
        break;
      case 6:
        if (is_well(a) && nodes_.size() > 2) {
          nodes_[a].left_out = !nodes_[a].left_out;
          tell_all_members();
        }
        break;
      default:
        mend();
    }
  }

  /// Most of the time most things work.
  void mend() {
    for (std::size_t a = 0; a < nodes_.size(); ++a)
      for (std::size_t b = 0; b < nodes_.size(); ++b)
        net_.mend(links_[a][b]);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].program)
        start(i);
      else if (nodes_[i].program->is_frozen())
        nodes_[i].program->thaw();
      nodes_[i].left_out = false;
    }
    tell_all_members();
  }

  /// Adds a node's gets, which end with its process.
  void add(std::size_t i) {
    nodes_[i].last = tally_from(nodes_[i].program->ask("tally"));
    ended_ += std::exchange(nodes_[i].last, {});
  }

  void look() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!is_well(i))
        continue;
      auto& n = nodes_[i];
      n.last = tally_from(n.program->ask("tally"));
      n.bytes = std::stoul(n.program->ask("memory"));
      if (steady_clock::now() - n.since >= warm_up)
        n.looks.push_back(n.bytes);
    }
  }

  tally sum() const {
    auto result = ended_;
    for (auto& n : nodes_)
      result += n.last;
    return result;
  }

  void report() const {
    auto x = sum();
    std::cerr << std::fixed << std::setprecision(1)
              << std::chrono::duration<double, std::ratio<60>>(
                   steady_clock::now() - began_)
                   .count()
              << " min: " << x.gets << " gets, " << changes_ << " changes, "
              << kills_ << " kills, " << x.violations << " violations; in use:";
    for (auto& n : nodes_)
      if (n.program)
        std::cerr << ' ' << in_mib(n.bytes);
    std::cerr << std::endl;
  }

  /// All faults end; then the ring must be well, and end in order.
  int finish() {
    mend();
    std::vector<std::string> wrong;
    for (auto& n : nodes_)
      n.program->ask("calm");
    auto all_up = [&] {
      return std::ranges::all_of(nodes_, [&](auto& n) {
        return n.program->ask("up") == std::to_string(nodes_.size());
      });
    };
    auto patience = steady_clock::now() + fixtures::patience;
    while (!all_up() && steady_clock::now() < patience)
      std::this_thread::sleep_for(100ms);
    if (!all_up())
      wrong.push_back("not all nodes reach all others though all is well");
    look();
    auto before = sum();
    std::this_thread::sleep_for(10s);
    for (auto& n : nodes_)
      n.program->ask("finish");
    look();
    auto all = sum();
    report();
    if (all.deadline_exceeded > before.deadline_exceeded)
      wrong.push_back(
        std::to_string(all.deadline_exceeded - before.deadline_exceeded)
        + " gets time out though all is well");
    if (all.violations > 0)
      wrong.push_back(all.first_violation);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      auto& n = nodes_[i];
      if (n.looks.size() >= looks_min) {
        const std::span looks{n.looks};
        const auto half = looks.size() / 2;
        const auto early = median(looks.first(half));
        const auto late = median(looks.subspan(half));
        std::cout << name_of(i) << ": " << in_mib(early)
                  << " in use in the first half, " << in_mib(late)
                  << " in the second\n";
        if (late > early + early / 4)
          wrong.push_back(name_of(i) + " has grown");
      }
      if (auto status = n.program->leave(); status != 0)
        wrong.push_back(name_of(i) + " ended with status "
                        + std::to_string(status));
    }
    for (auto& each : wrong)
      std::cout << "violated: " << each << '\n';
    std::cout << settings_.minutes << " minutes, " << all.gets
              << " gets: " << all.hits << " hits, " << all.from_peers
              << " from peers, " << all.absent << " not found, "
              << all.backend_failed << " failed by the backend, "
              << all.deadline_exceeded << " timed out, " << all.overloaded
              << " refused; latest " << all.latest_ms
              << " ms after its deadline; " << changes_
              << " faults and repairs, " << kills_ << " kills; " << wrong.size()
              << " failures" << std::endl;
    return wrong.empty() ? 0 : 1;
  }

  const settings settings_;
  random_source random_;
  forwarder net_;
  std::vector<std::vector<forwarder::link>> links_; // from, to
  std::vector<member> nodes_;
  tally ended_;
  std::uint64_t changes_ = 0;
  std::uint64_t kills_ = 0;
  steady_clock::time_point began_;
};

int run_node(int argc, char** argv) {
  if (argc < 3 || !fixtures::belongs_to(argv[2]))
    return 1;
  try {
    return serve({argv + 3, argv + argc});
  } catch (const std::exception& why) {
    std::cerr << "node: " << why.what() << std::endl;
    return 1;
  }
}

} // namespace

int main(int argc, char** argv) {
  galaxycache::init();
  if (argc > 1 && std::string_view{argv[1]} == "--node")
    return run_node(argc, argv);
  settings s;
  CLI::App app{"Runs a ring of processes over TCP while its nodes are killed, "
               "frozen and cut off."};
  app.add_option("--minutes", s.minutes, "How long")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--nodes", s.nodes, "How many processes")
    ->check(CLI::Range(2, 32))
    ->capture_default_str();
  app.add_option("--seed", s.seed, "Of faults and keys")->capture_default_str();
  app.add_option("--gets", s.gets, "A second, of each process")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--pause", s.pause_seconds,
                "Seconds between faults, on average")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return ring{s}.run();
  } catch (const std::exception& wrong) {
    std::cerr << "soak: " << wrong.what() << '\n';
    return 2;
  }
}
