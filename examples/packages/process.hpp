#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Child processes and the pipes to them. To be used before the process has
/// threads: children are forked.
namespace packages {

/// Owns a file descriptor.
class file_descriptor {
public:
  explicit file_descriptor(int fd = -1) : fd_{fd} {}

  file_descriptor(file_descriptor&& other) noexcept
    : fd_{std::exchange(other.fd_, -1)} {}

  file_descriptor& operator=(file_descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  ~file_descriptor() {
    reset();
  }

  void reset();

  int get() const {
    return fd_;
  }

  explicit operator bool() const {
    return fd_ >= 0;
  }

private:
  int fd_;
};

/// Splits what comes out of a descriptor into lines.
class line_reader {
public:
  /// Reads what is there, or waits for more if the descriptor blocks.
  /// Returns false at the end of the stream.
  bool read_some(int fd);

  /// The next whole line without its newline.
  std::optional<std::string> next();

private:
  std::string buffer_;
  size_t begin_ = 0;
};

/// Writes a line to a blocking descriptor; false: nobody reads any more.
bool write_line(int fd, std::string_view line);

/// A child process that is spoken to in lines through its standard input and
/// output. It dies with us, and is killed and reaped with this object.
class child {
public:
  child() = default;

  /// Runs `argv`; if `program` is empty, argv[0] is the program's path.
  /// Throws std::system_error.
  explicit child(const std::vector<std::string>& argv,
                 const std::string& program = {});

  child(child&& other) noexcept;
  child& operator=(child&& other) noexcept;
  ~child();

  /// The process is there: running, or not yet reaped.
  bool alive() const {
    return pid_ > 0;
  }

  pid_t pid() const {
    return pid_;
  }

  /// What the child says. Does not block.
  int output() const {
    return output_.get();
  }

  /// Never blocks; false: the child does not take it.
  bool say(std::string_view line);

  /// Ends the child's standard input.
  void hang_up();

  void kill();

  /// Waits for the end of the process and says how it ended: empty if by
  /// exit(0), else "exit code 1" or "signal 11".
  std::string wait();

private:
  pid_t pid_ = -1;
  file_descriptor input_;
  file_descriptor output_;
};

/// Runs a program to its end and returns what it wrote. No shell is involved.
/// Throws std::runtime_error if it fails.
std::string output_of(const std::vector<std::string>& argv);

} // namespace packages
