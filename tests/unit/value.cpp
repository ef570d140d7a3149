#include "galaxycache/runtime/value.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace galaxycache;

namespace {

using bytes = galaxycache::value;

// Too long for a string to hold without an allocation.
const std::string long_text(100, 'x');

} // namespace

BOOST_AUTO_TEST_SUITE(value)

BOOST_AUTO_TEST_CASE(a_new_value_is_empty) {
  const bytes nothing;
  BOOST_TEST(nothing.empty());
  BOOST_TEST(nothing.size() == 0u);
  BOOST_TEST(nothing.bytes() == "");
}

BOOST_AUTO_TEST_CASE(empty_bytes_make_an_empty_value) {
  BOOST_TEST((bytes::copy("") == bytes{}));
  BOOST_TEST((bytes::take("") == bytes{}));
  BOOST_TEST(bytes::copy("").shares_bytes_with(bytes{}));
}

BOOST_AUTO_TEST_CASE(copied_bytes_are_independent_of_their_source) {
  std::string source = "abc";
  const auto x = bytes::copy(source);
  source = "xyz";
  BOOST_TEST(x.bytes() == "abc");
  BOOST_TEST(x.size() == 3u);
  BOOST_TEST(!x.empty());
}

BOOST_AUTO_TEST_CASE(all_bytes_are_kept_whatever_they_are) {
  std::string all;
  for (int i = 0; i < 256; ++i)
    all += static_cast<char>(i);
  BOOST_TEST((bytes::copy(all).bytes() == all));
  BOOST_TEST((bytes::take(std::string{all}).bytes() == all));
}

BOOST_AUTO_TEST_CASE(taken_bytes_are_not_copied) {
  auto source = long_text;
  const auto* data = source.data();
  const auto x = bytes::take(std::move(source));
  BOOST_TEST(x.bytes() == long_text);
  BOOST_TEST(static_cast<const void*>(x.bytes().data())
             == static_cast<const void*>(data));
}

BOOST_AUTO_TEST_CASE(short_taken_bytes_stay_in_their_place) {
  // They live inside the string object, which must not move any more.
  auto x = bytes::take("ab");
  const auto view = x.bytes();
  const auto y = std::move(x);
  BOOST_TEST(view == "ab");
  BOOST_TEST(y.shares_bytes_with(y));
  BOOST_TEST(y.bytes() == "ab");
}

BOOST_AUTO_TEST_CASE(copies_share_their_bytes) {
  const auto x = bytes::copy(long_text);
  const auto y = x; // NOLINT(performance-unnecessary-copy-initialization)
  BOOST_TEST(x.shares_bytes_with(y));
  BOOST_TEST(static_cast<const void*>(x.bytes().data())
             == static_cast<const void*>(y.bytes().data()));
}

BOOST_AUTO_TEST_CASE(a_copy_outlives_its_original) {
  for (const auto& make :
       {+[] { return bytes::copy(long_text); },
        +[] { return bytes::take(std::string{long_text}); }}) {
    bytes survivor;
    {
      const auto original = make();
      survivor = original;
    }
    BOOST_TEST(survivor.bytes() == long_text);
  }
}

BOOST_AUTO_TEST_CASE(a_value_moved_from_is_empty) {
  auto x = bytes::copy("abc");
  const auto y = std::move(x);
  BOOST_TEST(x.empty()); // NOLINT(bugprone-use-after-move)
  BOOST_TEST(y.bytes() == "abc");
}

BOOST_AUTO_TEST_CASE(a_value_may_be_assigned_to_itself) {
  auto x = bytes::copy(long_text);
  auto& same = x;
  x = same;
  BOOST_TEST(x.bytes() == long_text);
  x = std::move(same);
  BOOST_TEST(x.bytes() == long_text);
}

BOOST_AUTO_TEST_CASE(values_are_equal_if_their_bytes_are) {
  const auto x = bytes::copy("abc");
  const auto y = bytes::take("abc");
  BOOST_TEST((x == y));
  BOOST_TEST(!x.shares_bytes_with(y));
  BOOST_TEST((x != bytes::copy("abd")));
  BOOST_TEST((x != bytes::copy("ab")));
  BOOST_TEST((x != bytes{}));
}

BOOST_AUTO_TEST_CASE(a_values_footprint_is_all_that_it_takes_in_memory) {
  BOOST_TEST(bytes{}.footprint() == 0u);
  const auto small = bytes::copy("x").footprint();
  BOOST_TEST(small >= 1u + 8);
  // One allocation, and no more than that.
  BOOST_TEST(bytes::copy(std::string(10'000, 'x')).footprint()
             <= 10'000 + small + 16);
  // What a string has room for counts, whether it is used or not.
  std::string roomy = "x";
  roomy.reserve(10'000);
  BOOST_TEST(bytes::take(std::move(roomy)).footprint() > 10'000u);
  // One that is short has its bytes inside.
  BOOST_TEST(bytes::take("x").footprint() < 100u);
  const auto x = bytes::copy(long_text);
  const auto y = x; // NOLINT(performance-unnecessary-copy-initialization)
  BOOST_TEST(x.footprint() == y.footprint());
}

BOOST_AUTO_TEST_CASE(allocations_cost_what_glibc_makes_of_them) {
  struct row {
    std::size_t size;
    std::size_t cost;
  };
  const row rows[] = {
    {0, 32},
    {1, 32},
    {24, 32},
    {25, 48},
    {40, 48},
    {41, 64},
    {1'000, 1'008},
    {1'001, 1'024},
    {10'000, 10'016},
    {131'065, 135'168},
    {131'072, 135'168},
    {135'144, 135'168},
    {135'145, 139'264},
    {135'152, 139'264},
    {135'153, 139'264},
    {64 << 20, (64 << 20) + 4'096},
  };
  for (const auto& x : rows)
    BOOST_TEST_CONTEXT(x.size)
  BOOST_TEST(allocated_bytes(x.size) == x.cost);
}

BOOST_AUTO_TEST_CASE(a_part_shares_the_bytes_and_keeps_them) {
  auto whole = bytes::copy(long_text);
  auto part = whole.part(3, 5);
  BOOST_TEST(part.bytes() == std::string_view{long_text}.substr(3, 5));
  BOOST_TEST(static_cast<const void*>(part.bytes().data())
             == static_cast<const void*>(whole.bytes().data() + 3));
  auto part_of_part = part.part(1, 2);
  auto copy = part;
  whole = {};
  part = {};
  BOOST_TEST(copy.bytes() == std::string_view{long_text}.substr(3, 5));
  BOOST_TEST(part_of_part.bytes() == std::string_view{long_text}.substr(4, 2));
  BOOST_TEST(copy.footprint() > bytes::copy(long_text).footprint());
  auto taken = bytes::take(std::string{long_text});
  BOOST_TEST((taken.part(0, taken.size()) == taken));
  BOOST_TEST(taken.part(taken.size(), 0).empty());
}

BOOST_AUTO_TEST_CASE(a_buffer_that_is_filled_becomes_a_value) {
  value_buffer buffer{long_text.size()};
  BOOST_TEST(buffer.size() == long_text.size());
  auto* place = buffer.data();
  std::ranges::copy(long_text, place);
  auto moved = std::move(buffer);
  auto whole = std::move(moved).finish();
  BOOST_TEST(whole.bytes() == long_text);
  BOOST_TEST(static_cast<const void*>(whole.bytes().data())
             == static_cast<const void*>(place));
  BOOST_TEST(value_buffer{0}.size() == 0u);
  BOOST_TEST(value_buffer{0}.finish().empty());
}

BOOST_AUTO_TEST_CASE(threads_may_copy_and_drop_a_shared_value_at_will) {
  std::vector<std::thread> threads;
  {
    const auto shared = bytes::take(std::string{long_text});
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([mine = shared]() mutable {
        for (int j = 0; j < 10'000; ++j) {
          auto other = mine;
          mine = std::move(other);
        }
      });
  }
  for (auto& t : threads)
    t.join();
}

BOOST_AUTO_TEST_SUITE_END()
