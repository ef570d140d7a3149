#include "reporter.hpp"

#include <utility>

namespace packages {

void reporter::include(std::function<void(figures&)> add) {
  std::lock_guard guard{mutex_};
  add_ = std::move(add);
}

void reporter::answered(source where, std::chrono::nanoseconds latency) {
  std::lock_guard guard{mutex_};
  ++figures_.gets;
  figures_.main_hits += where == source::main_cache;
  figures_.hot_hits += where == source::hot_cache;
  figures_.failed += where == source::error;
  figures_.latency.record(static_cast<uint64_t>(latency.count()));
}

void reporter::wrong(std::string_view key) {
  {
    std::lock_guard guard{mutex_};
    ++figures_.wrong;
  }
  trouble("the answer for " + std::string{key} + " is not the database's");
}

void reporter::failed(std::string_view key, std::string_view why) {
  trouble("no answer for " + std::string{key} + ": " + std::string{why});
}

void reporter::say_with_figures(std::string_view is, json what) {
  std::lock_guard guard{mutex_};
  auto now = figures_;
  if (add_)
    add_(now);
  what["is"] = is;
  what["figures"] = now;
  // If nobody listens any more, standard input ends, too.
  write_line(out_.get(), what.dump());
}

void reporter::say(std::string_view is, json what) {
  std::lock_guard guard{mutex_};
  what["is"] = is;
  write_line(out_.get(), what.dump());
}

void reporter::trouble(std::string text) {
  say("trouble", {{"text", std::move(text)}});
}

} // namespace packages
