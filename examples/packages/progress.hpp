#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace packages {

/// Shows on standard error how far a piece of work is: a bar on a terminal,
/// else a line for every tenth of it.
class progress {
public:
  progress(std::string label, size_t total);
  ~progress();

  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  /// `done` of the total are done; `note` is shown behind the bar.
  void advance(size_t done, std::string_view note = {});

  /// Writes a line of its own, above the bar.
  void say(std::string_view line);

private:
  void draw(std::string_view note);
  void clear();

  std::string label_;
  size_t total_;
  size_t done_ = 0;
  size_t tenths_ = 0;
  bool on_terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

} // namespace packages
