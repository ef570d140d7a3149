#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace galaxycache {

enum class log_level : std::uint8_t { off, error, warning, info, debug };

/// Where a universe says what happens to it. Keys and values of the cache
/// never appear in it, and what a peer says of itself is escaped and cut, so
/// that every line is one. Thread-safe.
class log {
public:
  using sink = std::function<void(log_level, std::string_view)>;

  /// Writes lines up to this level to standard error, each marked with `name`.
  log(log_level level, const std::string& name);

  /// Hands lines up to this level to `to`, which any thread may call.
  log(log_level level, sink to);

  ~log();

  bool shows(log_level level) const noexcept {
    return level <= level_ && level != log_level::off;
  }

  void error(std::string_view text) const;
  void warning(std::string_view text) const;
  void info(std::string_view text) const;
  void debug(std::string_view text) const;

private:
  void write(log_level level, std::string_view text) const;

  log_level level_;
  sink to_;
};

} // namespace galaxycache
