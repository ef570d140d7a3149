#include "process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace packages {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

// The two ends of a pipe, neither inherited by children unless duplicated.
std::pair<file_descriptor, file_descriptor> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0)
    fail("pipe");
  return {file_descriptor{fds[0]}, file_descriptor{fds[1]}};
}

void set_non_blocking(int fd) {
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
    fail("fcntl");
}

std::string describe(int status) {
  if (WIFSIGNALED(status))
    return "signal " + std::to_string(WTERMSIG(status));
  if (auto code = WEXITSTATUS(status); code != 0)
    return "exit code " + std::to_string(code);
  return {};
}

// Between fork and exec: only what is safe after a fork.
[[noreturn]] void become(const char* program, char* const* argv, int input,
                         int output, pid_t parent) {
  // The driver may have died before the request took effect.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
    _exit(127);
  if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
    execv(program, argv);
  _exit(127);
}

} // namespace

void file_descriptor::reset() {
  if (fd_ >= 0)
    close(std::exchange(fd_, -1));
}

bool line_reader::read_some(int fd) {
  std::array<char, 65536> chunk;
  auto n = read(fd, chunk.data(), chunk.size());
  if (n < 0)
    return errno == EINTR || errno == EAGAIN;
  buffer_.append(chunk.data(), static_cast<size_t>(n));
  return n > 0;
}

std::optional<std::string> line_reader::next() {
  auto end = buffer_.find('\n', begin_);
  if (end == std::string::npos) {
    buffer_.erase(0, std::exchange(begin_, 0));
    return std::nullopt;
  }
  auto line = buffer_.substr(begin_, end - begin_);
  begin_ = end + 1;
  return line;
}

bool write_line(int fd, std::string_view line) {
  std::string text{line};
  text += '\n';
  std::string_view rest = text;
  while (!rest.empty()) {
    auto n = write(fd, rest.data(), rest.size());
    if (n >= 0)
      rest.remove_prefix(static_cast<size_t>(n));
    else if (errno != EINTR)
      return false;
  }
  return true;
}

child::child(const std::vector<std::string>& argv, const std::string& program) {
  auto [their_input, our_input] = make_pipe();
  auto [our_output, their_output] = make_pipe();
  set_non_blocking(our_input.get());
  set_non_blocking(our_output.get());
  std::vector<char*> args;
  for (auto& arg : argv)
    args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  auto path = program.empty() ? argv.front().c_str() : program.c_str();
  auto self = getpid();
  pid_ = fork();
  if (pid_ < 0)
    fail("fork");
  if (pid_ == 0)
    become(path, args.data(), their_input.get(), their_output.get(), self);
  input_ = std::move(our_input);
  output_ = std::move(our_output);
}

child::child(child&& other) noexcept
  : pid_{std::exchange(other.pid_, -1)},
    input_{std::move(other.input_)},
    output_{std::move(other.output_)} {}

child& child::operator=(child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(input_, other.input_);
  std::swap(output_, other.output_);
  return *this;
}

child::~child() {
  kill();
  wait();
}

bool child::say(std::string_view line) {
  std::string text{line};
  text += '\n';
  // What we say is far less than a pipe holds: if it does not fit, the child
  // has stopped reading.
  auto n = write(input_.get(), text.data(), text.size());
  return n == static_cast<ssize_t>(text.size());
}

void child::hang_up() {
  input_.reset();
}

void child::kill() {
  if (alive())
    ::kill(pid_, SIGKILL);
}

std::string child::wait() {
  if (!alive())
    return {};
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR)
    ; // again
  pid_ = -1;
  return describe(status);
}

std::string output_of(const std::vector<std::string>& argv) {
  child program{argv};
  program.hang_up();
  auto fd = program.output();
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) != 0)
    fail("fcntl");
  std::string result;
  std::vector<char> chunk(1 << 20);
  for (;;) {
    auto n = read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno != EINTR)
      fail("read");
    if (n == 0)
      break;
    if (n > 0)
      result.append(chunk.data(), static_cast<size_t>(n));
  }
  if (auto end = program.wait(); !end.empty())
    throw std::runtime_error(argv.front() + " ended with " + end);
  return result;
}

} // namespace packages
