#pragma once

#include "member.hpp"
#include "options.hpp"
#include "progress.hpp"
#include "result.hpp"
#include "work.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

namespace packages {

/// The user wants to stop.
struct interrupted : std::runtime_error {
  interrupted() : std::runtime_error{"interrupted"} {}
};

/// Runs the node processes, hands out the closures, kills and restarts a node,
/// and collects what the nodes report. Its process has no other threads.
class driver {
public:
  driver(const run_options& options, std::vector<std::string> roots);

  /// Throws std::runtime_error if a node dies, hangs, or says nothing.
  run_result run();

private:
  using clock = member::clock;

  void start_nodes();

  // Tells all nodes where all others are.
  void publish_members();

  // Gives every node that is present enough to be busy.
  void hand_out();

  void kill_node();

  void restart_node();

  void stop_nodes();

  bool running() const;

  // Hears what the nodes say, for a moment at most.
  void pump();

  // Pumps until `done`; throws if that takes longer than a node may need.
  void pump_until(const std::string& what, const std::function<bool()>& done);

  void hear(size_t node, const json& what);

  void look_after(const member& node) const;

  run_options options_;
  std::vector<member> nodes_;
  work work_;
  progress bar_;
  uint64_t view_ = 0;
  bool stopping_ = false;
  bool killed_ = false;
  bool restarted_ = false;
  size_t troubles_ = 0;
  clock::time_point last_finished_;
  std::unordered_set<std::string> found_;
  std::unordered_set<std::string> absent_;
};

} // namespace packages
