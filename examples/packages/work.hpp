#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace packages {

/// Who walks which closure, and what is still to do. Each root is walked once
/// a round, in the next round by the next node.
class work {
public:
  work(std::vector<std::string> roots, size_t nodes, size_t rounds);

  /// An item for a node: of its own share, or else of the largest share left
  /// of all nodes present.
  std::optional<size_t> take(size_t node);

  const std::string& root(size_t item) const {
    return roots_[item % roots_.size()];
  }

  void finish(size_t node, size_t item);

  /// The node is gone: what it was at is for the others, what it was not
  /// given yet waits for its return.
  void leave(size_t node);

  void join(size_t node);

  size_t outstanding(size_t node) const {
    return shares_[node].outstanding.size();
  }

  size_t done() const {
    return done_;
  }

  size_t total() const {
    return total_;
  }

  /// Nothing goes on until a node returns.
  bool stuck() const;

private:
  struct share {
    bool present = true;
    std::deque<size_t> waiting;
    std::set<size_t> outstanding;
  };

  std::vector<std::string> roots_;
  std::vector<share> shares_;
  size_t total_;
  size_t done_ = 0;
};

} // namespace packages
