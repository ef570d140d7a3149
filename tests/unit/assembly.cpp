#include "galaxycache/runtime/assembly.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

using namespace galaxycache;

namespace {

using pieces = galaxycache::assembly;
using piece = pieces::piece;

const std::string ten = "0123456789";

std::string_view part(std::size_t offset, std::size_t size) {
  return std::string_view{ten}.substr(offset, size);
}

} // namespace

BOOST_AUTO_TEST_SUITE(assembly)

BOOST_AUTO_TEST_CASE(it_is_found_by_its_number_as_long_as_it_lives) {
  auto x = pieces::make();
  auto y = pieces::make();
  BOOST_TEST(x->number() != y->number());
  BOOST_TEST(x->number() != 0u);
  BOOST_TEST(pieces::find(x->number()) == x);
  BOOST_TEST(pieces::find(y->number()) == y);
  auto number = x->number();
  x.reset();
  BOOST_TEST(!pieces::find(number));
  BOOST_TEST(!pieces::find(0));
}

BOOST_AUTO_TEST_CASE(pieces_put_in_their_place_are_not_copied_again) {
  auto x = pieces::make();
  const auto before = pieces::counted();
  const auto head = x->place({1, 0, 10, 0}, part(0, 4));
  const auto tail = x->place({1, 0, 10, 4}, part(4, 6));
  BOOST_REQUIRE((head && tail));
  BOOST_TEST(head->bytes() == "0123");
  BOOST_TEST(tail->bytes() == "456789");
  BOOST_TEST(x->take({1, 0, 10, 0}, *head));
  BOOST_TEST(x->take({1, 0, 10, 4}, *tail));
  const auto whole = x->finish({1});
  BOOST_TEST(whole.bytes() == ten);
  BOOST_TEST((whole.bytes().data() == head->bytes().data()));
  BOOST_TEST(x->size() == 0u);
  const auto after = pieces::counted();
  BOOST_TEST(after.placed - before.placed == 10u);
  BOOST_TEST(after.moved == before.moved);
}

BOOST_AUTO_TEST_CASE(pieces_from_elsewhere_are_copied) {
  auto x = pieces::make();
  const auto before = pieces::counted();
  BOOST_TEST(x->take({1, 0, 10, 0}, value::copy(part(0, 4))));
  const auto placed = x->place({1, 0, 10, 4}, part(4, 5));
  BOOST_REQUIRE(placed);
  BOOST_TEST(x->take({1, 0, 10, 4}, *placed));
  BOOST_TEST(x->take({1, 0, 10, 9}, value::copy(part(9, 1))));
  BOOST_TEST(x->finish({1}).bytes() == ten);
  const auto after = pieces::counted();
  BOOST_TEST(after.placed - before.placed == 5u);
  BOOST_TEST(after.moved - before.moved == 5u);
}

BOOST_AUTO_TEST_CASE(pieces_may_be_read_in_any_order) {
  auto order = std::vector<std::size_t>{0, 1, 2, 3, 4};
  do {
    auto x = pieces::make();
    std::vector<value> placed(order.size());
    for (auto i : order) {
      auto put = x->place({7, 0, 10, 2 * i}, part(2 * i, 2));
      BOOST_TEST_REQUIRE(put.has_value());
      placed[i] = *put;
    }
    for (std::size_t i = 0; i < order.size(); ++i)
      BOOST_TEST_REQUIRE(x->take({7, 0, 10, 2 * i}, placed[i]));
    BOOST_TEST_REQUIRE(x->finish({7}).bytes() == ten);
  } while (std::ranges::next_permutation(order).found);
}

BOOST_AUTO_TEST_CASE(no_byte_is_written_twice) {
  auto x = pieces::make();
  BOOST_REQUIRE(x->place({1, 0, 10, 2}, part(2, 3)));
  for (std::size_t begin = 0; begin < 10; ++begin)
    for (std::size_t size = 1; size <= 10 - begin; ++size) {
      auto free = begin >= 5 || begin + size <= 2;
      if (!free)
        BOOST_TEST_REQUIRE(
          !x->place({1, 0, 10, begin}, std::string(size, '?')).has_value());
    }
  // Nor by whoever waits.
  BOOST_TEST(!x->take({1, 0, 10, 2}, value::copy("???")));
  BOOST_TEST(!x->take({1, 0, 10, 0}, value::copy("???")));
  BOOST_TEST(x->take({1, 0, 10, 0}, value::copy(part(0, 2))));
  BOOST_TEST(x->take({1, 0, 10, 5}, value::copy(part(5, 5))));
  BOOST_TEST(x->finish({1}).bytes() == ten);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  auto x = pieces::make();
  BOOST_REQUIRE(x->place({1, 0, 10, 0}, "01"));
  for (const auto& which :
       {piece{1, 0, 10, 9}, piece{1, 0, 10, 10}, piece{1, 0, 10, 11},
        piece{1, 0, 10, most}, piece{1, 0, 10, most - 1}, piece{1, 0, 11, 2},
        piece{1, 0, 0, 0}, piece{2, 0, 1, 0}}) {
    BOOST_TEST(!x->place(which, "ab").has_value());
    BOOST_TEST(!x->take(which, value::copy("ab")));
  }
  BOOST_TEST(!x->place({1, 0, 10, 2}, "").has_value());
  BOOST_TEST(x->size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_announced_and_never_comes_is_bounded) {
  auto x = pieces::make();
  BOOST_TEST(
    !x->place({1, 0, pieces::readers_bytes_max + 1, 0}, "a").has_value());
  BOOST_TEST(x->size() == 0u);
  for (std::uint64_t id = 1; id <= 100; ++id)
    BOOST_TEST(x->place({id, 0, 10, 0}, "0").has_value()
               == (id <= pieces::readers_values_max));
  BOOST_TEST(x->size() == pieces::readers_values_max);
  x->drop(3);
  BOOST_TEST(x->place({101, 0, 10, 0}, "0").has_value());
  x->clear();
  BOOST_TEST(x->size() == 0u);
  constexpr auto half = pieces::readers_bytes_max / 2;
  BOOST_TEST(x->place({1, 0, half, 0}, "a").has_value());
  BOOST_TEST(x->place({2, 0, half, 0}, "a").has_value());
  BOOST_TEST(!x->place({3, 0, 1, 0}, "a").has_value());
  // Whoever waits knows that it will come.
  BOOST_TEST(x->take({3, 0, 1, 0}, value::copy("a")));
  BOOST_TEST(x->finish({3}).bytes() == "a");
}

BOOST_AUTO_TEST_CASE(a_piece_outlives_what_it_belongs_to) {
  auto x = pieces::make();
  const auto dropped = x->place({1, 0, 10, 0}, part(0, 5));
  x->drop(1);
  // Another attempt at the same value is another value.
  const auto again = x->place({1, 0, 10, 0}, "abcde");
  BOOST_REQUIRE((dropped && again));
  BOOST_TEST(dropped->bytes() == "01234");
  BOOST_TEST(!x->take({1, 0, 10, 0}, *dropped));
  BOOST_TEST(x->take({1, 0, 10, 0}, *again));
  x.reset();
  BOOST_TEST(dropped->bytes() == "01234");
  BOOST_TEST(again->bytes() == "abcde");
}

BOOST_AUTO_TEST_CASE(two_answers_to_one_question_are_two_values) {
  auto x = pieces::make();
  const auto first = x->place({1, 1, 10, 0}, part(0, 5));
  const auto second = x->place({1, 2, 10, 0}, "abcde");
  BOOST_REQUIRE((first && second));
  BOOST_TEST(x->take({1, 1, 10, 0}, *first));
  BOOST_TEST(!x->take({1, 1, 10, 5}, value{}));
  BOOST_TEST(x->take({1, 2, 10, 0}, *second));
  BOOST_TEST(x->take({1, 2, 10, 5}, value::copy("fghij")));
  BOOST_TEST(x->finish({1, 2}).bytes() == "abcdefghij");
  BOOST_TEST(x->size() == 1u);
  x->drop(1);
  BOOST_TEST(x->size() == 0u);
}

BOOST_AUTO_TEST_CASE(values_may_be_dropped_while_they_are_read) {
  auto x = pieces::make();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; !stop; ++i)
        if (auto put = x->place({i % 4, 0, 4096, i % 2 * 2048},
                                std::string(2048, static_cast<char>('a' + t))))
          if (put->bytes().front() != put->bytes().back())
            stop = true; // for the check below
    });
  for (int i = 0; i < 5'000; ++i) {
    x->drop(static_cast<std::uint64_t>(i % 4));
    if (i % 100 == 0)
      x->clear();
    x->take({9, 0, 4, 0}, value::copy("ab"));
    x->take({9, 0, 4, 2}, value::copy("cd"));
    BOOST_TEST_REQUIRE(x->finish({9}).bytes() == "abcd");
  }
  BOOST_TEST(!stop);
  stop = true;
  for (auto& t : threads)
    t.join();
}

BOOST_AUTO_TEST_CASE(an_unknown_value_is_empty) {
  BOOST_TEST(pieces::make()->finish({1}).empty());
}

BOOST_AUTO_TEST_CASE(many_may_read_at_once) {
  constexpr std::size_t readers = 4;
  constexpr std::size_t size = 1 << 20;
  constexpr std::size_t each = 1 << 12;
  std::string whole(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    whole[i] = static_cast<char>(i % 251);
  for (int round = 0; round < 20; ++round) {
    auto x = pieces::make();
    std::vector<value> placed(size / each);
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < readers; ++t)
      threads.emplace_back([&] {
        for (auto i = next++; i < placed.size(); i = next++) {
          auto bytes = std::string_view{whole}.substr(i * each, each);
          auto found = pieces::find(x->number());
          if (auto put = found->place({1, 0, size, i * each}, bytes))
            placed[i] = *put;
        }
      });
    for (auto& t : threads)
      t.join();
    for (std::size_t i = 0; i < placed.size(); ++i)
      BOOST_TEST_REQUIRE(x->take({1, 0, size, i * each}, placed[i]));
    BOOST_TEST_REQUIRE((x->finish({1}).bytes() == whole));
  }
}

BOOST_AUTO_TEST_SUITE_END()
