#include "galaxycache/runtime/clock.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace galaxycache {

using alarm_queue = std::multimap<mono_time, std::function<void()>>;

clock::~clock() {
  // nop
}

// -- the operating system's clocks --------------------------------------------

namespace {

class system_clock : public clock {
public:
  system_clock() : shared_(std::make_shared<shared_state>()) {
    // nop
  }

  ~system_clock() override {
    {
      std::lock_guard guard{shared_->mutex};
      shared_->stopping = true;
    }
    shared_->changed.notify_one();
    if (!thread_.joinable())
      return;
    // An alarm may release the last owner of its own clock.
    if (thread_.get_id() == std::this_thread::get_id())
      thread_.detach();
    else
      thread_.join();
  }

  mono_time now() const noexcept override {
    return std::chrono::steady_clock::now();
  }

  wall_time wall_now() const noexcept override {
    return std::chrono::system_clock::now();
  }

  void call_at(mono_time when, std::function<void()> alarm) override {
    bool first = false;
    {
      std::lock_guard guard{shared_->mutex};
      auto at = shared_->alarms.emplace(when, std::move(alarm));
      first = at == shared_->alarms.begin();
      if (!thread_.joinable())
        thread_ = std::thread{[shared = shared_] { run(*shared); }};
    }
    if (first)
      shared_->changed.notify_one();
  }

private:
  struct shared_state {
    std::mutex mutex;
    std::condition_variable changed;
    alarm_queue alarms;
    bool stopping = false;
  };

  static void run(shared_state& shared) {
    std::unique_lock guard{shared.mutex};
    while (!shared.stopping) {
      if (shared.alarms.empty()) {
        shared.changed.wait(guard);
        continue;
      }
      auto first = shared.alarms.begin();
      if (first->first > std::chrono::steady_clock::now()) {
        shared.changed.wait_until(guard, first->first);
        continue;
      }
      auto alarm = std::move(first->second);
      shared.alarms.erase(first);
      guard.unlock();
      alarm();
      alarm = nullptr;
      guard.lock();
    }
  }

  std::shared_ptr<shared_state> shared_;
  std::thread thread_;
};

} // namespace

std::shared_ptr<clock> make_system_clock() {
  return std::make_shared<system_clock>();
}

// -- the clock of tests -------------------------------------------------------

struct manual_clock::state {
  mutable std::mutex mutex;
  // Far from zero, so that "an hour ago" is a time, too.
  mono_time now{std::chrono::hours{1'000}};
  wall_time wall{std::chrono::hours{24 * 365 * 50}};
  alarm_queue alarms;
};

manual_clock::manual_clock() : state_(std::make_unique<state>()) {
  // nop
}

manual_clock::~manual_clock() {
  // nop
}

mono_time manual_clock::now() const noexcept {
  std::lock_guard guard{state_->mutex};
  return state_->now;
}

wall_time manual_clock::wall_now() const noexcept {
  std::lock_guard guard{state_->mutex};
  return state_->wall;
}

void manual_clock::call_at(mono_time when, std::function<void()> alarm) {
  {
    std::lock_guard guard{state_->mutex};
    if (when > state_->now) {
      state_->alarms.emplace(when, std::move(alarm));
      return;
    }
  }
  alarm();
}

void manual_clock::advance(std::chrono::nanoseconds by) {
  std::unique_lock guard{state_->mutex};
  auto until = state_->now + by;
  for (;;) {
    auto first = state_->alarms.begin();
    if (first == state_->alarms.end() || first->first > until)
      break;
    auto alarm = std::move(first->second);
    if (first->first > state_->now) {
      state_->wall += first->first - state_->now;
      state_->now = first->first;
    }
    state_->alarms.erase(first);
    guard.unlock();
    alarm();
    guard.lock();
  }
  // An alarm, or another thread, may have moved the clock further.
  if (until > state_->now) {
    state_->wall += until - state_->now;
    state_->now = until;
  }
}

void manual_clock::jump_wall(std::chrono::nanoseconds by) {
  std::lock_guard guard{state_->mutex};
  state_->wall += by;
}

std::size_t manual_clock::pending() const {
  std::lock_guard guard{state_->mutex};
  return state_->alarms.size();
}

std::optional<mono_time> manual_clock::next_alarm() const {
  std::lock_guard guard{state_->mutex};
  if (state_->alarms.empty())
    return std::nullopt;
  return state_->alarms.begin()->first;
}

} // namespace galaxycache
