#include "database.hpp"

#include "debian.hpp"

#include <unistd.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <system_error>

namespace fs = std::filesystem;

namespace packages {

namespace {

// To be raised when the tables change.
constexpr std::string_view format = "1\n";

constexpr auto schema = R"(
  PRAGMA journal_mode = OFF;
  PRAGMA synchronous = OFF;
  CREATE TABLE record(name TEXT PRIMARY KEY, section TEXT NOT NULL,
                      dependencies INTEGER NOT NULL, stanza TEXT NOT NULL);
  CREATE TABLE provider(name TEXT PRIMARY KEY, package TEXT NOT NULL);
  CREATE TABLE origin(signature TEXT NOT NULL, records INTEGER NOT NULL);
  BEGIN;
)";

// Desktop programs first: they need most.
constexpr auto root_query = R"(
  SELECT name FROM record
  ORDER BY section IN ('education', 'games', 'gnome', 'graphics', 'kde', 'math',
                       'metapackages', 'science', 'sound', 'video', 'web',
                       'x11', 'xfce') DESC,
           dependencies DESC, name
  LIMIT ?
)";

// By name; the views are into the texts of the sources.
using record_map = std::map<std::string_view, std::string_view>;

// Of several records with one name the newest stays; of the same version, the
// first.
void collect(record_map& records, std::string_view text) {
  for (;;) {
    auto stanza = debian::next_stanza(text);
    if (stanza.empty())
      return;
    auto name = debian::field(stanza, "Package");
    auto version = debian::field(stanza, "Version");
    // In dpkg's list, packages once known have no version.
    if (name.empty() || version.empty())
      continue;
    auto [i, added] = records.try_emplace(name, stanza);
    if (!added
        && debian::compare_versions(debian::field(i->second, "Version"),
                                    version)
             < 0)
      i->second = stanza;
  }
}

void insert_records(const sqlite::connection& db, const record_map& records) {
  progress bar{"writing the database", records.size()};
  sqlite::statement insert{db, "INSERT INTO record VALUES(?, ?, ?, ?)"};
  size_t done = 0;
  for (auto& [name, stanza] : records) {
    insert.bind(1, name);
    insert.bind(2, debian::field(stanza, "Section"));
    insert.bind(3, static_cast<int64_t>(debian::dependencies(stanza).size()));
    insert.bind(4, stanza);
    insert.step();
    insert.reset();
    bar.advance(++done);
  }
}

// Takes the first provider by name, and none for a name that has a record.
void insert_providers(const sqlite::connection& db, const record_map& records) {
  sqlite::statement insert{db, "INSERT OR IGNORE INTO provider VALUES(?, ?)"};
  for (auto& [package, stanza] : records)
    for (auto name : debian::provides(stanza))
      if (records.find(name) == records.end()) {
        insert.bind(1, name);
        insert.bind(2, package);
        insert.step();
        insert.reset();
      }
}

void write_database(const fs::path& file, const record_map& records,
                    const std::string& origin) {
  sqlite::connection db{file, sqlite::connection::mode::create};
  db.execute(schema);
  insert_records(db, records);
  insert_providers(db, records);
  sqlite::statement insert{db, "INSERT INTO origin VALUES(?, ?)"};
  insert.bind(1, origin);
  insert.bind(2, static_cast<int64_t>(records.size()));
  insert.step();
  insert.reset();
  db.execute("COMMIT");
}

// The number of records if the file is a database made of that origin.
std::optional<size_t> records_of(const fs::path& file,
                                 const std::string& origin) {
  try {
    if (!fs::exists(file))
      return std::nullopt;
    sqlite::connection db{file, sqlite::connection::mode::read_only};
    sqlite::statement query{db, "SELECT signature, records FROM origin"};
    if (query.step() && query.text(0) == origin)
      return static_cast<size_t>(query.number(1));
  } catch (const std::runtime_error&) {
    // Not a database of ours, or a broken one: to be made anew.
  }
  return std::nullopt;
}

// Removes the half-made file if it never got its name.
struct temporary_file {
  fs::path path;

  ~temporary_file() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

} // namespace

size_t build_database(const fs::path& file, const source_files& sources) {
  auto origin = std::string{format} + signature(sources);
  if (auto known = records_of(file, origin))
    return *known;
  std::vector<std::string> texts;
  record_map records;
  {
    progress bar{"reading package lists", sources.size()};
    texts.reserve(sources.size());
    for (auto& source : sources) {
      texts.push_back(read_source(source));
      collect(records, texts.back());
      bar.advance(texts.size());
    }
  }
  if (records.empty())
    throw std::runtime_error("there are no package records in "
                             + sources.front().string());
  if (file.has_parent_path())
    fs::create_directories(file.parent_path());
  temporary_file temporary{file.string() + '.' + std::to_string(getpid())};
  fs::remove(temporary.path);
  write_database(temporary.path, records, origin);
  fs::rename(temporary.path, file);
  return records.size();
}

record_reader::record_reader(const fs::path& file)
  : db_{file, sqlite::connection::mode::read_only},
    find_{db_, "SELECT stanza FROM record WHERE name = ?"} {}

std::optional<std::string_view> record_reader::find(std::string_view name) {
  find_.reset();
  find_.bind(1, name);
  if (!find_.step())
    return std::nullopt;
  return find_.text(0);
}

provider_table record_reader::providers() {
  provider_table result;
  sqlite::statement query{db_, "SELECT name, package FROM provider"};
  while (query.step())
    result.emplace(query.text(0), query.text(1));
  return result;
}

std::vector<std::string> record_reader::pick_roots(size_t n, uint64_t seed) {
  std::vector<std::string> result;
  sqlite::statement query{db_, root_query};
  query.bind(1, static_cast<int64_t>(4 * n));
  while (query.step())
    result.emplace_back(query.text(0));
  // Not std::shuffle, which may differ between standard libraries.
  std::mt19937_64 random{seed};
  for (size_t i = 0; i < std::min(n, result.size()); ++i)
    std::swap(result[i], result[i + random() % (result.size() - i)]);
  result.resize(std::min(n, result.size()));
  return result;
}

} // namespace packages
