// What a peer does with more than it can serve. Two universes in one process:
// all keys belong to the owner, whose backend has so many workers that take so
// long each, so that processors are not what is short. First as many gets at
// once as it has workers and loads, which gives its peak; then gets at a
// multiple of that rate, answered or not. One JSON object a line.

#include "measure.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/network.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/messages/init.hpp"
#include "galaxycache/runtime/caf/startup.hpp"

#include <caf/event_based_actor.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::bench;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

struct settings {
  std::vector<double> factors{1, 3};
  std::size_t workers = 8;
  std::size_t backend_us = 1000;
  std::size_t loads = 256;
  std::size_t timeout_ms = 1000;
  double seconds = 3;
};

/// What came of the gets of one run; of one actor until `done`.
struct tally {
  std::size_t asked = 0;
  std::size_t outstanding = 0;
  std::size_t answered = 0; // in time to be counted
  std::size_t refused = 0;
  std::size_t timed_out = 0;
  std::size_t failed = 0;
  std::string first_failure;
  std::vector<float> answered_us;
  std::vector<float> refused_us;
  std::atomic<bool> stop{false};
  std::latch done{1};
};

using tally_pointer = std::shared_ptr<tally>;

struct asker_config {
  galaxy g;
  get_options options;
  std::string prefix; // of keys that nobody has asked for yet
  tally_pointer counts;
};

/// Asks for one more; `then` is called after the answer.
template <class Then>
void ask(caf::event_based_actor* self, const asker_config& x, Then then) {
  auto& t = x.counts;
  const auto start = steady_clock::now();
  const auto us = [start] {
    return std::chrono::duration<float, std::micro>(steady_clock::now() - start)
      .count();
  };
  ++t->outstanding;
  x.g.get(self, x.prefix + std::to_string(t->asked++), x.options)
    .then(
      [=](const answer&) {
        --t->outstanding;
        if (!t->stop)
          ++t->answered;
        t->answered_us.push_back(us());
        then();
      },
      [=](const caf::error& why) {
        --t->outstanding;
        if (code_of(why) == errc::overloaded) {
          ++t->refused;
          t->refused_us.push_back(us());
        } else if (code_of(why) == errc::deadline_exceeded) {
          ++t->timed_out;
        } else if (t->failed++ == 0) {
          t->first_failure = describe(why);
        }
        then();
      });
}

void finish_if_done(caf::event_based_actor* self, const tally_pointer& t) {
  if (!t->stop || t->outstanding > 0)
    return;
  t->done.count_down();
  self->quit();
}

/// Has so many under way all the time.
void ask_next(caf::event_based_actor* self, const asker_config& x) {
  ask(self, x, [=] {
    if (!x.counts->stop)
      ask_next(self, x);
    finish_if_done(self, x.counts);
  });
}

/// Asks at this rate, whatever becomes of it.
caf::behavior asks_at(caf::event_based_actor* self, asker_config x,
                      double per_second) {
  const auto start = steady_clock::now();
  return {[=](tick_atom) {
    const std::chrono::duration<double> passed = steady_clock::now() - start;
    const auto due = static_cast<std::size_t>(passed.count() * per_second);
    while (!x.counts->stop && x.counts->asked < due)
      ask(self, x, [=] { finish_if_done(self, x.counts); });
    finish_if_done(self, x.counts);
  }};
}

void await_up(const universe& home) {
  for (auto until = steady_clock::now() + 10s; steady_clock::now() < until;) {
    for (auto& x : home.peers())
      if (x.state == peer_state::up)
        return;
    std::this_thread::sleep_for(1ms);
  }
  throw std::runtime_error{"the owner is not up"};
}

void run(const settings& s) {
  config cfg;
  caf::actor_system system{cfg};
  network net{system};
  auto options_of = [&](const std::string& id) {
    universe_options result;
    result.self = id;
    result.listen = "inproc://" + id;
    result.transports.push_back(net.join(id));
    return result;
  };
  universe owner{system, options_of("owner")};
  universe caller{system, options_of("caller")};
  galaxy_options of_owner;
  of_owner.loads_max = s.loads;
  const std::chrono::microseconds takes{s.backend_us};
  owner.add_galaxy("bench", std::size_t{1} << 30,
                   backend::function(
                     [takes](std::string_view) {
                       std::this_thread::sleep_for(takes);
                       return value::copy("value");
                     },
                     s.workers),
                   of_owner);
  galaxy_options of_caller;
  of_caller.promote = make_never_promoter();
  of_caller.fallbacks_per_second = 0; // it is the owner that is measured
  auto g = caller.add_galaxy(
    "bench", std::size_t{1} << 20, backend::in_place([](std::string_view) {
      return load_result{failure{errc::backend_failed, "the wrong way"}};
    }),
    of_caller);
  caller.set_peers({{.id = "owner", .uri = owner.uri()}});
  await_up(caller);
  get_options options;
  options.timeout = std::chrono::milliseconds{s.timeout_ms};
  const auto watched = [&](const tally_pointer& t, auto wait) {
    const stopwatch watch;
    wait(steady_clock::now()
         + std::chrono::duration_cast<steady_clock::duration>(
           std::chrono::duration<double>{s.seconds}));
    const auto ns = watch.wall_ns();
    t->stop = true;
    return ns;
  };
  // The peak: never more than it takes.
  const auto calm = std::make_shared<tally>();
  system.spawn([&, calm](caf::event_based_actor* self) {
    for (std::size_t i = 0; i < 4 * s.workers; ++i)
      ask_next(self, {g, options, "calm:", calm});
  });
  const auto calm_ns
    = watched(calm, [](auto until) { std::this_thread::sleep_until(until); });
  calm->done.wait();
  if (calm->refused + calm->timed_out + calm->failed > 0)
    throw std::runtime_error{"a get failed without any overload: "
                             + calm->first_failure};
  const auto peak = static_cast<double>(calm->answered) * 1e9 / calm_ns;
  for (auto factor : s.factors) {
    const auto t = std::make_shared<tally>();
    const auto prefix = std::to_string(factor) + ":";
    auto asker = system.spawn(asks_at, asker_config{g, options, prefix, t},
                              factor * peak);
    const stopwatch cpu;
    const auto ns = watched(t, [&](auto until) {
      for (; steady_clock::now() < until; std::this_thread::sleep_for(1ms))
        caf::anon_send(asker, tick_atom_v);
    });
    const auto cpu_ns = cpu.cpu_ns();
    caf::anon_send(asker, tick_atom_v);
    t->done.wait();
    const auto per_second = [&](std::size_t n) {
      return static_cast<double>(n) * 1e9 / ns;
    };
    if (t->failed > 0)
      throw std::runtime_error{"a get failed otherwise: " + t->first_failure};
    const auto asked = static_cast<double>(t->asked);
    const nlohmann::ordered_json result{
      {"bench", "overload"},
      {"factor", factor},
      {"workers", s.workers},
      {"backend_us", s.backend_us},
      {"loads_max", s.loads},
      {"timeout_ms", s.timeout_ms},
      {"peak_per_s", peak},
      {"ops_per_s", per_second(t->asked)},
      {"goodput_per_s", per_second(t->answered)},
      {"goodput_over_peak", per_second(t->answered) / peak},
      {"refused_per_s", per_second(t->refused)},
      {"timed_out_per_s", per_second(t->timed_out)},
      {"answered_p50_us", percentile(t->answered_us, 0.5)},
      {"answered_p99_us", percentile(t->answered_us, 0.99)},
      {"refused_p50_us", percentile(t->refused_us, 0.5)},
      {"refused_p99_us", percentile(t->refused_us, 0.99)},
      {"refused_max_us", percentile(t->refused_us, 1)},
      {"ns_per_op", ns / asked},
      {"cpu_ns_per_op", cpu_ns / asked},
    };
    std::cout << result << std::endl;
  }
}

} // namespace

int main(int argc, char** argv) {
  galaxycache::init();
  settings s;
  CLI::App app{"What a peer does with more gets than it can serve."};
  app.add_option("--factor", s.factors, "Gets, as multiples of its peak")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--workers", s.workers, "Threads of the owner's backend")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--backend-us", s.backend_us, "Microseconds that a load takes")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--loads", s.loads, "Keys that the owner loads at once")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--timeout-ms", s.timeout_ms, "Milliseconds that a get has")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--seconds", s.seconds, "How long to measure each")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  if (is_brief())
    s.seconds = 0.2;
  CLI11_PARSE(app, argc, argv);
  try {
    run(s);
  } catch (const std::exception& why) {
    std::cerr << "overload: " << why.what() << std::endl;
    return 1;
  }
  return 0;
}
