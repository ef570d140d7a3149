#include "result.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace packages {

namespace {

using row = std::vector<std::string>;

std::string grouped(uint64_t number) {
  auto text = std::to_string(number);
  for (auto i = text.size(); i > 3; i -= 3)
    text.insert(i - 3, ",");
  return text;
}

std::string decimal(double number, const char* unit) {
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), "%.1f %s", number, unit);
  return text.data();
}

double microseconds(const histogram& latency, double quantile) {
  return static_cast<double>(latency.quantile(quantile)) / 1e3;
}

std::string duration(const histogram& latency, double quantile) {
  auto us = microseconds(latency, quantile);
  return us < 1000 ? decimal(us, "us") : decimal(us / 1000, "ms");
}

row row_of(std::string name, const figures& f) {
  return {std::move(name),          grouped(f.gets),
          grouped(f.main_hits),     grouped(f.hot_hits),
          grouped(f.peer_fetches),  grouped(f.backend_loads),
          grouped(f.coalesced),     duration(f.latency, 0.5),
          duration(f.latency, 0.99)};
}

// The first column to the left, the others to the right.
std::string aligned(const std::vector<row>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (auto& cells : rows)
    for (size_t i = 0; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], cells[i].size());
  std::string result;
  for (auto& cells : rows) {
    for (size_t i = 0; i < cells.size(); ++i) {
      std::string blanks(widths[i] - cells[i].size(), ' ');
      result += i == 0 ? cells[i] + blanks : "  " + blanks + cells[i];
    }
    result += '\n';
  }
  return result;
}

json object_of(const figures& f) {
  return {{"gets", f.gets},
          {"main_hits", f.main_hits},
          {"hot_hits", f.hot_hits},
          {"peer_fetches", f.peer_fetches},
          {"backend_loads", f.backend_loads},
          {"coalesced", f.coalesced},
          {"p50_us", microseconds(f.latency, 0.5)},
          {"p99_us", microseconds(f.latency, 0.99)},
          {"wrong", f.wrong},
          {"failed", f.failed}};
}

} // namespace

std::string as_table(const run_result& result) {
  std::vector<row> rows{{"", "gets", "main hits", "hot hits", "peer fetches",
                         "backend loads", "coalesced", "p50", "p99"}};
  std::string note;
  for (auto& node : result.nodes) {
    if (node.lives.size() == 1) {
      rows.push_back(row_of(node.id, node.lives.front()));
      continue;
    }
    note = node.id
           + " was killed and restarted: its first row is what it last "
             "reported, its second counts from the restart.\n";
    rows.push_back(row_of(node.id + ", killed", node.lives.front()));
    rows.push_back(row_of(node.id + ", restarted", node.lives.back()));
  }
  auto all = result.sum();
  rows.push_back(row_of("cluster", all));
  return aligned(rows) + note + grouped(result.closures) + " closures, "
         + grouped(all.gets) + " gets of " + grouped(result.unique_keys)
         + " packages (and " + grouped(result.absent)
         + " names that are none), loaded " + grouped(all.backend_loads)
         + " times, in " + decimal(result.seconds, "s") + ": "
         + grouped(all.wrong) + " wrong, " + grouped(all.failed) + " failed\n";
}

json as_json(const run_result& result) {
  auto nodes = json::array();
  for (auto& node : result.nodes) {
    auto object = object_of(node.sum());
    object["id"] = node.id;
    if (node.lives.size() > 1)
      for (auto& life : node.lives)
        object["lives"].push_back(object_of(life));
    nodes.push_back(std::move(object));
  }
  auto object = object_of(result.sum());
  object["unique_keys"] = result.unique_keys;
  object["absent"] = result.absent;
  object["closures"] = result.closures;
  object["seconds"] = result.seconds;
  object["nodes"] = std::move(nodes);
  return object;
}

} // namespace packages
