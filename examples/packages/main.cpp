#include "database.hpp"
#include "driver.hpp"
#include "node.hpp"
#include "options.hpp"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

namespace fs = std::filesystem;

namespace {

constexpr auto about =
  R"(Walks the dependency closures of a few hundred Debian packages through a
galaxy of three processes on this machine. The records are those found on the
machine, in a SQLite database made at the first run. Half-way one of the
processes is killed, and restarted later.

Exits with 1 if an answer was wrong or an error, or if a node failed.)";

fs::path default_database() {
  if (auto cache = std::getenv("XDG_CACHE_HOME"); cache && *cache != '\0')
    return fs::path{cache} / "galaxycache" / "packages.sqlite";
  if (auto home = std::getenv("HOME"); home && *home != '\0')
    return fs::path{home} / ".cache" / "galaxycache" / "packages.sqlite";
  return fs::temp_directory_path() / "galaxycache-packages.sqlite";
}

size_t make_database(const fs::path& file,
                     const packages::source_files& given) {
  if (!given.empty())
    return packages::build_database(file, given);
  if (auto lists = packages::apt_lists(); !lists.empty())
    try {
      return packages::build_database(file, lists);
    } catch (const packages::source_error& e) {
      std::cerr << e.what() << "; using dpkg's list instead of apt's\n";
    }
  auto status = packages::dpkg_status();
  if (status.empty())
    throw std::runtime_error("there are no Debian package records on this "
                             "machine; name a file of them with --source");
  return packages::build_database(file, status);
}

int drive(const packages::run_options& options,
          const packages::source_files& sources, const std::string& json_file) {
  std::ofstream json_out;
  if (!json_file.empty()) {
    json_out.open(json_file);
    if (!json_out)
      throw std::runtime_error("cannot write " + json_file);
  }
  auto records = make_database(options.database, sources);
  std::cerr << records << " package records in " << options.database.string()
            << '\n';
  packages::record_reader reader{options.database};
  packages::driver run{options, reader.pick_roots(options.roots, options.seed)};
  auto result = run.run();
  std::cout << packages::as_table(result) << std::flush;
  if (!json_file.empty()) {
    json_out << packages::as_json(result).dump(2) << '\n';
    if (!json_out.flush())
      throw std::runtime_error("cannot write " + json_file);
  }
  auto sum = result.sum();
  return sum.wrong == 0 && sum.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// Descriptors 0 to 2 must be taken before pipes are made.
void open_standard_streams() {
  for (;;) {
    auto fd = open("/dev/null", O_RDWR);
    if (fd < 0 || fd > STDERR_FILENO) {
      close(fd);
      return;
    }
  }
}

} // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  signal(SIGPIPE, SIG_IGN);
  CLI::App app{about, "packages"};
  packages::run_options options;
  options.database = default_database();
  packages::source_files sources;
  std::string json_file;
  bool no_kill = false;
  app.add_option("--database", options.database, "The database to make or use")
    ->type_name("FILE")
    ->capture_default_str();
  app
    .add_option("--source", sources,
                "Package lists to make it of, instead of the machine's own")
    ->type_name("FILE");
  app.add_option("--json", json_file, "Write the results to this file, too")
    ->type_name("FILE");
  app.add_option("--nodes", options.nodes, "Number of processes")
    ->check(CLI::Range(2, 16))
    ->capture_default_str();
  app.add_option("--roots", options.roots, "Number of packages to resolve")
    ->check(CLI::Range(1, 100000))
    ->capture_default_str();
  app
    .add_option("--rounds", options.rounds,
                "How often each is resolved, every time by another node")
    ->check(CLI::Range(1, 1000))
    ->capture_default_str();
  app.add_option("--seed", options.seed, "Chooses the packages")
    ->capture_default_str();
  app.add_flag("--no-kill", no_kill, "Leave the nodes alone");
  packages::node_options node;
  auto node_command = app.add_subcommand("node")->group("");
  node_command->add_option("--id", node.id)->required();
  node_command->add_option("--database", node.database)->required();
  CLI11_PARSE(app, argc, argv);
  options.kill = !no_kill;
  try {
    if (*node_command)
      return packages::run_node(node);
    return drive(options, sources, json_file);
  } catch (const packages::interrupted&) {
    return 130;
  } catch (const std::exception& e) {
    std::cerr << "packages: " << (node.id.empty() ? "" : node.id + ": ")
              << e.what() << '\n';
    return EXIT_FAILURE;
  }
}
