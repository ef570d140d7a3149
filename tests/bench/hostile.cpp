// What strangers at a port with TLS cost the node there and its callers: two
// processes of a ring, and threads that come to the port of one of them in
// every way that is not allowed. One JSON object a line for each phase:
//
// quiet   gets from the other process, and nobody else comes
// attack  gets while strangers come, one connection after the other
// idle    connections that say nothing or half of what they should, and no gets

#include "fixtures/certificates.hpp"
#include "fixtures/process.hpp"
#include "fixtures/tls_stranger.hpp"
#include "measure.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/messages/init.hpp"
#include "galaxycache/runtime/caf/startup.hpp"
#include "galaxycache/runtime/caf/tls_options.hpp"
#include "galaxycache/runtime/uri.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::bench;
using namespace galaxycache::fixtures;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

// What the other process is started with.
constexpr auto owner_verb = "owner";

struct settings {
  std::size_t connections = 20'000;
  std::size_t threads = 2;
  std::size_t idle = 200;
  double seconds = 2;
};

struct caf_settings : config {
  explicit caf_settings(const tls_files& files) {
    set_tls_files(*this, files);
  }
};

universe_options options_of(const std::string& id) {
  universe_options result;
  result.self = id;
  result.listen = "cafs://127.0.0.1:0";
  result.verbosity = log_level::off;
  return result;
}

/// Serves until its standard input ends; `cpu` asks what it has used.
int serve(const tls_files& files) {
  caf_settings cfg{files};
  caf::actor_system system{cfg};
  universe home{system, options_of("owner")};
  home.add_galaxy("bench", 1 << 20, backend::in_place([](std::string_view) {
                    return loaded{value::take(std::string(100, 'x'))};
                  }));
  std::cout << home.uri() << std::endl;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << cpu_ns() << std::endl;
  return 0;
}

/// Gets one value after the other until it is destroyed.
class caller {
public:
  caller(caf::actor_system& system, galaxy g)
    : thread_([this, &system, g = std::move(g)](const std::stop_token& stop) {
        run(system, g, stop);
      }) {
    // nop
  }

  /// Ends it, and says how it went.
  nlohmann::ordered_json result() {
    thread_.request_stop();
    thread_.join();
    auto percentile = [&](double share) {
      if (microseconds_.empty())
        return 0.0f;
      auto i = microseconds_.begin()
               + static_cast<std::ptrdiff_t>(
                 share * static_cast<double>(microseconds_.size() - 1));
      std::ranges::nth_element(microseconds_, i);
      return *i;
    };
    return {{"gets", microseconds_.size()},
            {"failed_gets", failed_},
            {"p50_us", percentile(0.5)},
            {"p99_us", percentile(0.99)}};
  }

private:
  void run(caf::actor_system& system, galaxy g, const std::stop_token& stop) {
    static std::atomic<std::uint64_t> next{0};
    caf::scoped_actor self{system};
    while (!stop.stop_requested()) {
      auto start = steady_clock::now();
      g.get(self, "key" + std::to_string(++next))
        .receive([](const answer&) {}, [&](const caf::error&) { ++failed_; });
      std::chrono::duration<float, std::micro> took = steady_clock::now()
                                                      - start;
      microseconds_.push_back(took.count());
    }
  }

  std::vector<float> microseconds_;
  std::size_t failed_ = 0;
  std::jthread thread_;
};

std::size_t resident_kib(pid_t process) {
  std::ifstream in{"/proc/" + std::to_string(process) + "/statm"};
  std::size_t all = 0;
  std::size_t resident = 0;
  in >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

/// Strangers of all kinds come, and some stay as long as they may; returns how
/// many were let in.
std::size_t attack(const settings& s, const tls_strangers& strangers,
                   std::uint16_t port) {
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> let_in{0};
  std::vector<std::jthread> crowd;
  for (std::size_t n = 0; n < s.threads; ++n)
    crowd.emplace_back([&] {
      std::vector<tcp_socket> staying(200);
      for (std::size_t i = 0; (i = next++) < s.connections;) {
        auto how = static_cast<manner>(i % manners);
        if (how == manner::says_nothing || how == manner::sends_half_a_hello
            || how == manner::sends_hello_and_waits)
          staying[i / manners % staying.size()] = strangers.stay(how, port);
        else
          let_in += strangers.visit(how, port);
      }
    });
  crowd.clear();
  return let_in;
}

void print(const nlohmann::ordered_json& x) {
  std::cout << x << std::endl;
}

void measure(const settings& s) {
  certificate_folder folder;
  tls_strangers strangers{folder};
  auto its = folder.issue("ring", "owner");
  process owner{"owner", owner_verb, {its.certificate, its.key, its.cafile}};
  auto uri = owner.hear();
  std::string why;
  auto port = parse_uri(uri, why).value().port;
  caf_settings cfg{folder.issue("ring", "caller")};
  caf::actor_system system{cfg};
  universe home{system, options_of("caller")};
  galaxy_options options;
  options.promote = make_never_promoter();
  auto g = home.add_galaxy(
    "bench", 1 << 20, backend::in_place([](std::string_view) {
      return load_result{failure{errc::backend_failed, "the wrong way"}};
    }),
    options);
  home.set_peers({{.id = "owner", .uri = uri}});
  auto is_up = [&] { return home.peers().front().state == peer_state::up; };
  for (auto until = steady_clock::now() + 10s; !is_up();)
    if (steady_clock::now() > until)
      throw std::runtime_error{"the owner is not up"};
    else
      std::this_thread::sleep_for(10ms);
  auto owner_cpu = [&] { return std::stod(owner.ask("cpu")); };
  auto begin = [&](const char* phase) {
    return nlohmann::ordered_json{{"bench", "hostile"}, {"phase", phase}};
  };
  auto end = [&](nlohmann::ordered_json result, const stopwatch& watch,
                 double cpu_before) {
    auto wall = watch.wall_ns();
    result["seconds"] = wall / 1e9;
    result["owner_cpu_share"] = (owner_cpu() - cpu_before) / wall;
    result["caf"] = caf_version();
    print(result);
  };

  {
    auto result = begin("quiet");
    auto cpu = owner_cpu();
    stopwatch watch;
    caller c{system, g};
    std::this_thread::sleep_for(std::chrono::duration<double>(s.seconds));
    result.update(c.result());
    end(result, watch, cpu);
  }
  {
    // What OpenSSL allocates once is not the attack's.
    for (std::size_t i = 0; i < manners; ++i)
      strangers.visit(static_cast<manner>(i), port);
    auto result = begin("attack");
    auto before = resident_kib(owner.pid());
    auto peak = before;
    auto cpu = owner_cpu();
    stopwatch watch;
    caller c{system, g};
    std::jthread observer{[&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        peak = std::max(peak, resident_kib(owner.pid()));
        std::this_thread::sleep_for(10ms);
      }
    }};
    auto let_in = attack(s, strangers, port);
    observer.request_stop();
    observer.join();
    auto seconds = watch.wall_ns() / 1e9;
    result["connections"] = s.connections;
    result["let_in"] = let_in;
    result["connections_per_s"] = static_cast<double>(s.connections) / seconds;
    result["grown_kib"] = peak - before;
    result.update(c.result());
    end(result, watch, cpu);
  }
  for (auto how : {manner::says_nothing, manner::sends_half_a_hello}) {
    auto result = begin("idle");
    std::vector<tcp_socket> staying;
    for (std::size_t i = 0; i < s.idle; ++i)
      staying.push_back(strangers.stay(how, port));
    std::this_thread::sleep_for(100ms);
    auto cpu = owner_cpu();
    stopwatch watch;
    std::this_thread::sleep_for(std::chrono::duration<double>(s.seconds));
    result["how"] = to_string(how);
    result["connections"] = s.idle;
    end(result, watch, cpu);
  }
}

int run(int argc, char** argv) {
  settings s;
  CLI::App app{"What strangers at a port with TLS cost."};
  app
    .add_option("--connections", s.connections,
                "How many connections the strangers make")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--threads", s.threads, "How many strangers come at once")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--idle", s.idle, "Connections that say nothing")
    ->capture_default_str();
  app.add_option("--seconds", s.seconds, "How long the other phases last")
    ->check(CLI::Range(0.01, 2.5))
    ->capture_default_str();
  if (is_brief()) {
    s.connections = 500;
    s.seconds = 0.1;
  }
  CLI11_PARSE(app, argc, argv);
  measure(s);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  galaxycache::init();
  try {
    if (argc > 1 && std::string_view{argv[1]} == owner_verb) {
      if (argc != 6 || !fixtures::belongs_to(argv[2]))
        return 2;
      tls_files files;
      files.certificate = argv[3];
      files.key = argv[4];
      files.cafile = argv[5];
      return serve(files);
    }
    return run(argc, argv);
  } catch (const std::exception& why) {
    std::cerr << "hostile: " << why.what() << std::endl;
    return 1;
  }
}
