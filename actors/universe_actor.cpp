#include "galaxycache/actors/universe_actor.hpp"

#include <algorithm>

namespace galaxycache {

namespace {

// How often a draining universe looks whether it may go.
constexpr auto drain_poll_interval = std::chrono::milliseconds{2};

} // namespace

universe_actor::behavior_type
universe_state::start(universe_actor::pointer self, universe_config config) {
  self_ = self;
  config_ = std::move(config);
  harden(self, *this, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a universe actor crashed"});
  });
  auto fatal = [this](const std::string& who) {
    return [this, who](const caf::error& why) {
      if (config_.home->phase != life::serving)
        return;
      config_.home->lines->error("the " + who
                                 + " actor died, so the universe "
                                   "stops: "
                                 + describe(why));
      drain(std::chrono::nanoseconds{0});
    };
  };
  monitors_.watch(self, config_.ring, fatal("ring"));
  monitors_.watch(self, config_.server, fatal("server"));
  return {
    [this](stop_atom, caf::timespan grace) { drain(grace); },
    [this](tick_atom) {
      wake_.woken(config_.home->time->now());
      if (config_.home->phase == life::draining)
        look_whether_drained();
    },
  };
}

void universe_state::drain(std::chrono::nanoseconds grace) {
  auto& home = *config_.home;
  auto expected = life::serving;
  if (!home.phase.compare_exchange_strong(expected, life::draining))
    return;
  home.lines->info("draining");
  give_up_ = home.time->now() + std::min(grace, grace_max);
  send_to(self_, config_.server, drain_atom_v);
  look_whether_drained();
}

void universe_state::look_whether_drained() {
  auto& home = *config_.home;
  auto busy = false;
  auto galaxies = home.galaxies.get();
  for (auto& [name, galaxy] : *galaxies) {
    auto stats = galaxy->stats();
    busy = busy || stats.flights > 0 || stats.waiters > 0;
  }
  auto now = home.time->now();
  if (!busy || now >= give_up_)
    return stop();
  wake_.at(*home.time, now + drain_poll_interval,
           caf::actor_cast<universe_actor>(self_));
}

void universe_state::stop() {
  auto& home = *config_.home;
  home.phase = life::down;
  auto galaxies = home.galaxies.get();
  for (auto& [name, galaxy] : *galaxies)
    send_to(self_, galaxy->supervisor, stop_atom_v);
  if (config_.where)
    config_.way->unlisten(config_.server, *config_.where);
  send_to(self_, config_.server, stop_atom_v);
  send_to(self_, config_.ring, stop_atom_v);
  home.lines->info("stopped");
  self_->quit();
}

universe_actor::behavior_type
universe_supervisor(universe_actor::stateful_pointer<universe_state> self,
                    universe_config config) {
  return state_of(self).start(self, std::move(config));
}

} // namespace galaxycache
