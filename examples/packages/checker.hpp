#pragma once

#include "database.hpp"
#include "reporter.hpp"

#include "galaxycache/runtime/value.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

namespace packages {

/// What the galaxy answered for a key; no stanza: not found.
struct outcome {
  std::string key;
  std::optional<galaxycache::value> stanza;
};

struct finished_walk {
  uint64_t item = 0;
  std::vector<outcome> outcomes;
};

/// Compares finished walks with the database, record by record and past all
/// caches, and then reports them. Has its own thread, so that the walks do not
/// wait for the disk.
class checker {
public:
  checker(const std::filesystem::path& database, std::shared_ptr<reporter> out);

  /// Checks what is left.
  ~checker();

  void push(finished_walk walk);

private:
  void run();

  void check(const finished_walk& walk);

  record_reader reader_;
  std::shared_ptr<reporter> out_;
  // Keys reported already; used by the thread only.
  std::unordered_set<std::string> known_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // No more than the driver gives a node at a time.
  std::deque<finished_walk> walks_;
  bool ending_ = false;
  std::thread thread_;
};

} // namespace packages
