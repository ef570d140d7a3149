#pragma once

#include "protocol.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace packages {

/// What a node did in each of its processes: more than one if it was killed
/// and restarted.
struct node_result {
  std::string id;
  std::vector<figures> lives;

  figures sum() const {
    figures result;
    for (auto& life : lives)
      result.add(life);
    return result;
  }
};

/// What came out of a run.
struct run_result {
  std::vector<node_result> nodes;
  size_t closures = 0;
  /// Different keys that were found, and that were not.
  size_t unique_keys = 0;
  size_t absent = 0;
  double seconds = 0;

  figures sum() const {
    figures result;
    for (auto& node : nodes)
      result.add(node.sum());
    return result;
  }
};

/// A table of a row for each node's process and one for the cluster, and a
/// last line that says it in a sentence.
std::string as_table(const run_result& result);

/// The same as one object; a node that was killed and restarted is one node
/// there, its processes are under `lives`.
json as_json(const run_result& result);

} // namespace packages
