#include "galaxycache/runtime/worker_pool.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace galaxycache {

worker_pool::job::~job() {
  // nop
}

namespace {

// For whom this thread works, and what of a job it is busy with.
thread_local const void* employer = nullptr;
thread_local bool running_here = false;
thread_local bool delivering_here = false;

} // namespace

/// Outlives the pool for as long as an abandoned thread runs.
struct worker_pool::shared_state {
  std::mutex mutex;
  std::condition_variable work_added;
  std::condition_variable worker_left;
  std::deque<std::unique_ptr<job>> queue;
  std::vector<std::thread> threads;
  std::size_t idle = 0;
  std::size_t waking = 0; // of the idle ones
  std::size_t alive = 0;
  std::size_t running = 0; // jobs, which take as long as they like
  std::size_t delivering = 0;
  bool stopped = false;
  bool abandoned = false;

  /// Unlocks, and wakes a worker if there is a job for it. One at a time: it
  /// wakes the next if there is still a job after its own. Meanwhile others may
  /// have done what there was, without a switch of threads for every job.
  void unlock_and_wake(std::unique_lock<std::mutex>& guard) {
    auto needed = !queue.empty() && idle > 0 && waking == 0;
    if (needed)
      ++waking;
    guard.unlock();
    if (needed)
      work_added.notify_one();
  }

  void work() {
    employer = this;
    std::unique_lock guard{mutex};
    for (;;) {
      while (!stopped && queue.empty()) {
        ++idle;
        work_added.wait(guard);
        --idle;
        if (waking > 0)
          --waking;
      }
      if (stopped)
        break;
      auto next = std::move(queue.front());
      queue.pop_front();
      ++running;
      unlock_and_wake(guard);
      running_here = true;
      next->run();
      running_here = false;
      guard.lock();
      --running;
      if (!abandoned) {
        ++delivering;
        guard.unlock();
        delivering_here = true;
        next->deliver();
        next.reset();
        delivering_here = false;
        guard.lock();
        --delivering;
        if (stopped)
          worker_left.notify_all(); // stop() may be called by a delivery
        continue;
      }
      guard.unlock();
      next.reset();
      guard.lock();
    }
    --alive;
    worker_left.notify_all();
  }
};

worker_pool::worker_pool(std::size_t threads)
  : threads_max_(threads),
    shared_(std::make_shared<shared_state>()) {
  // nop
}

worker_pool::~worker_pool() {
  stop(std::chrono::nanoseconds{0});
}

bool worker_pool::submit(std::unique_ptr<job> work) {
  auto& s = *shared_;
  std::unique_lock guard{s.mutex};
  if (s.stopped)
    return false;
  s.queue.push_back(std::move(work));
  if (s.idle < s.queue.size() && s.alive < threads_max_) {
    try {
      s.threads.emplace_back([shared = shared_] { shared->work(); });
      ++s.alive; // before it can look: it waits for the lock
    } catch (const std::exception&) {
      // The system has no more threads, or no memory for one. Those there are
      // do the work.
      if (s.alive == 0) {
        s.queue.pop_back();
        return false;
      }
    }
  }
  s.unlock_and_wake(guard);
  return true;
}

bool worker_pool::stop(std::chrono::nanoseconds patience) {
  auto& s = *shared_;
  std::deque<std::unique_ptr<job>> dropped;
  std::vector<std::thread> threads;
  std::unique_lock guard{s.mutex};
  s.stopped = true;
  dropped.swap(s.queue);
  threads.swap(s.threads);
  s.work_added.notify_all();
  const std::size_t own = employer == &s ? 1 : 0;
  const std::size_t own_rest = own && !running_here ? 1 : 0;
  const std::size_t own_delivery = own && delivering_here ? 1 : 0;
  s.worker_left.wait_for(guard, patience, [&] { return s.alive == own; });
  // Afterwards, whom to deliver to may go.
  s.abandoned = true;
  // Whoever runs no job leaves at once.
  s.worker_left.wait(guard, [&] {
    return s.alive == s.running + own_rest && s.delivering == own_delivery;
  });
  auto done = s.alive == own;
  guard.unlock();
  for (auto& t : threads) {
    if (done && t.get_id() != std::this_thread::get_id())
      t.join();
    else
      t.detach();
  }
  return done;
}

} // namespace galaxycache
