#include "galaxycache/runtime/worker_pool.hpp"

#include "refused_threads.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

#ifdef CAN_REFUSE_THREADS
#  include <dlfcn.h>
#  include <pthread.h>

std::atomic<bool> refuse_threads{false};

// Stands before the one of the system.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* how,
                              void* (*run)(void*), void* with) {
  if (refuse_threads)
    return EAGAIN;
  using function = decltype(&pthread_create);
  static auto real
    = reinterpret_cast<function>(dlsym(RTLD_NEXT, "pthread_create"));
  return real(thread, how, run, with);
}
#endif

namespace {

using pool = galaxycache::worker_pool;

// How long to wait for what must happen.
constexpr auto patience = 30s;

/// A number that threads raise and wait for.
class tally {
public:
  void add() {
    std::lock_guard guard{mutex_};
    ++count_;
    changed_.notify_all();
  }

  int count() const {
    std::lock_guard guard{mutex_};
    return count_;
  }

  /// Whether it came to `n` in time.
  bool wait(int n = 1, std::chrono::nanoseconds at_most = patience) {
    std::unique_lock guard{mutex_};
    return changed_.wait_for(guard, at_most, [&] { return count_ >= n; });
  }

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// What became of some jobs.
struct fates {
  tally ran;
  tally delivered;
  tally destroyed;
};

class job : public pool::job {
public:
  explicit job(
    fates& seen, std::function<void()> run = [] {},
    std::function<void()> deliver = [] {})
    : seen_(seen),
      run_(std::move(run)),
      deliver_(std::move(deliver)) {
    // nop
  }

  ~job() override {
    // What the functions hold goes first.
    run_ = nullptr;
    deliver_ = nullptr;
    seen_.destroyed.add();
  }

  void run() override {
    run_();
    seen_.ran.add();
  }

  void deliver() override {
    deliver_();
    seen_.delivered.add();
  }

private:
  fates& seen_;
  std::function<void()> run_;
  std::function<void()> deliver_;
};

template <class... Ts>
std::unique_ptr<job> make_job(fates& seen, Ts... xs) {
  return std::make_unique<job>(seen, std::move(xs)...);
}

class idle_job : public pool::job {
public:
  void run() override {
    // nop
  }

  void deliver() override {
    // nop
  }
};

/// Returns once the pool takes no more jobs: somebody stops it.
void await_stop(pool& p) {
  while (p.submit(std::make_unique<idle_job>()))
    std::this_thread::yield();
}

} // namespace

BOOST_AUTO_TEST_SUITE(worker_pool)

BOOST_AUTO_TEST_CASE(a_job_runs_and_delivers_on_a_thread_of_the_pool) {
  fates seen;
  std::thread::id ran_on;
  std::thread::id delivered_on;
  pool p{1};
  BOOST_TEST(p.submit(make_job(
    seen, [&] { ran_on = std::this_thread::get_id(); },
    [&] { delivered_on = std::this_thread::get_id(); })));
  BOOST_TEST(seen.destroyed.wait());
  BOOST_TEST(seen.ran.count() == 1);
  BOOST_TEST(seen.delivered.count() == 1);
  BOOST_TEST((ran_on == delivered_on));
  BOOST_TEST((ran_on != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(one_worker_runs_jobs_in_their_order) {
  fates seen;
  std::vector<int> order;
  pool p{1};
  for (int i = 0; i < 100; ++i)
    p.submit(make_job(seen, [&, i] { order.push_back(i); }));
  BOOST_TEST(seen.destroyed.wait(100));
  BOOST_TEST(order.size() == 100u);
  BOOST_TEST(std::is_sorted(order.begin(), order.end()));
}

BOOST_AUTO_TEST_CASE(as_many_jobs_run_at_once_as_there_are_threads) {
  constexpr int threads = 3;
  fates seen;
  tally inside;
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  std::atomic<int> alone{0};
  pool p{threads};
  for (int i = 0; i < 30; ++i)
    p.submit(make_job(seen, [&] {
      const auto mine = ++now;
      auto old = most.load();
      while (old < mine && !most.compare_exchange_weak(old, mine)) {
        // try again
      }
      // The first three wait for each other.
      inside.add();
      if (!inside.wait(threads))
        ++alone;
      --now;
    }));
  BOOST_TEST(seen.destroyed.wait(30));
  BOOST_TEST(alone == 0);
  BOOST_TEST(most == threads);
}

BOOST_AUTO_TEST_CASE(a_pool_without_work_may_go) {
  const pool unused{4};
}

BOOST_AUTO_TEST_CASE(jobs_that_have_not_begun_are_dropped_undelivered) {
  fates first;
  fates queued;
  tally begun;
  tally go_on;
  {
    pool p{1};
    p.submit(make_job(first, [&] {
      begun.add();
      go_on.wait();
    }));
    BOOST_TEST(begun.wait());
    for (int i = 0; i < 10; ++i)
      p.submit(make_job(queued));
    BOOST_TEST(!p.stop(0ns));
    BOOST_TEST(queued.destroyed.count() == 10);
  }
  go_on.add();
  BOOST_TEST(first.destroyed.wait());
  BOOST_TEST(queued.ran.count() == 0);
  BOOST_TEST(queued.delivered.count() == 0);
}

BOOST_AUTO_TEST_CASE(
  a_job_that_does_not_end_is_abandoned_and_delivers_nothing) {
  fates seen;
  tally begun;
  tally go_on;
  {
    pool p{2};
    p.submit(make_job(seen, [&] {
      begun.add();
      go_on.wait();
    }));
    BOOST_TEST(begun.wait());
    BOOST_TEST(!p.stop(1ms));
  }
  BOOST_TEST(seen.ran.count() == 0);
  go_on.add();
  BOOST_TEST(seen.destroyed.wait());
  BOOST_TEST(seen.ran.count() == 1);
  BOOST_TEST(seen.delivered.count() == 0);
}

BOOST_AUTO_TEST_CASE(who_stops_with_patience_gets_what_has_begun) {
  fates seen;
  tally begun;
  pool p{2};
  for (int i = 0; i < 2; ++i)
    p.submit(make_job(seen, [&] {
      begun.add();
      await_stop(p);
    }));
  BOOST_TEST(begun.wait(2));
  BOOST_TEST(p.stop(patience));
  BOOST_TEST(seen.ran.count() == 2);
  BOOST_TEST(seen.delivered.count() == 2);
  BOOST_TEST(seen.destroyed.count() == 2);
}

BOOST_AUTO_TEST_CASE(a_stopped_pool_refuses_jobs) {
  fates seen;
  pool p{1};
  BOOST_TEST(p.stop(0ns));
  BOOST_TEST(!p.submit(make_job(seen)));
  BOOST_TEST(seen.destroyed.count() == 1);
  BOOST_TEST(seen.ran.count() == 0);
  BOOST_TEST(p.stop(patience));
}

BOOST_AUTO_TEST_CASE(who_was_abandoned_may_be_waited_for_later) {
  fates seen;
  tally begun;
  tally go_on;
  pool p{1};
  p.submit(make_job(seen, [&] {
    begun.add();
    go_on.wait();
  }));
  BOOST_TEST(begun.wait());
  BOOST_TEST(!p.stop(0ns));
  BOOST_TEST(!p.stop(0ns));
  go_on.add();
  BOOST_TEST(p.stop(patience));
  BOOST_TEST(seen.destroyed.count() == 1);
  BOOST_TEST(seen.delivered.count() == 0);
}

BOOST_AUTO_TEST_CASE(no_delivery_is_under_way_once_a_pool_has_stopped) {
  fates seen;
  tally begun;
  tally returned;
  std::atomic<bool> overtaken{false};
  pool p{1};
  p.submit(make_job(
    seen, [] {},
    [&] {
      begun.add();
      await_stop(p);
      // In vain if all is well.
      overtaken = returned.wait(1, 50ms);
    }));
  BOOST_TEST(begun.wait());
  p.stop(0ns);
  returned.add();
  BOOST_TEST(seen.delivered.wait());
  BOOST_TEST(!overtaken);
  BOOST_TEST(seen.destroyed.wait());
}

BOOST_AUTO_TEST_CASE(a_burst_wakes_all_who_are_idle) {
  constexpr int workers = 8;
  for (int round = 0; round < 100; ++round) {
    fates seen;
    pool p{workers};
    tally here;
    tally released;
    // Twice: the threads start for the first, and are idle then.
    for (int burst = 1; burst <= 2; ++burst) {
      for (int i = 0; i < workers; ++i)
        p.submit(make_job(seen, [&] {
          here.add();
          released.wait(burst);
        }));
      // All at once: none of them returns before.
      BOOST_REQUIRE(here.wait(burst * workers));
      released.add();
      BOOST_REQUIRE(seen.destroyed.wait(burst * workers));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_job_may_end_its_own_pool) {
  for (bool while_delivering : {false, true}) {
    fates seen;
    tally ended;
    auto p = std::make_unique<pool>(2);
    auto& running = *p;
    tally owned;
    const auto end = [&, mine = &p] {
      owned.wait();
      mine->reset();
      ended.add();
    };
    if (while_delivering)
      running.submit(make_job(
        seen, [] {}, end));
    else
      running.submit(make_job(seen, end));
    owned.add();
    BOOST_TEST(ended.wait());
    BOOST_TEST(seen.destroyed.wait());
    BOOST_TEST(seen.ran.count() == 1);
    BOOST_TEST(seen.delivered.count() == (while_delivering ? 1 : 0));
  }
}

BOOST_AUTO_TEST_CASE(a_job_may_be_the_last_to_hold_its_pool) {
  fates seen;
  auto p = std::make_shared<pool>(1);
  const std::weak_ptr<pool> watch = p;
  tally released;
  p->submit(make_job(seen, [&, p] { released.wait(); }));
  p.reset();
  released.add();
  BOOST_TEST(seen.destroyed.wait());
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_CASE(a_job_waits_for_others_but_not_for_itself) {
  fates seen;
  tally begun;
  tally stopped;
  std::atomic<bool> all_ended{false};
  pool p{2};
  p.submit(make_job(seen, [&] {
    begun.add();
    await_stop(p);
  }));
  p.submit(make_job(seen, [&] {
    begun.wait();
    all_ended = p.stop(patience);
    stopped.add();
  }));
  BOOST_TEST(stopped.wait());
  BOOST_TEST(all_ended);
  BOOST_TEST(seen.destroyed.wait(2));
}

BOOST_AUTO_TEST_CASE(every_job_of_many_threads_is_delivered_once) {
  constexpr int threads = 4;
  constexpr int each = 2'000;
  fates seen;
  std::atomic<int> refused{0};
  pool p{3};
  std::vector<std::thread> submitters;
  for (int i = 0; i < threads; ++i)
    submitters.emplace_back([&] {
      for (int j = 0; j < each; ++j)
        if (!p.submit(make_job(seen)))
          ++refused;
    });
  for (auto& t : submitters)
    t.join();
  BOOST_TEST(seen.destroyed.wait(threads * each));
  BOOST_TEST(seen.ran.count() == threads * each);
  BOOST_TEST(seen.delivered.count() == threads * each);
  BOOST_TEST(refused == 0);
}

BOOST_AUTO_TEST_CASE(no_job_is_lost_when_a_pool_stops_amid_submissions) {
  for (int round = 0; round < 20; ++round) {
    constexpr int threads = 3;
    constexpr int each = 200;
    fates seen;
    pool p{2};
    std::vector<std::thread> submitters;
    for (int i = 0; i < threads; ++i)
      submitters.emplace_back([&] {
        for (int j = 0; j < each; ++j)
          p.submit(make_job(seen));
      });
    seen.ran.wait(1);
    BOOST_TEST(p.stop(patience));
    for (auto& t : submitters)
      t.join();
    BOOST_TEST(seen.destroyed.count() == threads * each);
    BOOST_TEST(seen.delivered.count() == seen.ran.count());
  }
}

BOOST_AUTO_TEST_CASE(
  whoever_runs_no_job_is_not_abandoned_even_without_patience) {
  for (int i = 0; i < 200; ++i) {
    fates seen;
    pool p{4};
    for (int n = 0; n < 4; ++n)
      p.submit(make_job(seen));
    seen.delivered.wait(4);
    // Some threads are still on their way back to rest.
    BOOST_TEST_REQUIRE(p.stop(0ns));
  }
}

#ifdef CAN_REFUSE_THREADS
BOOST_AUTO_TEST_CASE(where_there_are_no_threads_jobs_are_refused_or_wait) {
  fates seen;
  pool p{2};
  refuse_threads = true;
  BOOST_TEST(!p.submit(make_job(seen)));
  BOOST_TEST(seen.destroyed.count() == 1);
  refuse_threads = false;
  tally go_on;
  BOOST_TEST(p.submit(make_job(seen, [&] { go_on.wait(); })));
  refuse_threads = true;
  // The one thread there is does it later.
  BOOST_TEST(p.submit(make_job(seen)));
  go_on.add();
  BOOST_TEST(seen.destroyed.wait(3));
  refuse_threads = false;
  BOOST_TEST(p.submit(make_job(seen)));
  BOOST_TEST(seen.destroyed.wait(4));
  BOOST_TEST(p.stop(30s));
}
#endif

BOOST_AUTO_TEST_SUITE_END()
