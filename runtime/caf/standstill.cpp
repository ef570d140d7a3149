#include "galaxycache/runtime/caf/standstill.hpp"

#include "galaxycache/runtime/caf/version.hpp"

#include <caf/event_based_actor.hpp>
#if GALAXYCACHE_CAF_1
#  include <caf/telemetry/counter.hpp>
#else
#  include <caf/policy/work_stealing.hpp>
#  include <caf/scheduler/coordinator.hpp>
#endif

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

namespace galaxycache {

namespace {

using real_time = std::chrono::steady_clock;

// How often nothing must be left to do.
#if GALAXYCACHE_CAF_1
constexpr int looks
  = 2; // one misses what an actor does before its first message
#else
constexpr int looks = 1;
#endif

/// Keeps all workers that come until all are there and one has looked.
class meeting {
public:
  explicit meeting(std::size_t expected) : missing_(expected) {
    // nop
  }

  void attend() {
    std::unique_lock guard{mutex_};
    if (--missing_ == 0)
      complete_.notify_all();
    over_.wait(guard, [this] { return is_over_; });
  }

  bool await_all(real_time::time_point until) {
    std::unique_lock guard{mutex_};
    return complete_.wait_until(guard, until, [this] { return missing_ == 0; });
  }

  void end() {
    std::lock_guard guard{mutex_};
    is_over_ = true;
    over_.notify_all();
  }

private:
  std::mutex mutex_; // protects all below
  std::condition_variable complete_;
  std::condition_variable over_;
  std::size_t missing_;
  bool is_over_ = false;
};

/// Looks whether a system whose workers all attend a meeting has anything else
/// to do. A worker goes on with what its own actors set off before it takes
/// what others have queued, and so before it attends: what is left was queued
/// from outside meanwhile.
class observer {
public:
  bool is_idle(caf::actor_system& system) {
#if GALAXYCACHE_CAF_1
    // Or has done anything since the last look.
    auto done = system.base_metrics().processed_messages->value();
    auto [i, first] = done_.try_emplace(&system, done);
    return std::exchange(i->second, done) == done && !first;
#else
    using stealing = caf::scheduler::coordinator<caf::policy::work_stealing>;
    auto& all = dynamic_cast<stealing&>(system.scheduler());
    for (std::size_t i = 0; i < all.num_workers(); ++i)
      if (!all.worker_by_id(i)->data().queue.empty())
        return false;
    return true;
#endif
  }

private:
  std::map<caf::actor_system*, std::int64_t> done_;
};

} // namespace

bool await_standstill(const std::vector<caf::actor_system*>& systems,
                      std::size_t workers, std::chrono::nanoseconds patience) {
  auto until = real_time::now() + patience;
  observer look;
  for (auto idle = 0; idle < looks;) {
    auto all = std::make_shared<meeting>(systems.size() * workers);
    for (auto* each : systems)
      for (std::size_t i = 0; i < workers; ++i)
        each->spawn<caf::hidden>(
          [all](caf::event_based_actor*) { all->attend(); });
    auto complete = all->await_all(until);
    ++idle;
    for (auto* each : systems)
      if (!look.is_idle(*each))
        idle = 0;
    all->end();
    if (!complete || (idle < looks && real_time::now() >= until))
      return false;
  }
  return true;
}

} // namespace galaxycache
