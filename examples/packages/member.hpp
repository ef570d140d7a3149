#pragma once

#include "process.hpp"
#include "protocol.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace packages {

/// A node as the driver sees it: its process now, and the figures of all the
/// processes it has been.
class member {
public:
  using clock = std::chrono::steady_clock;

  /// What a node says is handed to `heard`, figures already noted.
  using listener = std::function<void(const json&)>;

  explicit member(std::string id) : id_{std::move(id)} {}

  /// Starts a process for the node. Throws std::system_error.
  void start(const std::filesystem::path& database);

  /// Reads what the node has said. Returns false at the end of its output.
  /// Throws std::runtime_error if it says something else than JSON.
  bool listen(const listener& heard);

  /// Throws std::runtime_error if the node does not take it.
  void say(const json& what);

  /// Kills the process, and hears what it had said before.
  void kill(const listener& heard);

  /// The process' end after the end of its output, as child::wait.
  std::string wait() {
    return process_.wait();
  }

  const std::string& id() const {
    return id_;
  }

  const child& process() const {
    return process_;
  }

  clock::time_point last_heard() const {
    return last_heard_;
  }

  /// Where the node listens; empty: not known yet.
  const std::string& uri() const {
    return uri_;
  }

  /// The newest list of members all of whom the node has reached.
  uint64_t connected_view() const {
    return connected_view_;
  }

  /// The figures of each of its processes, as last reported. The last one is
  /// that of the process running.
  const std::vector<figures>& lives() const {
    return lives_;
  }

private:
  void note(const json& what);

  std::string id_;
  child process_;
  line_reader lines_;
  std::string uri_;
  uint64_t connected_view_ = 0;
  clock::time_point last_heard_;
  std::vector<figures> lives_;
};

} // namespace packages
