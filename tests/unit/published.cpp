#include "galaxycache/runtime/published.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace {

template <class T>
using slot = galaxycache::published<T>;

struct pair {
  int x;
  int y;
};

} // namespace

BOOST_AUTO_TEST_SUITE(published)

BOOST_AUTO_TEST_CASE(a_new_slot_is_empty) {
  const slot<int> s;
  BOOST_TEST(s.get() == nullptr);
}

BOOST_AUTO_TEST_CASE(readers_get_the_last_object_set) {
  slot<int> s{std::make_shared<const int>(1)};
  BOOST_TEST(*s.get() == 1);
  s.set(std::make_shared<const int>(2));
  BOOST_TEST(*s.get() == 2);
  s.set(nullptr);
  BOOST_TEST(s.get() == nullptr);
}

BOOST_AUTO_TEST_CASE(a_reader_keeps_the_object_it_got) {
  slot<int> s{std::make_shared<const int>(1)};
  const auto mine = s.get();
  const std::weak_ptr<const int> watch = mine;
  s.set(std::make_shared<const int>(2));
  BOOST_TEST(*mine == 1);
  BOOST_TEST(watch.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(the_old_object_goes_when_it_is_replaced) {
  slot<int> s{std::make_shared<const int>(1)};
  const std::weak_ptr<const int> watch = s.get();
  s.set(std::make_shared<const int>(2));
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_CASE(the_end_of_the_old_object_may_read_the_slot) {
  slot<int> s;
  int seen = 0;
  s.set(std::shared_ptr<const int>{new int{1}, [&](const int* old) {
                                     delete old;
                                     seen = *s.get();
                                   }});
  s.set(std::make_shared<const int>(2));
  BOOST_TEST(seen == 2);
}

BOOST_AUTO_TEST_CASE(readers_see_whole_objects_in_order) {
  constexpr int replacements = 5'000;
  slot<pair> s{std::make_shared<const pair>(pair{0, 0})};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      int last = 0;
      while (last < replacements) {
        const auto got = s.get();
        if (got->y != -got->x || got->x < last)
          ++wrong;
        last = got->x;
      }
    });
  for (int i = 1; i <= replacements; ++i)
    s.set(std::make_shared<const pair>(pair{i, -i}));
  for (auto& t : readers)
    t.join();
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_SUITE_END()
