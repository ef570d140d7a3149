#include "galaxycache/runtime/caf/stepper.hpp"

#include "galaxycache/runtime/caf/version.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/resumable.hpp>
#if GALAXYCACHE_CAF_1
#  include <caf/action.hpp>
#  include <caf/actor_clock.hpp>
#  include <caf/detail/actor_system_access.hpp>
#  include <caf/scheduler.hpp>
#else
#  include <caf/atom.hpp>
#  include <caf/scheduler/test_coordinator.hpp>
#endif

#include <algorithm>
#include <deque>

namespace galaxycache {

namespace {

caf::actor_id id_of(caf::resumable* job) {
  auto* actor = dynamic_cast<caf::abstract_actor*>(job);
  return actor ? actor->id() : caf::actor_id{0};
}

} // namespace

#if GALAXYCACHE_CAF_1

namespace {

class stepping_scheduler : public caf::scheduler {
public:
  void schedule(caf::resumable* what) override {
    jobs.push_back(what);
  }

  void delay(caf::resumable* what) override {
    jobs.push_back(what);
  }

  void start() override {
    // nop
  }

  void stop() override {
    while (!jobs.empty())
      run(0);
  }

  /// Every job comes with a reference, which is ours until it is done.
  void run(std::size_t i) {
    auto* job = jobs[i];
    jobs.erase(jobs.begin() + static_cast<std::ptrdiff_t>(i));
    if (job->resume(this, 1) == caf::resumable::resume_later)
      jobs.push_back(job);
    else
      intrusive_ptr_release(job);
  }

  std::deque<caf::resumable*> jobs;
};

/// CAF's own timers have no place in virtual time; the clock that CAF has would
/// fire them from a thread of its own.
class stopped_clock : public caf::actor_clock {
public:
  time_point now() const noexcept override {
    return time_point{};
  }

  caf::disposable schedule(time_point, caf::action f) override {
    return std::move(f).as_disposable();
  }
};

void install(caf::actor_system& system, caf::actor_system_config&,
             void* scheduler) {
  caf::detail::actor_system_access{system}.clock(
    std::make_unique<stopped_clock>());
  auto& owner = *static_cast<std::unique_ptr<stepping_scheduler>*>(scheduler);
  caf::detail::actor_system_access{system}.scheduler(std::move(owner));
}

} // namespace

struct stepped_system::implementation {
  implementation(caf::actor_system_config& cfg, choice choose)
    : choose(std::move(choose)),
      made(std::make_unique<stepping_scheduler>()),
      scheduler(made.get()),
      system(cfg, install, &made) {
    // nop
  }

  std::deque<caf::resumable*>& jobs() {
    return scheduler->jobs;
  }

  void run(std::size_t i) {
    scheduler->run(i);
  }

  choice choose;
  std::unique_ptr<stepping_scheduler> made; // until the system has it
  stepping_scheduler* scheduler;
  caf::actor_system system;
};

#else

namespace {

caf::actor_system_config& prepared(caf::actor_system_config& cfg) {
  cfg.set("scheduler.policy", caf::atom("testing"));
  return cfg;
}

} // namespace

struct stepped_system::implementation {
  implementation(caf::actor_system_config& cfg, choice choose)
    : choose(std::move(choose)),
      system(prepared(cfg)),
      scheduler(
        dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())) {
    // nop
  }

  std::deque<caf::resumable*>& jobs() {
    return scheduler.jobs;
  }

  void run(std::size_t i) {
    auto& all = scheduler.jobs;
    auto job = all.begin() + static_cast<std::ptrdiff_t>(i);
    std::rotate(all.begin(), job, job + 1);
    scheduler.try_run_once();
  }

  choice choose;
  caf::actor_system system;
  caf::scheduler::test_coordinator& scheduler;
};

#endif

stepped_system::stepped_system(caf::actor_system_config& cfg, choice choose)
  : impl_(std::make_unique<implementation>(cfg, std::move(choose))) {
  // nop
}

stepped_system::~stepped_system() {
  while (step())
    ; // until all is done
}

caf::actor_system& stepped_system::system() noexcept {
  return impl_->system;
}

std::optional<caf::actor_id> stepped_system::step() {
  auto& jobs = impl_->jobs();
  if (jobs.empty())
    return std::nullopt;
  auto chosen = impl_->choose(jobs.size());
  auto id = id_of(jobs[chosen]);
  impl_->run(chosen);
  return id;
}

} // namespace galaxycache
