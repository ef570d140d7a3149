// What callers and the backend notice when the owner of a third of the keys
// goes away under load: three processes over TCP, of which two ask. One JSON
// object a line for each way to go.
//
// kill    the process is gone
// freeze  it is stopped, and its connections stay
// cut     its connections break, and no new ones can be made
// silence its connections carry nothing any more, and nobody is told

#include "fixtures/forwarder.hpp"
#include "fixtures/process.hpp"
#include "measure.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/messages/init.hpp"

#include <caf/event_based_actor.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <latch>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::bench;
using namespace std::chrono_literals;
using fixtures::forwarder;
using fixtures::process;
using nlohmann::ordered_json;
using std::chrono::steady_clock;

namespace {

// What the other processes are started with.
constexpr auto member_verb = "member";

constexpr std::size_t members = 3;
constexpr std::size_t victim = 2;

// An answer that comes this long after its deadline is late.
constexpr auto lateness = 20ms;

struct settings {
  std::vector<std::string> faults{"kill", "freeze", "cut", "silence"};
  std::size_t keys = 3000;
  std::size_t outstanding = 64;
  std::size_t timeout_ms = 5000;
  double seconds = 8;
};

std::string name_of(std::size_t i) {
  return "node" + std::to_string(i);
}

std::string key_of(std::size_t i) {
  return "key:" + std::to_string(i);
}

// -- a member -----------------------------------------------------------------

/// The keys that the backend was asked for since the fault. Thread-safe.
class load_book {
public:
  void begin() {
    std::lock_guard guard{mutex_};
    open_ = true;
  }

  void write(std::string_view key) {
    std::lock_guard guard{mutex_};
    if (open_)
      ++loads_[std::string{key}];
  }

  std::map<std::string, std::size_t> all() const {
    std::lock_guard guard{mutex_};
    return loads_;
  }

private:
  mutable std::mutex mutex_;
  bool open_ = false;
  std::map<std::string, std::size_t> loads_;
};

/// What the asking actor does, and what came of it. Only `stop` and `marked`
/// are for other threads, until `done`.
struct asking {
  asking(galaxy g, const ordered_json& order)
    : g(std::move(g)),
      keys(order.at("keys")),
      outstanding(order.at("outstanding")),
      timeout(std::chrono::milliseconds{order.at("timeout_ms")}),
      at(order.at("first")) {
    // nop
  }

  galaxy g;
  std::size_t keys;
  std::size_t outstanding;
  std::chrono::nanoseconds timeout;
  std::size_t at;
  std::size_t under_way = 0;
  std::atomic<bool> stop{false};
  std::atomic<bool> marked{false};
  std::latch done{1};
  // Since the mark.
  std::size_t gets = 0;
  std::size_t failed = 0;
  std::size_t late = 0;
  std::map<std::string, std::size_t> errors;
  std::vector<float> milliseconds;
  steady_clock::time_point last_answer = steady_clock::now();
  steady_clock::duration longest_gap{0};

  void took(steady_clock::time_point since, const std::string& error) {
    auto now = steady_clock::now();
    if (marked) {
      ++gets;
      longest_gap = std::max(longest_gap, now - last_answer);
      milliseconds.push_back(
        std::chrono::duration<float, std::milli>{now - since}.count());
      if (now - since > timeout + lateness)
        ++late;
      if (!error.empty()) {
        ++failed;
        ++errors[error];
      }
    }
    last_answer = now;
  }
};

using asking_pointer = std::shared_ptr<asking>;

void ask(caf::event_based_actor* self, const asking_pointer& x) {
  ++x->under_way;
  auto start = steady_clock::now();
  // All keys in turn: each is asked for again and again.
  auto key = key_of(x->at++ % x->keys);
  auto go_on = [=](const std::string& error) {
    x->took(start, error);
    --x->under_way;
    if (!x->stop)
      return ask(self, x);
    if (x->under_way == 0) {
      x->done.count_down();
      self->quit();
    }
  };
  x->g.get(self, key, {.timeout = x->timeout})
    .then(
      [=](const answer& a) { go_on(a.bytes() == key ? "" : "another value"); },
      [=](const caf::error& why) { go_on(describe(why)); });
}

bool all_up(const universe& home) {
  return std::ranges::all_of(home.peers(), [](auto& x) {
    return x.state == peer_state::up || x.state == peer_state::self;
  });
}

/// Does what it reads on its standard input until that ends, and answers each
/// order with a line.
int be_member(const std::string& id) {
  config cfg;
  caf::actor_system system{cfg};
  auto book = std::make_shared<load_book>();
  universe_options options;
  options.self = id;
  options.listen = "caf://127.0.0.1:0";
  options.verbosity = log_level::error;
  universe home{system, options};
  galaxy_options each;
  each.promote = make_never_promoter();
  auto g = home.add_galaxy("bench", std::size_t{64} << 20,
                           backend::in_place([book](std::string_view key) {
                             book->write(key);
                             return loaded{value::copy(key)};
                           }),
                           each);
  std::cout << home.uri() << std::endl;
  asking_pointer x;
  for (std::string line; std::getline(std::cin, line);) {
    auto order = ordered_json::parse(line);
    auto what = order.at("do").get<std::string>();
    ordered_json result = ordered_json::object();
    if (what == "join") {
      std::vector<peer_info> peers;
      for (auto& [name, uri] : order.at("peers").items())
        peers.push_back({.id = name, .uri = uri});
      home.set_peers(std::move(peers));
    } else if (what == "state") {
      result["up"] = all_up(home);
    } else if (what == "ask") {
      x = std::make_shared<asking>(g, order);
      system.spawn([x](caf::event_based_actor* self) {
        for (std::size_t i = 0; i < x->outstanding; ++i)
          ask(self, x);
      });
    } else if (what == "mark") {
      book->begin();
      x->marked = true;
    } else if (what == "stop") {
      x->stop = true;
      x->done.wait();
      result
        = {{"gets", x->gets},
           {"failed", x->failed},
           {"late", x->late},
           {"errors", x->errors},
           {"longest_gap_ms",
            std::chrono::duration<double, std::milli>{x->longest_gap}.count()},
           {"p50_ms", percentile(x->milliseconds, 0.5)},
           {"p99_ms", percentile(x->milliseconds, 0.99)},
           {"max_ms", percentile(x->milliseconds, 1)},
           {"loads", book->all()}};
    }
    std::cout << result.dump() << std::endl;
  }
  return 0;
}

// -- the ring -----------------------------------------------------------------

class ring {
public:
  explicit ring(const settings& s) : settings_(s) {
    for (std::size_t i = 0; i < members; ++i)
      nodes_.push_back(std::make_unique<process>(
        name_of(i), member_verb, std::vector<std::string>{name_of(i)}));
    std::vector<std::string> uris;
    for (auto& n : nodes_)
      uris.push_back(n->hear());
    // Everything between the victim and the others goes by way of links that
    // can break.
    for (std::size_t i = 0; i < members; ++i) {
      ordered_json peers;
      for (std::size_t k = 0; k < members; ++k)
        peers[name_of(k)]
          = i != k && (i == victim || k == victim) ? by_link(uris[k]) : uris[k];
      tell(i, {{"do", "join"}, {"peers", peers}});
    }
    for (std::size_t i = 0; i < members; ++i)
      await_up(i);
  }

  ordered_json measure(const std::string& fault) {
    for (auto i : askers())
      tell(i, {{"do", "ask"},
               {"keys", settings_.keys},
               {"outstanding", settings_.outstanding},
               {"timeout_ms", settings_.timeout_ms},
               {"first", i * settings_.keys / members}});
    std::this_thread::sleep_for(1s); // everything is loaded by then
    for (auto i : askers())
      tell(i, {{"do", "mark"}});
    if (fault == "kill")
      nodes_[victim]->kill();
    else if (fault == "freeze")
      nodes_[victim]->freeze();
    else
      for (auto link : links_)
        fault == "cut" ? net_.cut(link) : net_.hold(link);
    std::this_thread::sleep_for(
      std::chrono::duration<double>(settings_.seconds));
    ordered_json result{{"bench", "peer_failure"},
                        {"fault", fault},
                        {"keys", settings_.keys},
                        {"outstanding", settings_.outstanding},
                        {"timeout_ms", settings_.timeout_ms},
                        {"seconds", settings_.seconds}};
    std::map<std::string, std::size_t> loads;
    std::map<std::string, std::size_t> errors;
    double gap = 0;
    double p50 = 0;
    double p99 = 0;
    double slowest = 0;
    std::size_t gets = 0;
    std::size_t failed = 0;
    std::size_t late = 0;
    for (auto i : askers()) {
      auto x = tell(i, {{"do", "stop"}});
      gets += x.at("gets").get<std::size_t>();
      failed += x.at("failed").get<std::size_t>();
      late += x.at("late").get<std::size_t>();
      gap = std::max(gap, x.at("longest_gap_ms").get<double>());
      p50 = std::max(p50, x.at("p50_ms").get<double>());
      p99 = std::max(p99, x.at("p99_ms").get<double>());
      slowest = std::max(slowest, x.at("max_ms").get<double>());
      for (auto& [key, n] : x.at("loads").items())
        loads[key] += n.get<std::size_t>();
      for (auto& [text, n] : x.at("errors").items())
        errors[text] += n.get<std::size_t>();
    }
    std::size_t all_loads = 0;
    for (auto& [key, n] : loads)
      all_loads += n;
    result["gets"] = gets;
    result["failed"] = failed;
    result["late"] = late;
    result["longest_gap_ms"] = gap;
    result["p50_ms"] = p50;
    result["p99_ms"] = p99;
    result["max_ms"] = slowest;
    result["keys_loaded"] = loads.size();
    result["loads_per_key"] = loads.empty()
                                ? 0.0
                                : static_cast<double>(all_loads)
                                    / static_cast<double>(loads.size());
    if (!errors.empty())
      result["errors"] = errors;
    result["caf"] = caf_version();
    return result;
  }

private:
  static std::vector<std::size_t> askers() {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < members; ++i)
      if (i != victim)
        result.push_back(i);
    return result;
  }

  std::string by_link(const std::string& uri) {
    auto colon = uri.rfind(':');
    auto link = net_.open();
    net_.aim(link,
             static_cast<std::uint16_t>(std::stoul(uri.substr(colon + 1))));
    links_.push_back(link);
    return uri.substr(0, colon + 1) + std::to_string(net_.port_of(link));
  }

  ordered_json tell(std::size_t i, const ordered_json& order) {
    return ordered_json::parse(nodes_[i]->ask(order.dump()));
  }

  void await_up(std::size_t i) {
    for (auto until = steady_clock::now() + 10s; steady_clock::now() < until;) {
      if (tell(i, {{"do", "state"}}).at("up").get<bool>())
        return;
      std::this_thread::sleep_for(10ms);
    }
    throw std::runtime_error{"not all peers of " + name_of(i) + " are up"};
  }

  settings settings_;
  forwarder net_;
  std::vector<forwarder::link> links_;
  std::vector<std::unique_ptr<process>> nodes_;
};

int run(int argc, char** argv) {
  settings s;
  CLI::App app{"What callers and the backend notice when an owner goes away."};
  app.add_option("--fault", s.faults, "How it goes")
    ->check(CLI::IsMember({"kill", "freeze", "cut", "silence"}))
    ->capture_default_str();
  app.add_option("--keys", s.keys, "Different keys")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--outstanding", s.outstanding,
                "Gets under way at each of the two that ask")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--timeout", s.timeout_ms, "Milliseconds a get may take")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--seconds", s.seconds,
                "How long to go on; less than ten, for which a stand-in keeps "
                "values")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  if (is_brief()) {
    s.keys = 300;
    s.seconds = 0.2;
    s.faults = {"kill"};
  }
  CLI11_PARSE(app, argc, argv);
  for (auto& fault : s.faults)
    std::cout << ring{s}.measure(fault) << std::endl;
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  galaxycache::init();
  try {
    if (argc > 1 && std::string_view{argv[1]} == member_verb) {
      if (argc != 4 || !fixtures::belongs_to(argv[2]))
        return 2;
      return be_member(argv[3]);
    }
    return run(argc, argv);
  } catch (const std::exception& why) {
    std::cerr << "peer_failure: " << why.what() << std::endl;
    return 1;
  }
}
