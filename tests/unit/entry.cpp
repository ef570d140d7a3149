#include "galaxycache/runtime/entry.hpp"

#include <boost/test/unit_test.hpp>
#ifdef __GLIBC__
#  include <malloc.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

using cached = galaxycache::entry;

constexpr mono_time start{1'000h};
constexpr wall_time noon{1'000'000h};

struct dropper {
  void operator()(cached* x) const {
    cached::drop(x);
  }
};

using owned = std::unique_ptr<cached, dropper>;

owned make(std::string_view key, const value& data,
           const cached::traits& with = {}) {
  return owned{cached::make(key, data, with)};
}

value data_of(std::size_t size) {
  return value::copy(std::string(size, 'x'));
}

/// Entries of all kinds.
struct kind {
  std::string key;
  value data;
  cached::traits with;
};

std::vector<kind> all_kinds() {
  static const key_stats rate{start, start + 1s, 7};
  std::vector<kind> result;
  for (auto key_size : {0u, 1u, 7u, 8u, 30u, 5'000u})
    for (auto size : {0u, 1u, 15u, 16u, 1'023u, 1'024u, 1'025u, 70'000u})
      for (auto expiry : {never_expires, noon})
        for (const auto* stats :
             {static_cast<const key_stats*>(nullptr), &rate})
          result.push_back(
            {std::string(key_size, 'k'), data_of(size), {expiry, stats}});
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(entry)

BOOST_AUTO_TEST_CASE(an_entry_has_what_it_was_made_of) {
  for (const auto& x : all_kinds()) {
    const auto made = make(x.key, x.data, x.with);
    BOOST_TEST_REQUIRE(made->key() == x.key);
    BOOST_TEST_REQUIRE((made->data() == x.data.bytes()));
    BOOST_TEST_REQUIRE((made->share() == x.data));
    BOOST_TEST_REQUIRE((made->expiry() == x.with.expiry));
    BOOST_TEST_REQUIRE(made->expires() == (x.with.expiry != never_expires));
    BOOST_TEST_REQUIRE(made->is_hot() == (x.with.rate != nullptr));
    BOOST_TEST_REQUIRE(made->uses() == 0);
    if (made->is_hot()) {
      BOOST_TEST_REQUIRE(made->rate(start).hits() == 7u);
      BOOST_TEST_REQUIRE((made->rate(start).epoch() == start));
    }
  }
}

BOOST_AUTO_TEST_CASE(any_bytes_are_a_key_and_a_value) {
  std::string all;
  for (int i = 0; i < 256; ++i)
    all += static_cast<char>(i);
  const auto x = make(all, value::copy(all), {noon, nullptr});
  BOOST_TEST((x->key() == all));
  BOOST_TEST((x->data() == all));
}

BOOST_AUTO_TEST_CASE(an_entry_knows_its_key_from_all_others) {
  for (std::size_t size = 0; size <= 70; ++size)
    for (const auto& data : {data_of(3), data_of(5'000)}) {
      const std::string key(size, 'k');
      const auto made = make(key, data);
      BOOST_TEST_REQUIRE(made->has_key(key));
      BOOST_TEST_REQUIRE(!made->has_key(key + 'k'));
      for (std::size_t i = 0; i < size; ++i) {
        auto other = key;
        other[i] ^= static_cast<char>(1 << i % 8);
        BOOST_TEST_REQUIRE(!made->has_key(other));
        BOOST_TEST_REQUIRE(!made->has_key(key.substr(0, i)));
      }
    }
}

BOOST_AUTO_TEST_CASE(an_entry_has_a_key_of_its_own) {
  std::string key = "a key of more than a few characters";
  const auto x = make(key, data_of(1));
  key.assign(key.size(), 'x');
  BOOST_TEST(x->key() == "a key of more than a few characters");
}

BOOST_AUTO_TEST_CASE(a_small_value_is_copied_and_a_large_one_shared) {
  const auto small = data_of(cached::copied_bytes_max);
  const auto large = data_of(cached::copied_bytes_max + 1);
  BOOST_TEST(!make("key", small)->share().shares_bytes_with(small));
  BOOST_TEST(make("key", large)->share().shares_bytes_with(large));
}

BOOST_AUTO_TEST_CASE(all_who_share_an_entrys_value_share_its_bytes) {
  for (auto size : {1u, 1'000u, 10'000u}) {
    const auto x = make("key", data_of(size));
    const auto one = x->share();
    BOOST_TEST(one.shares_bytes_with(x->share()));
    BOOST_TEST(static_cast<const void*>(one.bytes().data())
               == static_cast<const void*>(x->data().data()));
  }
}

BOOST_AUTO_TEST_CASE(a_shared_value_outlives_its_entry) {
  for (const auto& x : all_kinds()) {
    auto made = make(x.key, x.data, x.with);
    const auto kept = made->share();
    const auto again
      = kept; // NOLINT(performance-unnecessary-copy-initialization)
    made.reset();
    BOOST_TEST_REQUIRE((again == x.data));
  }
}

BOOST_AUTO_TEST_CASE(an_empty_value_does_not_hold_its_entry) {
  BOOST_TEST(make("key", value{})->share().shares_bytes_with(value{}));
}

BOOST_AUTO_TEST_CASE(a_value_found_may_be_put_again) {
  for (auto size : {0u, 1u, 1'024u, 1'025u}) {
    auto one = make("one", data_of(size));
    const auto two = make("two", one->share());
    one.reset();
    BOOST_TEST((two->share() == data_of(size)));
  }
}

BOOST_AUTO_TEST_CASE(what_an_entry_costs_is_known_before_it_is_made) {
  for (const auto& x : all_kinds())
    BOOST_TEST_REQUIRE(cached::cost_of(x.key, x.data, x.with)
                       == make(x.key, x.data, x.with)->cost());
}

#ifdef __GLIBC__

BOOST_AUTO_TEST_CASE(an_entry_costs_at_least_what_was_allocated_for_it) {
  // What glibc says of a block, and its header.
  constexpr std::size_t header = 8;
  // An item of the queue of those that expire.
  constexpr std::size_t item = 16;
  // A block may be so much larger than it had to be.
  constexpr std::size_t left_over = 16;
  for (const auto& x : all_kinds()) {
    const auto made = make(x.key, x.data, x.with);
    auto allocated = malloc_usable_size(made.get()) + header
                     + (made->expires() ? item : 0);
    if (x.data.size() > cached::copied_bytes_max)
      allocated += x.data.footprint();
    BOOST_TEST_REQUIRE(made->cost() + left_over >= allocated);
  }
  // Two words, two links, the key and the value.
  BOOST_TEST(make("12345678", data_of(16))->cost() == 64u);
}

#endif

BOOST_AUTO_TEST_CASE(reads_are_counted_up_to_three) {
  const auto x = make("key", data_of(1));
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(x->uses() == std::min<int>(i, cached::uses_max));
    x->touch();
  }
  x->set_uses(1);
  BOOST_TEST(x->uses() == 1);
  // One that is not hot has no rate.
  BOOST_TEST(x->rate(start).hits() == 0u);
}

BOOST_AUTO_TEST_CASE(the_reads_of_a_hot_entry_make_its_rate) {
  const key_stats before{start, start, 5};
  const auto x = make("key", data_of(1), {never_expires, &before});
  for (int i = 0; i < 35; ++i)
    x->touch();
  BOOST_TEST(x->rate(start + 4s).hits() == 40u);
  BOOST_TEST(x->rate(start + 4s).qps(start + 4s) == 10.0);
}

BOOST_AUTO_TEST_CASE(many_reads_of_a_hot_entry_are_counted_by_samples) {
  const key_stats before{start};
  const auto x = make("key", data_of(1), {never_expires, &before});
  constexpr int reads = 100'000;
  for (int i = 0; i < reads; ++i)
    x->touch();
  const auto hits = static_cast<int>(x->rate(start + 1s).hits());
  BOOST_TEST(hits > reads - 32);
  BOOST_TEST(hits < reads + 32);
}

BOOST_AUTO_TEST_CASE(threads_may_read_and_keep_an_entry_at_will) {
  const key_stats before{start};
  for (auto size : {100u, 10'000u}) {
    auto x = make("key", data_of(size), {noon, &before});
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([size, mine = x->share()] {
        for (int j = 0; j < 5'000; ++j) {
          auto other = mine;
          if (other.size() != size)
            std::abort();
        }
      });
    for (int j = 0; j < 5'000; ++j) {
      x->touch();
      BOOST_TEST_REQUIRE(x->share().size() == size);
    }
    x.reset();
    for (auto& t : threads)
      t.join();
  }
}

BOOST_AUTO_TEST_CASE(threads_at_once_count_about_all_reads) {
  const key_stats before{start};
  const auto x = make("key", data_of(1), {never_expires, &before});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 16'000; ++j)
        x->touch();
    });
  for (auto& t : threads)
    t.join();
  const auto hits = static_cast<int>(x->rate(start + 1s).hits());
  BOOST_TEST(hits > 64'000 - 400);
  BOOST_TEST(hits < 64'000 + 400);
  BOOST_TEST(x->uses() == cached::uses_max);
}

BOOST_AUTO_TEST_SUITE_END()
