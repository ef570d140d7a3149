#include "sources.hpp"

#include "process.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

namespace fs = std::filesystem;

namespace packages {

namespace {

constexpr auto apt_helper = "/usr/lib/apt/apt-helper";

bool is_compressed(const fs::path& file) {
  constexpr std::string_view endings[] = {".lz4", ".xz", ".gz", ".bz2", ".zst"};
  return std::find(std::begin(endings), std::end(endings),
                   file.extension().string())
         != std::end(endings);
}

bool is_package_list(const fs::path& file) {
  auto name = is_compressed(file) ? file.stem().string()
                                  : file.filename().string();
  return name.ends_with("_Packages");
}

} // namespace

source_files apt_lists() {
  source_files result;
  std::error_code err;
  for (fs::directory_iterator i{"/var/lib/apt/lists", err}, end; i != end;
       i.increment(err)) {
    if (err)
      break;
    if (is_package_list(i->path()) && i->is_regular_file(err)
        && i->file_size(err) > 0 && !err)
      result.push_back(i->path());
  }
  std::sort(result.begin(), result.end());
  return result;
}

source_files dpkg_status() {
  std::error_code err;
  fs::path file = "/var/lib/dpkg/status";
  if (fs::is_regular_file(file, err) && fs::file_size(file, err) > 0 && !err)
    return {file};
  return {};
}

std::string signature(const source_files& files) {
  std::string result;
  for (auto& file : files) {
    std::error_code err;
    auto size = fs::file_size(file, err);
    auto changed = err ? fs::file_time_type{} : fs::last_write_time(file, err);
    if (err)
      throw source_error("cannot read " + file.string() + ": " + err.message());
    result += fs::absolute(file).string() + ' ' + std::to_string(size) + ' '
              + std::to_string(changed.time_since_epoch().count()) + '\n';
  }
  return result;
}

std::string read_source(const fs::path& file) {
  if (is_compressed(file))
    try {
      return output_of({apt_helper, "cat-file", file.string()});
    } catch (const std::runtime_error& e) {
      throw source_error("cannot read " + file.string() + ": " + e.what());
    }
  std::ifstream in{file, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (!in.is_open() || in.bad())
    throw source_error("cannot read " + file.string());
  return text;
}

} // namespace packages
