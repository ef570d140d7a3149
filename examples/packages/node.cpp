#include "node.hpp"

#include "checker.hpp"
#include "reporter.hpp"
#include "walker.hpp"

#include "galaxycache/galaxycache.hpp"

#include <caf/actor_system.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>

namespace packages {

namespace {

using namespace std::chrono_literals;

// Enough for all records of a distribution, which are about 50 MB.
constexpr size_t cache_bytes = 64 << 20;

constexpr auto report_interval = 100ms;

// How soon we see that a peer was reached.
constexpr auto connecting_interval = 5ms;

// The protocol gets standard output for itself; what a library may print goes
// to standard error.
file_descriptor take_standard_output() {
  file_descriptor result{fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
  dup2(STDERR_FILENO, STDOUT_FILENO);
  return result;
}

galaxycache::load_result load(const std::filesystem::path& database,
                              std::string_view key) {
  // A connection for each of the backend's workers.
  thread_local record_reader reader{database};
  if (auto stanza = reader.find(key))
    return galaxycache::loaded{galaxycache::value::copy(*stanza)};
  return galaxycache::errc::not_found;
}

void add_galaxy_figures(const galaxycache::galaxy_stats& stats, figures& f) {
  f.peer_fetches = stats.coalesced_peer_loads;
  f.backend_loads = stats.coalesced_backend_loads;
  f.coalesced = stats.loads - std::min(stats.loads, stats.coalesced_loads);
}

bool all_reached(const galaxycache::universe& u) {
  auto peers = u.peers();
  return std::all_of(peers.begin(), peers.end(), [](auto& peer) {
    return peer.state == galaxycache::peer_state::self
           || peer.state == galaxycache::peer_state::up;
  });
}

// Does what the driver says, line by line.
class node {
public:
  node(caf::actor_system& sys, galaxycache::universe& u,
       const galaxycache::galaxy& records, const node_options& options,
       std::shared_ptr<reporter> out)
    : universe_{u},
      out_{std::move(out)} {
    auto providers = std::make_shared<const provider_table>(
      record_reader{options.database}.providers());
    auto finished = std::make_shared<checker>(options.database, out_);
    walker_config config{records, std::move(providers), out_,
                         std::move(finished)};
    walker_ = sys.spawn(walker, std::move(config));
  }

  ~node() {
    galaxycache::post(walker_, caf::close_atom_v);
  }

  // Returns when told to stop.
  void run() {
    auto next_report = clock::now();
    while (!stopped_) {
      if (connecting_to_ && all_reached(universe_)) {
        out_->say("connected", {{"view", *connecting_to_}});
        connecting_to_.reset();
      }
      if (auto now = clock::now(); now >= next_report) {
        out_->say_with_figures("figures");
        next_report = now + report_interval;
      }
      pollfd input{STDIN_FILENO, POLLIN, 0};
      auto timeout = connecting_to_ ? connecting_interval : report_interval;
      if (poll(&input, 1, static_cast<int>(timeout.count())) <= 0)
        continue;
      // The driver is gone, and with it all reason to finish anything.
      if (!lines_.read_some(STDIN_FILENO))
        std::_Exit(EXIT_FAILURE);
      while (auto line = lines_.next())
        obey(json::parse(*line));
    }
  }

private:
  using clock = std::chrono::steady_clock;

  void obey(const json& order) {
    auto& what = order.at("do").get_ref<const std::string&>();
    if (what == "peers") {
      std::vector<galaxycache::peer_info> peers;
      for (auto& [id, uri] : order.at("peers").items())
        peers.push_back({id, uri});
      universe_.set_peers(std::move(peers));
      connecting_to_ = order.at("view").get<uint64_t>();
    } else if (what == "walk") {
      galaxycache::post(walker_, caf::put_atom_v,
                        order.at("item").get<uint64_t>(),
                        order.at("root").get<std::string>());
    } else if (what == "stop") {
      stopped_ = true;
    }
  }

  galaxycache::universe& universe_;
  std::shared_ptr<reporter> out_;
  caf::actor walker_;
  line_reader lines_;
  // The list of members not all of whom we have reached yet.
  std::optional<uint64_t> connecting_to_;
  bool stopped_ = false;
};

} // namespace

int run_node(const node_options& options) {
  galaxycache::config cfg;
  caf::actor_system sys{cfg};
  galaxycache::universe_options universe_options;
  universe_options.self = options.id;
  universe_options.listen = "caf://127.0.0.1:0";
  galaxycache::universe universe{sys, universe_options};
  // Declared here because it holds a galaxy, which must not outlive these.
  auto out = std::make_shared<reporter>(take_standard_output());
  auto backend = galaxycache::backend::function(
    [database = options.database](std::string_view key) {
      return load(database, key);
    });
  auto records = universe.add_galaxy("packages", cache_bytes,
                                     std::move(backend));
  out->include(
    [records](figures& f) { add_galaxy_figures(records.stats(), f); });
  {
    node self{sys, universe, records, options, out};
    out->say("ready", {{"uri", universe.uri()}});
    self.run();
  }
  universe.stop(5s);
  out->say_with_figures("stopped");
  return EXIT_SUCCESS;
}

} // namespace packages
