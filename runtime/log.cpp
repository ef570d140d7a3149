#include "galaxycache/runtime/log.hpp"

#include "galaxycache/runtime/printable.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace galaxycache {

namespace {

spdlog::level::level_enum spdlog_level(log_level level) {
  switch (level) {
    case log_level::error:
      return spdlog::level::err;
    case log_level::warning:
      return spdlog::level::warn;
    case log_level::info:
      return spdlog::level::info;
    case log_level::debug:
      return spdlog::level::debug;
    case log_level::off:
      break;
  }
  return spdlog::level::off;
}

// Much longer than anything that is said here, unless a peer has a say in it.
constexpr std::size_t line_bytes_max = 4096;

/// A logger of our own, not registered with spdlog: there is no global state.
log::sink standard_error(const std::string& name) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("galaxycache " + name, sink);
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return [logger](log_level level, std::string_view text) {
    logger->log(spdlog_level(level), text);
  };
}

} // namespace

log::log(log_level level, const std::string& name)
  : level_(level),
    to_(standard_error(name)) {
  // nop
}

log::log(log_level level, sink to) : level_(level), to_(std::move(to)) {
  // nop
}

log::~log() {
  // nop
}

void log::error(std::string_view text) const {
  write(log_level::error, text);
}

void log::warning(std::string_view text) const {
  write(log_level::warning, text);
}

void log::info(std::string_view text) const {
  write(log_level::info, text);
}

void log::debug(std::string_view text) const {
  write(log_level::debug, text);
}

void log::write(log_level level, std::string_view text) const {
  if (shows(level) && to_)
    to_(level, printable(text, line_bytes_max));
}

} // namespace galaxycache
