#pragma once

#include "process.hpp"
#include "protocol.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace packages {

/// Counts what a node's walks get, and tells the driver. For any thread.
class reporter {
public:
  enum class source { main_cache, hot_cache, elsewhere, error };

  /// Speaks through the descriptor.
  explicit reporter(file_descriptor out) : out_{std::move(out)} {}

  /// From now on the figures include what `add` adds to them.
  void include(std::function<void(figures&)> add);

  /// A get was answered after this long.
  void answered(source where, std::chrono::nanoseconds latency);

  /// An answer was not what the database says.
  void wrong(std::string_view key);

  /// A get was answered with an error.
  void failed(std::string_view key, std::string_view why);

  /// Tells the driver that `is` is the case, with the figures of now.
  void say_with_figures(std::string_view is, json what = json::object());

  void say(std::string_view is, json what = json::object());

private:
  void trouble(std::string text);

  std::mutex mutex_;
  file_descriptor out_;
  figures figures_;
  std::function<void(figures&)> add_;
};

} // namespace packages
