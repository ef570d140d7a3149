#include "member.hpp"

#include <stdexcept>

namespace packages {

void member::start(const std::filesystem::path& database) {
  process_
    = child{{"packages", "node", "--id", id_, "--database", database.string()},
            "/proc/self/exe"};
  lines_ = line_reader{};
  last_heard_ = clock::now();
  lives_.emplace_back();
}

bool member::listen(const listener& heard) {
  auto open = lines_.read_some(process_.output());
  while (auto line = lines_.next()) {
    json what;
    try {
      what = json::parse(*line);
      note(what);
    } catch (const json::exception&) {
      throw std::runtime_error(id_ + " says what nobody understands: " + *line);
    }
    heard(what);
  }
  return open;
}

void member::say(const json& what) {
  if (!process_.say(what.dump()))
    throw std::runtime_error(id_ + " does not take its orders any more");
}

void member::kill(const listener& heard) {
  process_.kill();
  process_.wait();
  // With the process gone its pipe ends after what it had written.
  while (listen(heard))
    ; // more
  uri_.clear();
  connected_view_ = 0;
}

void member::note(const json& what) {
  last_heard_ = clock::now();
  auto& is = what.at("is").get_ref<const std::string&>();
  if (is == "ready")
    uri_ = what.at("uri");
  else if (is == "connected")
    connected_view_ = what.at("view");
  if (auto i = what.find("figures"); i != what.end())
    lives_.back() = i->get<figures>();
}

} // namespace packages
