// What a hit costs: a get of a key that this process holds, in all the ways
// there are to ask, beside the least that any could cost. One JSON object a
// line for each mode.
//
// floor      a flat table that nobody writes, read in place
// visit      galaxy::visit: in place
// find       galaxy::find: an owned, counted value
// get        galaxy::get from an actor
// get_many   galaxy::get_many of a batch from an actor
// message    (get_atom, key, options) to the galaxy's actor, 64 outstanding
// caf_floor  the same to an actor that has the answer ready
//
// Each runs for a while before it is measured: the first reads of an entry are
// written down in it, later ones are not.

#include "measure.hpp"
#include "trace.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/runtime/caf/startup.hpp"
#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/random.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstring>
#include <iostream>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::bench;

namespace {

// Outstanding requests of each actor that sends messages.
constexpr std::size_t window = 64;

// Gets an actor does for one message, so that others have their turn.
constexpr std::size_t turn = 1024;

struct settings {
  std::vector<std::string> modes{"floor",   "visit",    "find",     "get",
                                 "message", "get_many", "caf_floor"};
  std::size_t keys = 1'000'000;
  std::size_t value = 100;
  std::string dist = "zipf:0.99";
  std::size_t threads = 1;
  std::size_t batch = 64;
  double seconds = 2;
  double warm_up = 1;
};

struct caf_settings : galaxycache::config {
  explicit caf_settings(std::size_t threads) {
    set_caf_option(*this, "scheduler.max-threads", threads);
  }
};

// -- keys ---------------------------------------------------------------------

/// All keys, side by side.
class key_set {
public:
  static constexpr std::size_t key_bytes = 16;

  explicit key_set(std::size_t n) {
    text_.reserve(n * key_bytes);
    for (std::size_t i = 0; i < n; ++i) {
      auto number = std::to_string(i);
      text_ += "key:" + std::string(key_bytes - 4 - number.size(), '0')
               + number;
    }
  }

  std::size_t size() const {
    return text_.size() / key_bytes;
  }

  std::string_view operator[](std::size_t i) const {
    return std::string_view{text_}.substr(i * key_bytes, key_bytes);
  }

private:
  std::string text_;
};

/// The order in which a thread asks for keys; begins anew at its end.
std::vector<std::uint32_t> draw(const settings& s, std::size_t thread) {
  // More than any cache of a processor, and than there are keys.
  std::vector<std::uint32_t> result(std::max<std::size_t>(1 << 20, s.keys));
  random_source random{thread + 1};
  if (s.dist == "uniform") {
    for (auto& x : result)
      x = static_cast<std::uint32_t>(random.below(s.keys));
    return result;
  }
  const zipf popularity{std::stod(s.dist.substr(s.dist.find(':') + 1)), s.keys};
  // Popular keys are anywhere, and the same for all threads.
  std::vector<std::uint32_t> rank(s.keys);
  for (std::size_t i = 0; i < s.keys; ++i)
    rank[i] = static_cast<std::uint32_t>(i);
  random_source shuffle{0};
  for (auto i = s.keys; i > 1; --i)
    std::swap(rank[i - 1], rank[shuffle.below(i)]);
  for (auto& x : result)
    x = rank[popularity(random) - 1];
  return result;
}

// -- the floor ----------------------------------------------------------------

/// Open addressing over keys and values in one row, filled once.
class flat_table {
public:
  flat_table(const key_set& keys, std::size_t value_bytes)
    : slots_(std::bit_ceil(2 * keys.size())) {
    auto size = sizeof(record) + key_set::key_bytes + value_bytes;
    size = (size + 7) / 8 * 8;
    row_.resize(keys.size() * size);
    auto* at = row_.data();
    for (std::size_t i = 0; i < keys.size(); ++i, at += size) {
      record r{static_cast<std::uint32_t>(key_set::key_bytes),
               static_cast<std::uint32_t>(value_bytes)};
      std::memcpy(at, &r, sizeof(r));
      std::memcpy(at + sizeof(r), keys[i].data(), key_set::key_bytes);
      std::memset(at + sizeof(r) + key_set::key_bytes, 'x', value_bytes);
      auto hash = hash64(keys[i]);
      auto place = hash;
      while (slots_[place & (slots_.size() - 1)].at)
        ++place;
      slots_[place & (slots_.size() - 1)] = {hash, at};
    }
  }

  std::string_view find(std::string_view key) const {
    auto hash = hash64(key);
    for (auto place = hash;; ++place) {
      auto& x = slots_[place & (slots_.size() - 1)];
      if (!x.at)
        return {};
      if (x.hash != hash)
        continue;
      record r;
      std::memcpy(&r, x.at, sizeof(r));
      auto* bytes = x.at + sizeof(r);
      if (std::string_view{bytes, r.key} == key)
        return {bytes + r.key, r.value};
    }
  }

private:
  struct record {
    std::uint32_t key;
    std::uint32_t value;
  };

  struct slot {
    std::uint64_t hash = 0;
    const char* at = nullptr;
  };

  std::vector<slot> slots_;
  std::vector<char> row_;
};

// -- measuring ----------------------------------------------------------------

struct cost {
  std::size_t ops = 0;
  double wall_ns = 0;
  double cpu_ns = 0;
};

/// What all of them read: to keep a compiler from leaving it out, and to see
/// that nothing was missed.
std::size_t taste(std::string_view bytes) {
  return bytes.empty() ? 0 : static_cast<unsigned char>(bytes.front());
}

constexpr std::size_t one_taste = 'x';

struct missed : std::runtime_error {
  missed() : std::runtime_error{"a key was not held"} {
    // nop
  }
};

using orders = std::vector<std::vector<std::uint32_t>>;

/// Runs `read(key)` on threads of its own for some seconds.
template <class F>
cost on_threads(const settings& s, double seconds, const key_set& keys,
                const orders& order, F read) {
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> ops{0};
  std::atomic<std::size_t> tasted{0};
  std::barrier start{static_cast<std::ptrdiff_t>(s.threads + 1)};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < s.threads; ++t)
    threads.emplace_back([&, t] {
      auto& mine = order[t];
      std::size_t sum = 0;
      std::size_t n = 0;
      start.arrive_and_wait();
      for (std::size_t at = 0; !stop.load(std::memory_order_relaxed);) {
        for (std::size_t i = 0; i < turn; ++i) {
          sum += read(keys[mine[at]]);
          at = at + 1 == mine.size() ? 0 : at + 1;
        }
        n += turn;
      }
      ops += n;
      tasted += sum;
    });
  start.arrive_and_wait();
  const stopwatch watch;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (auto& t : threads)
    t.join();
  const cost result{ops, watch.wall_ns(), watch.cpu_ns()};
  if (tasted != ops * one_taste)
    throw missed{};
  return result;
}

// -- actors that ask ----------------------------------------------------------

struct asking {
  const key_set& keys;
  std::vector<std::uint32_t> order;
  galaxy g;
  galaxy_actor whom;
  std::size_t batch;
  std::atomic<bool>& stop;
  std::latch& done;
  std::size_t at = 0;
  std::size_t ops = 0;
  std::size_t tasted = 0;
  std::size_t outstanding = 0;

  std::string_view next() {
    auto i = at;
    at = at + 1 == order.size() ? 0 : at + 1;
    return keys[order[i]];
  }

  void take(const answer& x) {
    ++ops;
    tasted += taste(x.bytes());
  }
};

using asking_pointer = std::shared_ptr<asking>;

caf::behavior asks_get(caf::event_based_actor* self, asking_pointer x) {
  return {
    [=](tick_atom) {
      for (std::size_t i = 0; i < turn; ++i)
        x->g.get(self, x->next())
          .then([&](const answer& a) { x->take(a); }, [](const caf::error&) {});
      if (x->stop) {
        x->done.count_down();
        self->quit();
      } else {
        send_to(self, self, tick_atom_v);
      }
    },
  };
}

caf::behavior asks_many(caf::event_based_actor* self, asking_pointer x) {
  return {
    [=](tick_atom) {
      for (std::size_t i = 0; i < turn; i += x->batch) {
        std::vector<std::string> keys;
        keys.reserve(x->batch);
        for (std::size_t k = 0; k < x->batch; ++k)
          keys.emplace_back(x->next());
        x->g.get_many(self, std::move(keys))
          .then(
            [&](const std::vector<get_result>& all) {
              for (auto& each : all)
                x->take(each.content);
            },
            [](const caf::error&) {});
      }
      if (x->stop) {
        x->done.count_down();
        self->quit();
      } else {
        send_to(self, self, tick_atom_v);
      }
    },
  };
}

void ask(caf::event_based_actor* self, const asking_pointer& x) {
  ++x->outstanding;
  galaxycache::request(self, x->whom, get_atom_v, std::string{x->next()},
                       get_options{})
    .then(
      [self, x](const answer& a) {
        x->take(a);
        --x->outstanding;
        if (!x->stop)
          return ask(self, x);
        if (x->outstanding == 0) {
          x->done.count_down();
          self->quit();
        }
      },
      [self, x](const caf::error&) {
        x->done.count_down();
        self->quit();
      });
}

caf::behavior asks_by_message(caf::event_based_actor* self, asking_pointer x) {
  return {
    [=](tick_atom) {
      for (std::size_t i = 0; i < window; ++i)
        ask(self, x);
    },
  };
}

using asker = caf::behavior (*)(caf::event_based_actor*, asking_pointer);

cost by_actors(caf::actor_system& system, const settings& s, double seconds,
               const key_set& keys, const orders& order, const galaxy& g,
               const galaxy_actor& whom, asker how) {
  std::atomic<bool> stop{false};
  std::latch done{static_cast<std::ptrdiff_t>(s.threads)};
  std::vector<asking_pointer> all;
  std::vector<caf::actor> actors;
  for (std::size_t t = 0; t < s.threads; ++t) {
    all.push_back(std::make_shared<asking>(
      asking{keys, order[t], g, whom, s.batch, stop, done}));
    actors.push_back(system.spawn(how, all.back()));
  }
  const stopwatch watch;
  for (auto& each : actors)
    post(each, tick_atom_v);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  done.wait();
  cost result{0, watch.wall_ns(), watch.cpu_ns()};
  std::size_t tasted = 0;
  for (auto& each : all) {
    result.ops += each->ops;
    tasted += each->tasted;
  }
  if (tasted != result.ops * one_taste || result.ops == 0)
    throw missed{};
  return result;
}

/// An actor with the interface of a galaxy's and one answer.
galaxy_actor::behavior_type ready_answer(galaxy_actor::pointer,
                                         const answer& x) {
  return {
    [=](get_atom, std::string&) -> result<answer> { return x; },
    [=](get_atom, std::string&, const get_options&) -> result<answer> {
      return x;
    },
    [](get_atom, name_list&, const get_options&)
      -> result<std::vector<get_result>> { return std::vector<get_result>{}; },
    [](get_atom, sought&, const get_options&)
      -> result<std::vector<get_result>> { return std::vector<get_result>{}; },
    [](stats_atom) -> result<galaxy_stats> { return galaxy_stats{}; },
    [](answers&) {},
    [](stop_atom) {},
  };
}

/// Loads all keys.
void warm(caf::actor_system& system, const galaxy& g, const key_set& keys) {
  constexpr std::size_t batch = 4096;
  caf::scoped_actor self{system};
  for (std::size_t i = 0; i < keys.size(); i += batch) {
    std::vector<std::string> some;
    for (auto k = i; k < std::min(i + batch, keys.size()); ++k)
      some.emplace_back(keys[k]);
    g.get_many(self, std::move(some))
      .receive(
        [](const std::vector<get_result>& all) {
          for (auto& each : all)
            if (!each.ok())
              throw std::runtime_error{"cannot load: " + each.reason};
        },
        [](const caf::error& why) {
          throw std::runtime_error{"cannot load: " + describe(why)};
        });
  }
}

void run(const settings& s) {
  key_set keys{s.keys};
  orders order;
  for (std::size_t t = 0; t < s.threads; ++t)
    order.push_back(draw(s, t));
  auto content = value::take(std::string(s.value, 'x'));
  caf_settings cfg{std::max<std::size_t>(s.threads, 2)};
  caf::actor_system system{cfg};
  universe_options options;
  options.self = "bench";
  universe home{system, options};
  auto needed = s.keys * (s.value + 512) * 2 + (64 << 20);
  auto g = home.add_galaxy("keys", needed,
                           backend::in_place(
                             [&](std::string_view) { return content; }));
  auto asked = [&](auto... names) {
    return std::ranges::any_of(s.modes, [&](auto& mode) {
      return ((mode == names) || ...);
    });
  };
  std::unique_ptr<flat_table> flat;
  if (asked("floor"))
    flat = std::make_unique<flat_table>(keys, s.value);
  if (asked("visit", "find", "get", "get_many", "message"))
    warm(system, g, keys);
  auto ready = system.spawn<caf::hidden>(
    ready_answer, answer{content, never_expires, hit_level::main, {}});
  auto run_for = [&](double seconds, const std::string& mode) {
    auto read = [&](auto how) {
      return on_threads(s, seconds, keys, order, how);
    };
    auto send = [&](const galaxy_actor& whom, asker how) {
      return by_actors(system, s, seconds, keys, order, g, whom, how);
    };
    if (mode == "floor")
      return read([&](std::string_view key) { return taste(flat->find(key)); });
    if (mode == "visit")
      return read([&](std::string_view key) {
        std::size_t result = 0;
        g.visit(key, [&](const held& h) { result = taste(h.bytes); });
        return result;
      });
    if (mode == "find")
      return read([&](std::string_view key) {
        auto found = g.find(key);
        return found ? taste(found->bytes()) : 0;
      });
    if (mode == "get")
      return send(g.actor(), asks_get);
    if (mode == "get_many")
      return send(g.actor(), asks_many);
    if (mode == "message")
      return send(g.actor(), asks_by_message);
    if (mode == "caf_floor")
      return send(ready, asks_by_message);
    throw std::runtime_error{"there is no mode '" + mode + "'"};
  };
  for (auto& mode : s.modes) {
    if (s.warm_up > 0)
      run_for(s.warm_up, mode);
    auto x = run_for(s.seconds, mode);
    auto ops = static_cast<double>(x.ops);
    nlohmann::json line{
      {"bench", "local_hit"},
      {"mode", mode},
      {"keys", s.keys},
      {"value", s.value},
      {"dist", s.dist},
      {"threads", s.threads},
      {"warm_up", s.warm_up},
      {"batch", mode == "get_many" ? s.batch : 1},
      {"ops", x.ops},
      {"ns_per_op", x.wall_ns * static_cast<double>(s.threads) / ops},
      {"cpu_ns_per_op", x.cpu_ns / ops},
      {"ops_per_s", ops * 1e9 / x.wall_ns},
    };
    std::cout << line << std::endl;
  }
  caf::anon_send_exit(ready, caf::exit_reason::kill);
}

} // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app{"Measures a get of a key that this process holds."};
  app
    .add_option("--mode", s.modes,
                "floor, visit, find, get, message, get_many, caf_floor")
    ->delimiter(',')
    ->capture_default_str();
  app.add_option("--keys", s.keys, "How many keys")
    ->check(CLI::Range(1, 100'000'000))
    ->capture_default_str();
  app.add_option("--value", s.value, "Bytes of each value")
    ->check(CLI::Range(1, 1 << 20))
    ->capture_default_str();
  app.add_option("--dist", s.dist, "uniform, or zipf:EXPONENT")
    ->capture_default_str();
  app.add_option("--threads", s.threads, "Threads, or actors, that ask")
    ->check(CLI::Range(1, 256))
    ->capture_default_str();
  app.add_option("--batch", s.batch, "Keys of a get_many")
    ->check(CLI::Range(1, 1024))
    ->capture_default_str();
  app.add_option("--seconds", s.seconds, "How long, each mode")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--warm-up", s.warm_up,
                "Seconds that each mode runs before it is measured")
    ->check(CLI::NonNegativeNumber)
    ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (is_brief()) {
    s.keys = std::min<std::size_t>(s.keys, 10'000);
    s.seconds = std::min(s.seconds, 0.1);
    s.warm_up = std::min(s.warm_up, 0.1);
  }
  try {
    if (s.dist != "uniform" && !s.dist.starts_with("zipf:"))
      throw std::runtime_error{"there is no distribution '" + s.dist
                               + "'; there are uniform and zipf:EXPONENT"};
    run(s);
  } catch (const std::exception& wrong) {
    std::cerr << "local_hit: " << wrong.what() << '\n';
    return 2;
  }
}
