#include "driver.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <utility>

namespace packages {

namespace {

using namespace std::chrono_literals;

// The node that is killed: not the first, whom all connect to first.
constexpr size_t victim = 1;

// Closures a node walks at a time: enough to keep it busy while we hear of one
// that is finished, and for its walks to meet at the same keys.
constexpr size_t walks_per_node = 4;

constexpr size_t kill_percent = 50;
constexpr size_t restart_percent = 65;

// A node reports ten times a second.
constexpr auto silence_max = 20s;
// Starting, connecting and stopping take a fraction of a second each.
constexpr auto patience = 60s;

// What is wrong once is often wrong a thousand times.
constexpr size_t troubles_shown_max = 10;

volatile sig_atomic_t interrupt_flag = 0;

void interrupt(int) {
  interrupt_flag = 1;
}

// While it lives, signals to stop set a flag, so that nodes are not left
// behind. A node that is gone shows when it is spoken to.
class signal_guard {
public:
  signal_guard() {
    struct sigaction action = {};
    action.sa_handler = interrupt;
    for (size_t i = 0; i < std::size(signals); ++i)
      sigaction(signals[i], &action, &before_[i]);
  }

  ~signal_guard() {
    for (size_t i = 0; i < std::size(signals); ++i)
      sigaction(signals[i], &before_[i], nullptr);
  }

private:
  static constexpr int signals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction before_[std::size(signals)];
};

} // namespace

driver::driver(const run_options& options, std::vector<std::string> roots)
  : options_{options},
    work_{std::move(roots), options.nodes, options.rounds},
    bar_{"walking closures", work_.total()} {
  for (size_t i = 1; i <= options_.nodes; ++i)
    nodes_.emplace_back("node-" + std::to_string(i));
}

run_result driver::run() {
  signal_guard guard;
  start_nodes();
  auto start = clock::now();
  last_finished_ = start;
  auto percent_done = [this] { return work_.done() * 100 / work_.total(); };
  while (running()) {
    hand_out();
    pump();
    if (!options_.kill)
      continue;
    if (!killed_ && percent_done() >= kill_percent)
      kill_node();
    if (killed_ && !restarted_
        && (percent_done() >= restart_percent || work_.stuck()))
      restart_node();
  }
  std::chrono::duration<double> seconds = clock::now() - start;
  stop_nodes();
  run_result result;
  for (auto& node : nodes_)
    result.nodes.push_back({node.id(), node.lives()});
  result.closures = work_.total();
  result.unique_keys = found_.size();
  result.absent = absent_.size();
  result.seconds = seconds.count();
  return result;
}

void driver::start_nodes() {
  for (auto& node : nodes_)
    node.start(options_.database);
  pump_until("the nodes to start", [this] {
    return std::none_of(nodes_.begin(), nodes_.end(),
                        [](auto& node) { return node.uri().empty(); });
  });
  publish_members();
  pump_until("the nodes to reach each other", [this] {
    return std::all_of(nodes_.begin(), nodes_.end(), [this](auto& node) {
      return node.connected_view() == view_;
    });
  });
}

void driver::publish_members() {
  json peers;
  for (auto& node : nodes_)
    peers[node.id()] = node.uri();
  ++view_;
  for (auto& node : nodes_)
    node.say({{"do", "peers"}, {"view", view_}, {"peers", peers}});
}

void driver::hand_out() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].connected_view() == 0)
      continue;
    while (work_.outstanding(i) < walks_per_node) {
      auto item = work_.take(i);
      if (!item)
        break;
      nodes_[i].say(
        {{"do", "walk"}, {"item", *item}, {"root", work_.root(*item)}});
    }
  }
}

void driver::kill_node() {
  auto& node = nodes_[victim];
  killed_ = true;
  node.kill([this](const json& what) { hear(victim, what); });
  work_.leave(victim);
  bar_.say("killed " + node.id() + "; the others take over its work");
}

void driver::restart_node() {
  auto& node = nodes_[victim];
  restarted_ = true;
  node.start(options_.database);
  bar_.say("restarted " + node.id());
}

void driver::stop_nodes() {
  stopping_ = true;
  for (auto& node : nodes_)
    node.say({{"do", "stop"}});
  pump_until("the nodes to stop", [this] {
    return std::none_of(nodes_.begin(), nodes_.end(),
                        [](auto& node) { return node.process().alive(); });
  });
}

bool driver::running() const {
  if (work_.done() < work_.total())
    return true;
  // With little work all may be done before the killed node is back.
  return killed_ && nodes_[victim].connected_view() == 0;
}

void driver::pump() {
  std::vector<pollfd> fds;
  std::vector<size_t> indexes;
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].process().alive()) {
      fds.push_back({nodes_[i].process().output(), POLLIN, 0});
      indexes.push_back(i);
    }
  poll(fds.data(), fds.size(), 50);
  if (interrupt_flag != 0)
    throw interrupted{};
  for (size_t i = 0; i < fds.size(); ++i) {
    auto& node = nodes_[indexes[i]];
    auto heard = [&](const json& what) { hear(indexes[i], what); };
    if (fds[i].revents != 0 && !node.listen(heard)) {
      auto end = node.wait();
      if (!stopping_ || !end.empty())
        throw std::runtime_error(node.id() + " ended before its time"
                                 + (end.empty() ? end : " with " + end));
    } else {
      look_after(node);
    }
  }
}

void driver::pump_until(const std::string& what,
                        const std::function<bool()>& done) {
  auto deadline = clock::now() + patience;
  while (!done()) {
    if (clock::now() > deadline)
      throw std::runtime_error("gave up waiting for " + what);
    pump();
  }
}

void driver::hear(size_t node, const json& what) {
  auto& is = what.at("is").get_ref<const std::string&>();
  if (is == "ready" && restarted_ && node == victim) {
    publish_members();
  } else if (is == "connected" && restarted_ && node == victim) {
    work_.join(victim);
  } else if (is == "walked") {
    work_.finish(node, what.at("item"));
    last_finished_ = clock::now();
    for (auto& key : what.at("found"))
      found_.insert(key);
    for (auto& key : what.at("absent"))
      absent_.insert(key);
    uint64_t gets = 0;
    for (auto& each : nodes_)
      for (auto& life : each.lives())
        gets += life.gets;
    bar_.advance(work_.done(), std::to_string(gets) + " gets");
  } else if (is == "trouble" && ++troubles_ <= troubles_shown_max) {
    bar_.say(nodes_[node].id() + ": " + what.at("text").get<std::string>());
  }
}

void driver::look_after(const member& node) const {
  auto now = clock::now();
  if (now - node.last_heard() > silence_max)
    throw std::runtime_error(node.id() + " hangs: it has not said anything for "
                             + std::to_string(silence_max.count())
                             + " seconds");
  if (!stopping_ && view_ > 0 && last_finished_ != clock::time_point{}
      && now - last_finished_ > patience)
    throw std::runtime_error("no closure was finished for "
                             + std::to_string(patience.count()) + " seconds");
}

} // namespace packages
