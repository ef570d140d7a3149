#include "galaxycache/runtime/expiry_queue.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

using queue = galaxycache::expiry_queue;

constexpr wall_time noon{1'000'000h};

struct dropper {
  void operator()(entry* x) const {
    entry::drop(x);
  }
};

using owned = std::unique_ptr<entry, dropper>;

owned make(wall_time expiry) {
  return owned{entry::make("key", value{}, {expiry, nullptr})};
}

} // namespace

BOOST_AUTO_TEST_SUITE(expiry_queue)

BOOST_AUTO_TEST_CASE(nobody_expires_at_first) {
  const queue q;
  BOOST_TEST(q.next() == nullptr);
  BOOST_TEST(!q.when());
  BOOST_TEST(q.size() == 0u);
}

BOOST_AUTO_TEST_CASE(whoever_expires_first_is_next) {
  queue q;
  const auto late = make(noon + 2h);
  const auto early = make(noon + 1h);
  const auto past = make(noon - 1h);
  q.add(*late);
  BOOST_TEST(q.next() == late.get());
  q.add(*early);
  BOOST_TEST(q.next() == early.get());
  q.add(*past);
  BOOST_TEST((q.when() == noon - 1h));
  q.remove(*early);
  q.remove(*past);
  BOOST_TEST(q.next() == late.get());
  BOOST_TEST((q.when() == noon + 2h));
  q.remove(*late);
  BOOST_TEST(q.next() == nullptr);
}

BOOST_AUTO_TEST_CASE(times_may_be_as_far_apart_as_there_are) {
  queue q;
  const auto first = make(wall_time::min());
  const auto before = make(wall_time{-1ns});
  const auto last = make(wall_time::max());
  for (auto* x : {last.get(), before.get(), first.get()})
    q.add(*x);
  for (auto* x : {first.get(), before.get(), last.get()}) {
    BOOST_TEST(q.next() == x);
    q.remove(*x);
  }
}

BOOST_AUTO_TEST_CASE(who_replaces_another_expires_in_its_place) {
  queue q;
  const auto early = make(noon);
  const auto old = make(noon + 1h);
  const auto now = make(noon + 1h);
  const auto late = make(noon + 2h);
  for (auto* x : {late.get(), old.get(), early.get()})
    q.add(*x);
  q.replace(*old, *now);
  BOOST_TEST(q.size() == 3u);
  for (auto* x : {early.get(), now.get(), late.get()}) {
    BOOST_TEST(q.next() == x);
    q.remove(*x);
  }
  BOOST_TEST(q.size() == 0u);
}

BOOST_AUTO_TEST_CASE(clearing_forgets_all) {
  queue q;
  const auto x = make(noon);
  q.add(*x);
  q.clear();
  BOOST_TEST(q.next() == nullptr);
  BOOST_TEST(q.size() == 0u);
  q.add(*x);
  BOOST_TEST(q.next() == x.get());
}

BOOST_AUTO_TEST_CASE(many_that_expire_at_once_leave_one_by_one) {
  constexpr std::size_t count = 20'000;
  queue q;
  std::vector<owned> all;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(make(noon));
    q.add(*all.back());
  }
  for (std::size_t i = 0; i < count; ++i) {
    BOOST_TEST_REQUIRE(q.size() == count - i);
    BOOST_TEST_REQUIRE((q.when() == noon));
    q.remove(*q.next());
  }
  BOOST_TEST(q.next() == nullptr);
}

BOOST_AUTO_TEST_CASE(all_leave_in_order_of_time) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      random_source random{seed};
      queue q;
      std::vector<owned> all;
      for (int i = 0; i < 5'000; ++i) {
        all.push_back(make(noon + std::chrono::seconds{random.below(2'000)}));
        q.add(*all.back());
      }
      auto last = noon;
      while (auto* x = q.next()) {
        BOOST_TEST_REQUIRE((x->expiry() >= last));
        last = x->expiry();
        q.remove(*x);
      }
    }
}

BOOST_AUTO_TEST_CASE(a_queue_does_what_a_sorted_map_does) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      random_source random{seed};
      queue q;
      std::multimap<wall_time, entry*> model;
      std::vector<owned> all;
      // Many at the same time, or all at different ones; more and more of
      // them, then fewer.
      const auto times = seed % 2 == 0 ? 10u : 1'000'000u;
      for (int i = 0; i < 3'000; ++i) {
        if (random.below(10) < (i < 1'500 ? 7u : 4u)) {
          auto x = make(noon + std::chrono::seconds{random.below(times)} - 5s);
          q.add(*x);
          model.emplace(x->expiry(), x.get());
          all.push_back(std::move(x));
        } else if (!all.empty()) {
          // Whoever is next, or anybody.
          auto* out = random.below(2) == 0
                        ? q.next()
                        : all[random.below(all.size())].get();
          auto [at, end] = model.equal_range(out->expiry());
          at = std::find_if(at, end, [&](auto& x) { return x.second == out; });
          BOOST_TEST_REQUIRE((at != end));
          model.erase(at);
          q.remove(*out);
          std::erase_if(all, [&](auto& x) { return x.get() == out; });
        }
        BOOST_TEST_REQUIRE(q.size() == model.size());
        if (model.empty())
          BOOST_TEST_REQUIRE(!q.when());
        else
          BOOST_TEST_REQUIRE((q.when() == model.begin()->first));
      }
      while (auto* x = q.next()) {
        BOOST_TEST_REQUIRE((x->expiry() == model.begin()->first));
        model.erase(model.begin());
        q.remove(*x);
      }
      BOOST_TEST(model.empty());
    }
}

BOOST_AUTO_TEST_SUITE_END()
