#include "galaxycache/runtime/log.hpp"

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace galaxycache;

namespace {

using journal = galaxycache::log;
using lines = std::vector<std::pair<log_level, std::string>>;

void say_all(const journal& to) {
  to.error("an error");
  to.warning("a warning");
  to.info("an info");
  to.debug("a debug");
}

const lines all{{log_level::error, "an error"},
                {log_level::warning, "a warning"},
                {log_level::info, "an info"},
                {log_level::debug, "a debug"}};

/// Catches what is written to standard error while it lives.
class caught_stderr {
public:
  caught_stderr() : file_(std::tmpfile()), saved_(dup(STDERR_FILENO)) {
    BOOST_TEST_REQUIRE(file_ != nullptr);
    std::fflush(stderr);
    dup2(fileno(file_), STDERR_FILENO);
  }

  caught_stderr(const caught_stderr&) = delete;
  caught_stderr& operator=(const caught_stderr&) = delete;

  ~caught_stderr() {
    release();
    std::fclose(file_);
  }

  /// Lets go and returns what was caught.
  std::string text() {
    release();
    std::rewind(file_);
    std::string result;
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_))
      result += static_cast<char>(c);
    return result;
  }

private:
  void release() {
    if (saved_ < 0)
      return;
    std::fflush(stderr);
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    saved_ = -1;
  }

  std::FILE* file_;
  int saved_;
};

} // namespace

// The C library has a function of this name: hence the namespace.
namespace of_runtime {

BOOST_AUTO_TEST_SUITE(log)

BOOST_AUTO_TEST_CASE(lines_up_to_the_level_are_written) {
  for (std::size_t level = 0; level <= all.size(); ++level) {
    lines seen;
    const journal to{static_cast<log_level>(level),
                     [&](log_level at, std::string_view text) {
                       seen.emplace_back(at, text);
                     }};
    say_all(to);
    BOOST_TEST((
      seen
      == lines{all.begin(), all.begin() + static_cast<std::ptrdiff_t>(level)}));
  }
}

BOOST_AUTO_TEST_CASE(a_log_knows_what_it_shows) {
  const journal off{log_level::off, journal::sink{}};
  const journal warnings{log_level::warning, journal::sink{}};
  const journal everything{log_level::debug, journal::sink{}};
  for (const auto* x : {&off, &warnings, &everything})
    BOOST_TEST(!x->shows(log_level::off));
  BOOST_TEST(!off.shows(log_level::error));
  BOOST_TEST(warnings.shows(log_level::error));
  BOOST_TEST(warnings.shows(log_level::warning));
  BOOST_TEST(!warnings.shows(log_level::info));
  BOOST_TEST(everything.shows(log_level::debug));
}

BOOST_AUTO_TEST_CASE(without_a_sink_lines_go_nowhere) {
  say_all(journal{log_level::debug, journal::sink{}});
}

BOOST_AUTO_TEST_CASE(lines_on_standard_error_bear_the_name) {
  caught_stderr caught;
  {
    const journal to{log_level::warning, "node 7"};
    say_all(to);
  }
  const auto text = caught.text();
  const auto first = text.find("node 7");
  BOOST_TEST(first != std::string::npos);
  BOOST_TEST(text.find("an error") != std::string::npos);
  BOOST_TEST(text.find("node 7", first + 1) != std::string::npos);
  BOOST_TEST(text.find("a warning") != std::string::npos);
  BOOST_TEST(text.find("an info") == std::string::npos);
  BOOST_TEST(text.find("a debug") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_log_that_is_off_is_silent) {
  caught_stderr caught;
  {
    const journal to{log_level::off, "node 7"};
    say_all(to);
  }
  BOOST_TEST(caught.text() == "");
}

BOOST_AUTO_TEST_CASE(text_is_written_as_it_is) {
  caught_stderr caught;
  {
    const journal to{log_level::debug, "%s {}"};
    to.error("{} {0:x} %s %n {");
  }
  const auto text = caught.text();
  BOOST_TEST(text.find("%s {}") != std::string::npos);
  BOOST_TEST(text.find("{} {0:x} %s %n {") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(logs_of_the_same_name_may_live_side_by_side) {
  caught_stderr caught;
  {
    const journal one{log_level::info, "same"};
    const journal two{log_level::info, "same"};
    one.info("first");
    two.info("second");
  }
  const auto text = caught.text();
  BOOST_TEST(text.find("first") != std::string::npos);
  BOOST_TEST(text.find("second") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(any_thread_may_write) {
  std::atomic<int> seen{0};
  const journal to{log_level::info,
                   [&](log_level, std::string_view) { ++seen; }};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 1'000; ++j) {
        to.info("counted");
        to.debug("not counted");
      }
    });
  for (auto& t : threads)
    t.join();
  BOOST_TEST(seen == 3'000);
}

BOOST_AUTO_TEST_CASE(what_strangers_say_cannot_make_lines_of_its_own) {
  std::vector<std::string> heard;
  journal to{log_level::info, [&](log_level, std::string_view text) {
               heard.emplace_back(text);
             }};
  to.info("peer a\nb\x1b[31m");
  to.info(std::string(1 << 20, 'x'));
  BOOST_TEST_REQUIRE(heard.size() == 2u);
  BOOST_TEST(heard[0] == "peer a\\x0ab\\x1b[31m");
  BOOST_TEST(heard[1].size() < 5000u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace of_runtime
