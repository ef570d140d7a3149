#include "galaxycache/runtime/printable.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::literals;

BOOST_AUTO_TEST_SUITE(printable)

BOOST_AUTO_TEST_CASE(plain_text_stays_as_it_is) {
  BOOST_TEST(galaxycache::printable("caf://host:1 ~", 100) == "caf://host:1 ~");
  BOOST_TEST(galaxycache::printable("", 100) == "");
}

BOOST_AUTO_TEST_CASE(what_could_move_a_cursor_or_begin_a_line_is_spelled_out) {
  BOOST_TEST(galaxycache::printable("a\nb\x1b[2J\0\x7f\xff"sv, 100)
             == "a\\x0ab\\x1b[2J\\x00\\x7f\\xff");
}

BOOST_AUTO_TEST_CASE(long_text_is_cut_and_says_so) {
  BOOST_TEST(galaxycache::printable("abcd", 4) == "abcd");
  BOOST_TEST(galaxycache::printable("abcde", 4) == "abcd...");
}

BOOST_AUTO_TEST_SUITE_END()
