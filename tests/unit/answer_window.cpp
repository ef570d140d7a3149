#include "galaxycache/runtime/answer_window.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>

namespace {

using window = galaxycache::answer_window;

window make(bool with_pieces) {
  window result;
  result.resize(100, with_pieces);
  return result;
}

/// Sends pieces while they have room; returns how many.
std::size_t send_pieces(window& x, std::uint64_t bytes) {
  std::size_t n = 0;
  for (; x.has_room_for_piece(); ++n)
    x.send_piece(bytes);
  return n;
}

} // namespace

BOOST_AUTO_TEST_SUITE(answer_window)

BOOST_AUTO_TEST_CASE(small_answers_have_one_window_without_pieces) {
  auto x = make(false);
  BOOST_TEST(x.room_for_small() == 100u);
  x.send_small(60);
  BOOST_TEST(x.room_for_small() == 40u);
  x.send_small(60);
  BOOST_TEST(x.room_for_small() == 0u);
  x.take(30);
  BOOST_TEST(x.under_way() == 90u);
  BOOST_TEST(x.room_for_small() == 10u);
}

BOOST_AUTO_TEST_CASE(pieces_beside_small_answers_have_one_window) {
  auto x = make(true);
  x.send_small(10);
  BOOST_TEST(send_pieces(x, 30) == 3u);
  BOOST_TEST(x.room_for_small() == 100u);
  // What is small keeps coming: nothing but the small window opens.
  for (int i = 0; i < 20; ++i) {
    x.take(x.sent());
    x.send_small(20);
    BOOST_TEST(send_pieces(x, 30) == 3u);
  }
}

BOOST_AUTO_TEST_CASE(pieces_alone_have_four_windows) {
  auto x = make(true);
  x.send_small(10);
  std::size_t most = 0;
  for (int i = 0; i < 20; ++i) {
    send_pieces(x, 50);
    most = std::max<std::size_t>(most, x.under_way());
    x.take(x.sent() - x.under_way() + 50);
  }
  BOOST_TEST(most >= 400u);
  BOOST_TEST(most < 450u);
}

BOOST_AUTO_TEST_CASE(small_answers_find_room_whatever_pieces_have) {
  auto x = make(true);
  x.send_small(10);
  x.take(10);
  while (x.under_way() < 400) {
    auto before = x.under_way();
    send_pieces(x, 50);
    if (x.under_way() == before)
      x.take(x.sent());
  }
  BOOST_TEST(x.room_for_small() >= 50u);
  BOOST_TEST(x.room_for_small() <= 100u);
}

BOOST_AUTO_TEST_CASE(the_window_of_small_answers_shrinks_again) {
  auto x = make(true);
  for (int i = 0; i < 20; ++i) {
    send_pieces(x, 50);
    x.take(x.sent());
  }
  send_pieces(x, 50);
  x.send_small(1);
  const auto with_many_pieces = x.room_for_small();
  BOOST_TEST(x.under_way() + with_many_pieces == 500u);
  x.take(x.sent() - 1);
  BOOST_TEST(x.under_way() == 1u);
  BOOST_TEST(x.room_for_small() == 199u);
}

BOOST_AUTO_TEST_CASE(what_a_peer_says_is_believed_as_far_as_it_can_be) {
  auto x = make(true);
  x.send_small(50);
  x.take(1000);
  BOOST_TEST(x.under_way() == 0u);
  x.send_small(50);
  x.take(20);
  BOOST_TEST(x.under_way() == 50u);
}

BOOST_AUTO_TEST_CASE(what_was_under_way_is_forgotten) {
  auto x = make(true);
  x.send_small(50);
  x.send_other(20);
  BOOST_TEST(x.under_way() == 70u);
  x.forget();
  BOOST_TEST(x.under_way() == 0u);
  BOOST_TEST(x.sent() == 70u);
  BOOST_TEST(send_pieces(x, 50) == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
