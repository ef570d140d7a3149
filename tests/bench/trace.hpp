#pragma once

// Request traces, from files and made up.

#include "galaxycache/runtime/random.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <istream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace galaxycache::bench {

struct request {
  std::uint64_t key = 0;
  std::uint64_t size = 1;
};

/// Requests, one after the other. What cannot be read throws
/// `std::runtime_error`.
class trace {
public:
  virtual ~trace() = default;

  /// The next request; false after the last one.
  virtual bool next(request& into) = 0;
};

/// Numbers from 1 to `count`, n with a probability of 1 / n^alpha, by
/// rejection-inversion (Hoermann and Derflinger, 1996).
class zipf {
public:
  zipf(double alpha, std::uint64_t count)
    : alpha_(alpha),
      count_(static_cast<double>(count)),
      low_(integral(1.5) - 1),
      high_(integral(count_ + 0.5)),
      near_(2 - inverse(integral(2.5) - density(2))) {
    // nop
  }

  std::uint64_t operator()(random_source& random) const {
    for (;;) {
      const auto unit = static_cast<double>(random.next() >> 11) * 0x1p-53;
      const auto u = high_ + unit * (low_ - high_);
      const auto x = inverse(u);
      const auto n = std::min(std::max(std::floor(x + 0.5), 1.0), count_);
      if (n - x <= near_ || u >= integral(n + 0.5) - density(n))
        return static_cast<std::uint64_t>(n);
    }
  }

private:
  double density(double x) const {
    return std::exp(-alpha_ * std::log(x));
  }

  double integral(double x) const {
    const auto log_x = std::log(x);
    const auto t = (1 - alpha_) * log_x;
    return (std::abs(t) > 1e-8 ? std::expm1(t) / t : 1 + t / 2) * log_x;
  }

  double inverse(double x) const {
    const auto t = std::max(x * (1 - alpha_), -1.0);
    return std::exp((std::abs(t) > 1e-8 ? std::log1p(t) / t : 1 - t / 2) * x);
  }

  const double alpha_;
  const double count_;
  const double low_;
  const double high_;
  const double near_;
};

namespace detail {

[[noreturn]] inline void fail(const std::string& what) {
  throw std::runtime_error{what};
}

class trace_file {
public:
  explicit trace_file(std::string name)
    : name_(std::move(name)),
      room_(1 << 16) {
    in_.rdbuf()->pubsetbuf(room_.data(),
                           static_cast<std::streamsize>(room_.size()));
    errno = 0;
    in_.open(name_, std::ios::binary);
    if (!in_)
      fail(name_ + ": " + reason());
    char start[6] = {};
    in_.read(start, sizeof(start));
    if (in_.bad() || in_.gcount() == 0)
      fail(name_ + ": " + (errno != 0 ? reason() : "is empty"));
    const std::string_view magic{start, static_cast<std::size_t>(in_.gcount())};
    for (auto [known, program] : {std::pair{"\x1f\x8b\x08", "gzip"},
                                  {"\xfd"
                                   "7zXZ",
                                   "xz"},
                                  {"\x28\xb5\x2f\xfd", "zstd"},
                                  {"BZh", "bzip2"}})
      if (magic.starts_with(known))
        fail(name_ + ": is compressed with " + program
             + "; decompress it first");
    in_.clear();
    in_.seekg(0);
    if (!in_)
      fail(name_ + ": cannot be read from its start again");
  }

  std::istream& in() {
    return in_;
  }

  /// After the last of it has been read.
  void check_end() {
    if (in_.bad())
      fail(name_ + ": " + reason());
  }

  [[noreturn]] void bad_line(std::uint64_t number, const char* wanted) {
    fail(name_ + ": line " + std::to_string(number) + " is not \"" + wanted
         + "\"");
  }

  [[noreturn]] void cut_off() {
    fail(name_ + ": ends in the middle of a key");
  }

private:
  static std::string reason() {
    return errno != 0 ? std::generic_category().message(errno)
                      : "cannot be read";
  }

  const std::string name_;
  std::vector<char> room_;
  std::ifstream in_;
};

class binary_trace : public trace {
public:
  binary_trace(const std::string& name, std::size_t key_bytes)
    : file_(name),
      key_bytes_(key_bytes) {
    // nop
  }

  bool next(request& into) override {
    char bytes[8];
    file_.in().read(bytes, static_cast<std::streamsize>(key_bytes_));
    if (const auto got = file_.in().gcount();
        static_cast<std::size_t>(got) != key_bytes_) {
      file_.check_end();
      if (got != 0)
        file_.cut_off();
      return false;
    }
    into = {};
    for (std::size_t i = 0; i < key_bytes_; ++i)
      into.key = into.key << 8 | static_cast<unsigned char>(bytes[i]);
    return true;
  }

private:
  trace_file file_;
  const std::size_t key_bytes_;
};

class text_trace : public trace {
public:
  explicit text_trace(const std::string& name) : file_(name) {
    // nop
  }

protected:
  /// The numbers at the start of the next line that is not empty; false after
  /// the last line.
  bool read_line(std::vector<std::uint64_t>& numbers) {
    do {
      if (!std::getline(file_.in(), line_)) {
        file_.check_end();
        return false;
      }
      ++line_number_;
    } while (line_.find_first_not_of(" \t\r") == std::string::npos);
    numbers.clear();
    const auto* at = line_.data();
    const auto* end = at + line_.size();
    for (;;) {
      while (at != end && (*at == ' ' || *at == '\t' || *at == '\r'))
        ++at;
      std::uint64_t n = 0;
      const auto [rest, error] = std::from_chars(at, end, n);
      if (error != std::errc{})
        return true;
      numbers.push_back(n);
      at = rest;
    }
  }

  [[noreturn]] void bad_line(const char* wanted) {
    file_.bad_line(line_number_, wanted);
  }

private:
  trace_file file_;
  std::string line_;
  std::uint64_t line_number_ = 0;
};

class tks_trace : public text_trace {
public:
  using text_trace::text_trace;

  bool next(request& into) override {
    if (!read_line(numbers_))
      return false;
    if (numbers_.size() != 3)
      bad_line("time key size");
    into = {numbers_[1], numbers_[2]};
    return true;
  }

private:
  std::vector<std::uint64_t> numbers_;
};

class arc_trace : public text_trace {
public:
  using text_trace::text_trace;

  bool next(request& into) override {
    while (left_ == 0) {
      if (!read_line(numbers_))
        return false;
      if (numbers_.size() < 2)
        bad_line("first_block count ...");
      block_ = numbers_[0];
      left_ = numbers_[1];
    }
    --left_;
    into = {block_++, 1};
    return true;
  }

private:
  std::vector<std::uint64_t> numbers_;
  std::uint64_t block_ = 0;
  std::uint64_t left_ = 0;
};

class zipf_trace : public trace {
public:
  zipf_trace(double alpha, std::uint64_t keys, std::uint64_t requests,
             std::uint64_t seed)
    : key_(alpha, keys),
      left_(requests),
      random_(seed) {
    // nop
  }

  bool next(request& into) override {
    if (left_ == 0)
      return false;
    --left_;
    into = {key_(random_), 1};
    return true;
  }

private:
  const zipf key_;
  std::uint64_t left_;
  random_source random_;
};

class loop_trace : public trace {
public:
  loop_trace(std::uint64_t keys, std::uint64_t requests)
    : keys_(keys),
      requests_(requests) {
    // nop
  }

  bool next(request& into) override {
    if (done_ == requests_)
      return false;
    into = {done_++ % keys_, 1};
    return true;
  }

private:
  const std::uint64_t keys_;
  const std::uint64_t requests_;
  std::uint64_t done_ = 0;
};

inline std::vector<double> numbers_of(std::string_view format,
                                      std::size_t wanted) {
  const auto bad = [&] {
    fail("\"" + std::string{format}
         + "\" is not zipf:ALPHA:KEYS:REQUESTS or "
           "loop:KEYS:REQUESTS");
  };
  std::vector<double> result;
  auto rest = format;
  for (auto colon = rest.find(':'); colon != rest.npos;
       colon = rest.find(':')) {
    rest.remove_prefix(colon + 1);
    const auto item = rest.substr(0, rest.find(':'));
    double n = 0;
    const auto [end, error] = std::from_chars(item.data(),
                                              item.data() + item.size(), n);
    if (error != std::errc{} || end != item.data() + item.size()
        || !(n >= 0 && n < 1e15))
      bad();
    result.push_back(n);
  }
  if (result.size() != wanted || result.end()[-2] < 1 || result.back() < 1)
    bad();
  return result;
}

} // namespace detail

inline constexpr const char* trace_formats
  = "int32be, int64be (a key each), arc (lines of: first_block count ...), tks "
    "(lines of: time key size), zipf:ALPHA:KEYS:REQUESTS or loop:KEYS:REQUESTS "
    "(without a file)";

/// Opens a trace from its start; `file` is of no account if the format says
/// all. Throws `std::runtime_error`.
inline std::unique_ptr<trace> open_trace(const std::string& format,
                                         const std::string& file,
                                         std::uint64_t seed) {
  if (format.starts_with("zipf:")) {
    const auto n = detail::numbers_of(format, 3);
    return std::make_unique<detail::zipf_trace>(
      n[0], static_cast<std::uint64_t>(n[1]), static_cast<std::uint64_t>(n[2]),
      seed);
  }
  if (format.starts_with("loop:")) {
    const auto n = detail::numbers_of(format, 2);
    return std::make_unique<detail::loop_trace>(
      static_cast<std::uint64_t>(n[0]), static_cast<std::uint64_t>(n[1]));
  }
  const auto known = format == "int32be" || format == "int64be"
                     || format == "arc" || format == "tks";
  if (!known)
    detail::fail("unknown format \"" + format + "\"; known are "
                 + trace_formats);
  if (file.empty())
    detail::fail("the format " + format + " needs a file: --trace");
  if (format == "arc")
    return std::make_unique<detail::arc_trace>(file);
  if (format == "tks")
    return std::make_unique<detail::tks_trace>(file);
  return std::make_unique<detail::binary_trace>(file,
                                                format == "int32be" ? 4 : 8);
}

} // namespace galaxycache::bench
