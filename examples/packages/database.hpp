#pragma once

#include "progress.hpp"
#include "sources.hpp"
#include "sqlite.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The package records as a SQLite database: a table `record` of name and
/// stanza, and a table `provider` that says for each virtual package which
/// package to take for it.
namespace packages {

/// Writes the database unless it was made of the same files already. The file
/// appears whole or not at all. Returns the number of records. Throws
/// std::runtime_error.
size_t build_database(const std::filesystem::path& file,
                      const source_files& sources);

/// The package to take for a virtual one.
using provider_table = std::map<std::string, std::string, std::less<>>;

/// One reader of the database. For one thread at a time; throws
/// std::runtime_error.
class record_reader {
public:
  explicit record_reader(const std::filesystem::path& file);

  /// The stanza of a package, valid until the next call; none: no such record.
  std::optional<std::string_view> find(std::string_view name);

  provider_table providers();

  /// `n` packages, or as many as there are, chosen by `seed` from four times
  /// as many that are likely to have large closures: desktop programs with many
  /// dependencies.
  std::vector<std::string> pick_roots(size_t n, uint64_t seed);

private:
  sqlite::connection db_;
  sqlite::statement find_;
};

} // namespace packages
