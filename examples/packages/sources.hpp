#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

/// Where this machine keeps its package records.
namespace packages {

using source_files = std::vector<std::filesystem::path>;

/// A package list cannot be read.
struct source_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// apt's package lists, in the order of their names; empty if there are none.
source_files apt_lists();

/// dpkg's list of installed packages; empty if there is none.
source_files dpkg_status();

/// A text that changes when one of the files does. Throws source_error.
std::string signature(const source_files& files);

/// The text of a package list, decompressed with apt's helper if need be.
/// Throws source_error.
std::string read_source(const std::filesystem::path& file);

} // namespace packages
