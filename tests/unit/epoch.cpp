#include "galaxycache/runtime/epoch.hpp"

#include "galaxycache/runtime/random.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using namespace galaxycache;

namespace {

/// Something that says when it is freed.
struct thing {
  std::vector<int>* freed;
  int number;
};

void free_thing(void* p) {
  auto* x = static_cast<thing*>(p);
  x->freed->push_back(x->number);
  delete x;
}

/// Adds things by number to a limbo.
struct pile {
  void add(int number, std::size_t bytes = 1) {
    unlinked.add(new thing{&freed, number}, free_thing, bytes);
  }

  std::vector<int> freed;
  limbo unlinked;
};

/// A thread that does what it is told, one thing after another.
class worker {
public:
  ~worker() {
    run(nullptr);
    thread_.join();
  }

  /// Returns when it is done.
  void run(std::function<void()> f) {
    std::unique_lock lock{mutex_};
    next_ = std::move(f);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !next_; });
  }

private:
  void work() {
    std::unique_lock lock{mutex_};
    for (;;) {
      changed_.wait(lock, [&] { return next_.has_value(); });
      auto last = !*next_;
      if (!last)
        (*next_)();
      next_.reset();
      changed_.notify_all();
      if (last)
        return;
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::function<void()>> next_;
  std::thread thread_{[this] { work(); }};
};

} // namespace

BOOST_AUTO_TEST_SUITE(epoch)

BOOST_AUTO_TEST_CASE(what_nobody_reads_is_freed_in_its_order) {
  pile p;
  BOOST_TEST(p.unlinked.size() == 0u);
  p.unlinked.collect();
  for (int i = 0; i < 5; ++i)
    p.add(i, 10);
  BOOST_TEST(p.unlinked.size() == 5u);
  BOOST_TEST(p.unlinked.bytes() == 50u);
  BOOST_TEST(p.freed.empty());
  p.unlinked.collect();
  BOOST_TEST((p.freed == std::vector{0, 1, 2, 3, 4}));
  BOOST_TEST(p.unlinked.size() == 0u);
  BOOST_TEST(p.unlinked.bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(what_may_be_being_read_is_not_freed) {
  pile p;
  {
    const read_guard reading;
    p.add(1);
    p.unlinked.collect();
    p.add(2);
    p.unlinked.collect();
    BOOST_TEST(p.freed.empty());
    BOOST_TEST(p.unlinked.bytes() == 2u);
  }
  BOOST_TEST(p.freed.empty());
  p.unlinked.collect();
  BOOST_TEST((p.freed == std::vector{1, 2}));
}

BOOST_AUTO_TEST_CASE(the_outermost_guard_counts) {
  pile p;
  {
    const read_guard outer;
    {
      const read_guard inner;
      p.add(1);
    }
    {
      const read_guard inner;
      p.unlinked.collect();
    }
    p.unlinked.collect();
    BOOST_TEST(p.freed.empty());
  }
  p.unlinked.collect();
  BOOST_TEST(p.freed.size() == 1u);
}

BOOST_AUTO_TEST_CASE(who_began_to_read_later_holds_nothing_back) {
  pile p;
  worker other;
  std::optional<read_guard> theirs;
  {
    const read_guard mine;
    p.add(1);
    p.unlinked.collect();
    other.run([&] { theirs.emplace(); });
    p.add(2);
    p.unlinked.collect();
    BOOST_TEST(p.freed.empty());
  }
  p.unlinked.collect();
  BOOST_TEST((p.freed == std::vector{1}));
  other.run([&] { theirs.reset(); });
  p.unlinked.collect();
  BOOST_TEST((p.freed == std::vector{1, 2}));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_limbo_frees_what_is_left) {
  std::vector<int> freed;
  {
    limbo unlinked;
    const read_guard reading;
    for (int i = 0; i < 3; ++i)
      unlinked.add(new thing{&freed, i}, free_thing, 1);
    unlinked.collect();
    BOOST_TEST(freed.empty());
  }
  BOOST_TEST((freed == std::vector{0, 1, 2}));
}

BOOST_AUTO_TEST_CASE(several_limbos_do_not_mind_each_other) {
  pile one;
  pile two;
  one.add(1);
  {
    const read_guard reading;
    two.add(2);
    two.unlinked.collect();
    one.unlinked.collect();
  }
  BOOST_TEST(two.freed.empty());
  one.unlinked.collect();
  BOOST_TEST(one.freed.size() == 1u);
  BOOST_TEST(two.freed.empty());
  two.unlinked.collect();
  BOOST_TEST(two.freed.size() == 1u);
}

BOOST_AUTO_TEST_CASE(threads_that_live_have_different_numbers) {
  const read_guard mine;
  BOOST_TEST(read_guard{}.thread_number() == mine.thread_number());
  std::size_t slots = 0;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<worker>> others;
    std::set<std::uint32_t> numbers{mine.thread_number()};
    for (int i = 0; i < 10; ++i) {
      others.push_back(std::make_unique<worker>());
      others.back()->run([&] { numbers.insert(read_guard{}.thread_number()); });
    }
    BOOST_TEST(numbers.size() == 11u);
    // Those of threads that ended are used again.
    if (round == 0)
      slots = *numbers.rbegin();
    BOOST_TEST(*numbers.rbegin() == slots);
  }
}

// What is freed when, by a plain model of who began to read when.
BOOST_AUTO_TEST_CASE(no_sequence_of_reads_frees_too_early_or_too_late) {
  struct waiting {
    int number;
    std::optional<int> stamp; // of the first collection after it was unlinked
  };
  std::array<worker, 3> workers;
  for (std::uint64_t seed = 1; seed <= 5; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      random_source random{seed};
      pile p;
      std::array<std::optional<read_guard>, 3> guards;
      std::array<int, 3> since{};
      std::vector<waiting> held;
      std::vector<int> freed;
      int now = 1; // counts collections
      for (int i = 0; i < 150; ++i) {
        const auto who = random.below(3);
        auto& guard = guards[who];
        switch (random.below(4)) {
          case 0:
            p.add(i);
            held.push_back({i, {}});
            break;
          case 1:
          case 2:
            if (guard) {
              workers[who].run([&] { guard.reset(); });
            } else {
              workers[who].run([&] { guard.emplace(); });
              since[who] = now;
            }
            break;
          default: {
            for (auto& x : held)
              if (!x.stamp)
                x.stamp = now;
            ++now;
            auto oldest = now;
            for (std::size_t k = 0; k < 3; ++k)
              if (guards[k])
                oldest = std::min(oldest, since[k]);
            while (!held.empty() && *held.front().stamp < oldest) {
              freed.push_back(held.front().number);
              held.erase(held.begin());
            }
            p.unlinked.collect();
          }
        }
        BOOST_TEST_REQUIRE((p.freed == freed));
        BOOST_TEST_REQUIRE(p.unlinked.size() == held.size());
      }
      for (std::size_t k = 0; k < 3; ++k)
        workers[k].run([&] { guards[k].reset(); });
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_freed_under_its_readers) {
  struct node {
    std::atomic<std::uint64_t> value;
    std::uint64_t twice;
  };
  constexpr std::uint64_t rounds = 20'000;
  std::array<std::atomic<node*>, 4> places{};
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> readers;
  for (std::size_t r = 0; r < 3; ++r)
    readers.emplace_back([&, r] {
      random_source random{r};
      while (!done) {
        const read_guard reading;
        // The third stays for longer.
        for (std::size_t i = 0; i < (r == 2 ? 200 : 1); ++i)
          if (auto* x
              = places[random.below(4)].load(std::memory_order_acquire)) {
            const auto value = x->value.load(std::memory_order_relaxed);
            if (value == 0 || x->twice != 2 * value)
              ++wrong;
          }
      }
    });
  {
    limbo unlinked;
    random_source random{9};
    for (std::uint64_t i = 1; i <= rounds; ++i) {
      auto* old = places[random.below(4)].exchange(new node{i, 2 * i},
                                                   std::memory_order_acq_rel);
      if (old)
        unlinked.add(
          old,
          [](void* p) {
            auto* x = static_cast<node*>(p);
            x->value.store(0, std::memory_order_relaxed);
            delete x;
          },
          sizeof(node));
      if (i % 16 == 0)
        unlinked.collect();
    }
    done = true;
    for (auto& t : readers)
      t.join();
    unlinked.collect();
    BOOST_TEST(unlinked.bytes() == 0u);
  }
  for (auto& x : places)
    delete x.load();
  BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
