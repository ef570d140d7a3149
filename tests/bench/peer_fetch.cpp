// What a get costs that a peer answers from its memory: processes over TCP on
// one machine, one that asks and one or more that own the keys, and every get
// crosses. One JSON object a line for each mode.
//
// get        galaxy::get, or get_many with --batch
// caf_floor  a request to an actor of the other process that has the answer;
//            without TLS, even with --tls

#include "fixtures/certificates.hpp"
#include "fixtures/process.hpp"
#include "measure.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/messages/init.hpp"
#include "galaxycache/runtime/caf/startup.hpp"
#include "galaxycache/runtime/caf/tls_options.hpp"
#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/placement.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/io/all.hpp>
#include <caf/scoped_actor.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iostream>
#include <latch>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::bench;
using namespace std::chrono_literals;
using fixtures::process;
using std::chrono::steady_clock;

namespace {

// What the other process is started with.
constexpr auto owner_verb = "owner";

/// The sizes of values, and of how many of a million keys each is.
struct size_mix {
  struct part {
    std::size_t bytes;
    std::uint64_t per_million;
  };

  std::vector<part> parts;

  /// As in "100b:0.99,64k:0.009,1m:0.001". Throws what CLI11 understands.
  static size_mix parse(const std::string& text) {
    size_mix result;
    std::istringstream all{text};
    std::uint64_t total = 0;
    for (std::string each; std::getline(all, each, ',');) {
      std::size_t size = 0;
      double share = 0;
      char unit = 0;
      char colon = 0;
      std::istringstream words{each};
      const std::string units = "bkm";
      if (!(words >> size >> unit >> colon >> share) || colon != ':'
          || units.find(unit) == std::string::npos || share <= 0 || share > 1
          || !words.eof())
        throw CLI::ValidationError{"--mix", "not SIZE:SHARE: " + each};
      const auto part = static_cast<std::uint64_t>(share * 1e6 + 0.5);
      result.parts.push_back({size << (10 * units.find(unit)), part});
      total += part;
    }
    if (total != 1'000'000)
      throw CLI::ValidationError{"--mix", "the shares do not add up to 1"};
    return result;
  }

  std::size_t size_of(std::string_view key) const {
    auto at = mul_high(hash64(key, 7), 1'000'000);
    for (auto& x : parts) {
      if (at < x.per_million)
        return x.bytes;
      at -= x.per_million;
    }
    return parts.back().bytes;
  }

  std::size_t smallest() const {
    return std::ranges::min(parts, {}, &part::bytes).bytes;
  }
};

struct settings {
  std::vector<std::string> modes{"get", "caf_floor"};
  std::size_t value = 100;
  std::string mix;
  std::size_t outstanding = 64;
  std::size_t keys = 10'000;
  std::size_t batch = 1;
  std::size_t nodes = 1;
  double seconds = 2;
  bool tls = false;

  std::string sizes() const {
    return mix.empty() ? std::to_string(value) + "b:1" : mix;
  }
};

struct caf_settings : config {
  explicit caf_settings(const tls_files& files) {
    set_tls_files(*this, files);
    // Each process has one core of two.
    set_caf_option(*this, "scheduler.max-threads", std::size_t{1});
  }
};

universe_options options_of(const std::string& id, const tls_files& files) {
  universe_options result;
  result.self = id;
  result.listen = files.key.empty() ? "caf://127.0.0.1:0"
                                    : "cafs://127.0.0.1:0";
  return result;
}

template <class T>
T must(caf::expected<T> x, const char* what) {
  if (!x)
    throw std::runtime_error{std::string{what} + ": " + to_string(x.error())};
  return std::move(*x);
}

// -- the owner ----------------------------------------------------------------

std::string owner_id(std::size_t i) {
  return "owner" + std::to_string(i);
}

std::string key_of(std::size_t i) {
  return "key:" + std::to_string(i);
}

/// Bytes of this process's memory, now (VmRSS) or at most (VmHWM).
std::size_t memory(const std::string& which) {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(which + ":"))
      return std::stoul(line.substr(which.size() + 1)) * 1024;
  throw std::runtime_error{"no " + which};
}

/// From here on, the most is the most from here on.
void forget_peak() {
  std::ofstream{"/proc/self/clear_refs"} << 5;
}

/// Has a member load the keys that it owns, as the caller does the ring.
void preload(caf::actor_system& system, galaxy& g, const std::string& self_id,
             std::size_t keys, std::size_t nodes) {
  std::vector<member> members;
  for (std::size_t i = 0; i < nodes; ++i)
    members.push_back({owner_id(i)});
  const placement ring{std::move(members)};
  caf::scoped_actor self{system};
  for (std::size_t i = 0; i < keys; ++i) {
    const auto key = key_of(i);
    if (ring.members()[*ring.owner(key)].id == self_id)
      g.get(self, key).receive([](const answer&) {},
                               [](const caf::error& why) {
                                 throw std::runtime_error{to_string(why)};
                               });
  }
}

/// Serves until its standard input ends. Asked for `cpu` it says what it has
/// used; for `memory`, what it holds, and for `peak`, what it has held since.
int serve(const std::string& id, const std::string& sizes, std::size_t keys,
          std::size_t nodes, const tls_files& files) {
  const auto mix = size_mix::parse(sizes);
  caf_settings cfg{files};
  caf::actor_system system{cfg};
  universe home{system, options_of(id, files)};
  auto g = home.add_galaxy("bench", std::size_t{4} << 30,
                           backend::in_place([mix](std::string_view key) {
                             return loaded{
                               value::take(std::string(mix.size_of(key), 'x'))};
                           }));
  preload(system, g, id, keys, nodes);
  auto floor = system.spawn([&mix]() -> caf::behavior {
    return {[&mix](get_atom, const std::string& key) {
      return std::string(mix.size_of(key), 'x');
    }};
  });
  auto port = must(system.middleman().publish(floor, 0, "127.0.0.1"),
                   "cannot listen");
  std::cout << home.uri() << ' ' << port << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "memory") {
      forget_peak();
      std::cout << memory("VmRSS") << std::endl;
    } else if (line == "peak") {
      std::cout << memory("VmHWM") << std::endl;
    } else {
      std::cout << cpu_ns() << std::endl;
    }
  }
  caf::anon_send_exit(floor, caf::exit_reason::user_shutdown);
  return 0;
}

// -- the caller ---------------------------------------------------------------

/// What the asking actor does, and what came of it.
struct asking {
  settings s;
  size_mix mix;
  std::vector<std::string> keys;
  std::optional<galaxy> g;
  caf::actor floor;
  std::size_t at = 0;
  std::size_t outstanding = 0;
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> answered{0}; // keys
  std::atomic<std::size_t> failed{0};
  std::string first_failure;
  std::vector<float> microseconds; // of each request
  std::vector<float> microseconds_small;
  std::latch done{1};

  const std::string& next() {
    auto i = at;
    at = at + 1 == keys.size() ? 0 : at + 1;
    return keys[i];
  }

  void take(std::string_view key, std::string_view bytes) {
    if (bytes.size() == mix.size_of(key))
      answered.fetch_add(1, std::memory_order_relaxed);
    else
      fail("a value of " + std::to_string(bytes.size()) + " bytes");
  }

  void fail(const std::string& why) {
    if (failed++ == 0)
      first_failure = why;
  }

  void took(steady_clock::time_point since, bool small) {
    const std::chrono::duration<float, std::micro> x = steady_clock::now()
                                                       - since;
    microseconds.push_back(x.count());
    if (small)
      microseconds_small.push_back(x.count());
  }
};

using asking_pointer = std::shared_ptr<asking>;

void ask(caf::event_based_actor* self, const asking_pointer& x);

/// After an answer.
void go_on(caf::event_based_actor* self, const asking_pointer& x) {
  --x->outstanding;
  if (!x->stop)
    return ask(self, x);
  if (x->outstanding == 0) {
    x->done.count_down();
    self->quit();
  }
}

void ask_many(caf::event_based_actor* self, const asking_pointer& x) {
  const auto start = steady_clock::now();
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < x->s.batch; ++i)
    keys.push_back(x->next());
  auto names = keys;
  x->g->get_many(self, std::move(keys))
    .then(
      [=, names = std::move(names)](const std::vector<get_result>& all) {
        for (std::size_t i = 0; i < all.size(); ++i) {
          if (all[i].ok())
            x->take(names[i], all[i].content.bytes());
          else
            x->fail(all[i].reason);
        }
        x->took(start, false);
        go_on(self, x);
      },
      [=](const caf::error& why) {
        x->fail(to_string(why));
        go_on(self, x);
      });
}

void ask(caf::event_based_actor* self, const asking_pointer& x) {
  ++x->outstanding;
  if (x->s.batch > 1)
    return ask_many(self, x);
  const auto start = steady_clock::now();
  const auto& key = x->next();
  const auto arrived = [=](std::string_view bytes) {
    x->take(key, bytes);
    x->took(start, x->mix.size_of(key) == x->mix.smallest());
    go_on(self, x);
  };
  const auto failed = [=](const caf::error& why) {
    x->fail(to_string(why));
    go_on(self, x);
  };
  if (x->floor)
    self->request(x->floor, caf::infinite, get_atom_v, key)
      .then([=](const std::string& bytes) { arrived(bytes); }, failed);
  else
    x->g->get(self, key).then([=](const answer& a) { arrived(a.bytes()); },
                              failed);
}

void await_up(universe& home) {
  for (auto until = steady_clock::now() + 10s; steady_clock::now() < until;) {
    if (std::ranges::all_of(home.peers(),
                            [](auto& x) { return x.state == peer_state::up; }))
      return;
    std::this_thread::sleep_for(10ms);
  }
  throw std::runtime_error{"an owner is not up"};
}

/// The processes that own the keys.
struct owners {
  std::vector<std::unique_ptr<process>> all;
  std::vector<peer_info> ring;
  std::uint16_t floor_port = 0; // of the first

  owners(const settings& s, const tls_files& files) {
    for (std::size_t i = 0; i < s.nodes; ++i)
      all.push_back(std::make_unique<process>(
        owner_id(i), owner_verb,
        std::vector{owner_id(i), s.sizes(), std::to_string(s.keys),
                    std::to_string(s.nodes), files.certificate, files.key,
                    files.cafile}));
    for (std::size_t i = 0; i < s.nodes; ++i) {
      std::istringstream words{all[i]->hear()};
      std::string uri;
      std::uint16_t port = 0;
      words >> uri >> port;
      ring.push_back({.id = owner_id(i), .uri = uri});
      if (i == 0)
        floor_port = port;
    }
  }

  /// What all of them say, added up.
  double sum(const std::string& what) {
    double result = 0;
    for (auto& x : all)
      result += std::stod(x->ask(what));
    return result;
  }
};

nlohmann::ordered_json measure(const settings& s, const std::string& mode) {
  fixtures::certificate_folder folder;
  const auto issue = [&](const std::string& id) {
    return s.tls ? folder.issue("ring", id) : tls_files{};
  };
  const auto own = issue("caller");
  owners there{s, issue("owner")};
  caf_settings cfg{own};
  caf::actor_system system{cfg};
  const auto x = std::make_shared<asking>();
  x->s = s;
  x->mix = size_mix::parse(s.sizes());
  for (std::size_t i = 0; i < s.keys; ++i)
    x->keys.push_back(key_of(i));
  universe home{system, options_of("caller", own)};
  if (mode == "caf_floor") {
    x->s.batch = 1;
    x->floor
      = must(system.middleman().remote_actor("127.0.0.1", there.floor_port),
             "cannot reach the owner");
  } else {
    galaxy_options options;
    options.promote = make_never_promoter();
    x->g = home.add_galaxy(
      "bench", std::size_t{1} << 30, backend::in_place([](std::string_view) {
        return load_result{failure{errc::backend_failed, "the wrong way"}};
      }),
      options);
    // Without an own part of the ring, all keys are the others'.
    home.set_peers(there.ring);
    await_up(home);
  }
  const auto memory_before = there.sum("memory");
  const auto server_before = there.sum("cpu");
  const stopwatch watch;
  system.spawn([x](caf::event_based_actor* self) {
    for (std::size_t i = 0; i < x->s.outstanding; ++i)
      ask(self, x);
  });
  std::this_thread::sleep_for(std::chrono::duration<double>(s.seconds));
  const auto ops = static_cast<double>(x->answered.load());
  const auto wall = watch.wall_ns();
  const auto cpu = watch.cpu_ns();
  const auto server_cpu = there.sum("cpu") - server_before;
  x->stop = true;
  x->done.wait();
  if (x->failed > 0)
    throw std::runtime_error{std::to_string(x->failed)
                             + " gets failed: " + x->first_failure};
  const auto memory_peak = there.sum("peak");
  x->floor = nullptr;
  nlohmann::ordered_json result{
    {"bench", "peer_fetch"},
    {"mode", mode},
    {"value", s.sizes()},
    {"outstanding", s.outstanding},
    {"keys", s.keys},
    {"batch", x->s.batch},
    {"nodes", s.nodes},
    {"tls", s.tls && mode == "get"},
    {"ops_per_s", ops * 1e9 / wall},
    {"ns_per_op", wall / ops},
    {"p50_us", percentile(x->microseconds, 0.5)},
    {"p99_us", percentile(x->microseconds, 0.99)},
    {"cpu_ns_per_op", cpu / ops},
    {"server_cpu_ns_per_op", server_cpu / ops},
    {"owner_rss_growth_bytes",
     static_cast<std::int64_t>(memory_peak - memory_before)},
  };
  if (x->mix.parts.size() > 1 && x->s.batch == 1) {
    result["small_p50_us"] = percentile(x->microseconds_small, 0.5);
    result["small_p99_us"] = percentile(x->microseconds_small, 0.99);
  }
  result["caf"] = caf_version();
  return result;
}

int run(int argc, char** argv) {
  settings s;
  CLI::App app{"What a get costs that a peer in another process answers."};
  app.add_option("--mode", s.modes, "What to measure")
    ->check(CLI::IsMember({"get", "caf_floor"}))
    ->capture_default_str();
  app.add_option("--value", s.value, "Bytes of a value")->capture_default_str();
  app.add_option("--mix", s.mix,
                 "Sizes instead, such as 100b:0.99,1m:0.01 (b, k or m)");
  app.add_option("--outstanding", s.outstanding, "Requests under way")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--keys", s.keys, "Different keys")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--batch", s.batch, "Keys of a get_many; 1: single gets")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--nodes", s.nodes, "Processes that own the keys")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--seconds", s.seconds, "How long to measure each mode")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_flag("--tls", s.tls, "Connect the processes with TLS");
  if (is_brief()) {
    s.keys = 1'000;
    s.seconds = 0.1;
  }
  CLI11_PARSE(app, argc, argv);
  if (!s.mix.empty())
    try {
      size_mix::parse(s.mix);
    } catch (const CLI::Error& why) {
      return app.exit(why);
    }
  for (auto& mode : s.modes)
    std::cout << measure(s, mode) << std::endl;
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  galaxycache::init();
  try {
    if (argc > 1 && std::string_view{argv[1]} == owner_verb) {
      if (argc != 10 || !fixtures::belongs_to(argv[2]))
        return 2;
      tls_files files;
      files.certificate = argv[7];
      files.key = argv[8];
      files.cafile = argv[9];
      return serve(argv[3], argv[4], std::stoul(argv[5]), std::stoul(argv[6]),
                   files);
    }
    return run(argc, argv);
  } catch (const std::exception& why) {
    std::cerr << "peer_fetch: " << why.what() << std::endl;
    return 1;
  }
}
