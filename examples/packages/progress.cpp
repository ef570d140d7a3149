#include "progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace packages {

namespace {

// Often enough to look smooth, seldom enough to cost nothing.
constexpr auto redraw_interval = std::chrono::milliseconds{40};

constexpr size_t bar_width = 30;

void write_out(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

} // namespace

progress::progress(std::string label, size_t total)
  : label_{std::move(label)},
    total_{total > 0 ? total : 1} {
  auto term = std::getenv("TERM");
  on_terminal_ = isatty(STDERR_FILENO) == 1 && term != nullptr
                 && std::strcmp(term, "dumb") != 0;
}

progress::~progress() {
  clear();
}

void progress::advance(size_t done, std::string_view note) {
  done_ = done < total_ ? done : total_;
  if (on_terminal_) {
    auto now = std::chrono::steady_clock::now();
    if (now - last_ < redraw_interval && done_ < total_)
      return;
    last_ = now;
    draw(note);
    return;
  }
  auto tenths = done_ * 10 / total_;
  if (tenths <= tenths_)
    return;
  tenths_ = tenths;
  draw(note);
}

void progress::say(std::string_view line) {
  clear();
  write_out(std::string{line} + '\n');
}

void progress::draw(std::string_view note) {
  auto text = std::to_string(done_ * 100 / total_) + " %";
  if (on_terminal_) {
    auto filled = done_ * bar_width / total_;
    text.insert(0, 5 - text.size(), ' ');
    text = "\r\x1b[K" + label_ + " [" + std::string(filled, '#')
           + std::string(bar_width - filled, '.') + ']' + text;
    drawn_ = true;
  } else {
    text = label_ + ": " + text;
  }
  if (!note.empty())
    text.append("  ").append(note);
  if (!on_terminal_)
    text += '\n';
  write_out(text);
}

void progress::clear() {
  if (drawn_)
    write_out("\r\x1b[K");
  drawn_ = false;
}

} // namespace packages
