#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace packages {

/// What the driver was asked for.
struct run_options {
  std::filesystem::path database;
  size_t nodes = 3;
  size_t roots = 300;
  size_t rounds = 3;
  uint64_t seed = 1;
  /// Kill a node half-way and restart it later.
  bool kill = true;
};

/// What a node process is told on its command line.
struct node_options {
  std::string id;
  std::filesystem::path database;
};

} // namespace packages
