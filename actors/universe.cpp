#include "galaxycache/actors/universe.hpp"

#include "galaxycache/actors/caf_transport.hpp"
#include "galaxycache/actors/galaxy_actor.hpp"
#include "galaxycache/actors/ring.hpp"
#include "galaxycache/actors/server.hpp"
#include "galaxycache/actors/universe_actor.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/caf/system_end.hpp"

#include <caf/scoped_actor.hpp>

#include <algorithm>
#include <random>

namespace galaxycache {

namespace {

// Actors that were told to end do so within milliseconds, unless the machine
// is overloaded.
constexpr auto end_patience = std::chrono::seconds{2};

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

[[noreturn]] void refuse(errc code, std::string reason) {
  throw exception{failure{code, std::move(reason)}};
}

void check(const universe_options& options) {
  if (options.self.empty() || options.self.size() > peer_id_bytes_max)
    refuse(errc::invalid_argument, "universe_options::self must have 1 to "
                                     + std::to_string(peer_id_bytes_max)
                                     + " bytes");
  if (auto why = validate(options.peers))
    refuse(errc::invalid_argument, *why);
  if (options.placement.segments == 0
      || options.placement.segments > segments_max)
    refuse(errc::invalid_argument, "placement.segments must be from 1 to "
                                     + std::to_string(segments_max));
  if (options.stop_grace < std::chrono::nanoseconds{0})
    refuse(errc::invalid_argument, "stop_grace must not be negative");
  for (auto& way : options.transports)
    if (!way)
      refuse(errc::invalid_argument, "a transport must not be null");
}

std::shared_ptr<const log> make_log(const universe_options& options) {
  if (options.log_to)
    return std::make_shared<const log>(options.verbosity, options.log_to);
  return std::make_shared<const log>(options.verbosity, options.self);
}

/// Ends everything of a universe, and lets go of what holds it together.
void end_now(universe_core& core) {
  core.phase = life::down;
  core.end_all();
}

/// Has the universe end when its actor system begins to: CAF ends this actor
/// of its own then, while the scheduler still runs. Our actors are hidden from
/// the system, which therefore does not wait for them.
void end_with_system(caf::actor_system& system,
                     const std::shared_ptr<universe_core>& core) {
  at_system_end(system, [weak = std::weak_ptr<universe_core>{core}] {
    if (auto strong = weak.lock()) {
      auto galaxies = strong->galaxies.get();
      strong->system_is_gone = true;
      end_now(*strong);
      // Who works on must not deliver to a system that is gone.
      for (auto& [name, galaxy] : *galaxies)
        if (galaxy->workers)
          galaxy->workers->stop(std::chrono::nanoseconds{0});
    }
  });
}

} // namespace

struct universe::implementation {
  universe_options options;
  std::shared_ptr<universe_core> core;
  ring_actor ring;
  server_actor server;
  universe_actor actor;
  std::shared_ptr<transport> way; // null if it does not listen
  std::optional<galaxycache::uri> listens_at;
  std::string where;
  std::mutex adding; // galaxies, one at a time

  implementation(caf::actor_system& system, universe_options given);
  ~implementation();

  void stop(std::chrono::nanoseconds grace);

  /// Asks the ring and waits for its answer.
  template <class Result, class... Ts>
  Result ask_ring(Ts&&... xs);
};

universe::implementation::implementation(caf::actor_system& system,
                                         universe_options given)
  : options(std::move(given)) {
  check(options);
  auto lines = make_log(options);
  transport_map ways;
  for (auto& way : options.transports)
    ways.emplace(way->scheme(), way);
  if (ways.count("caf") == 0)
    ways.emplace("caf", make_caf_transport(system, lines));
  if (ways.count("cafs") == 0)
    ways.emplace("cafs", make_cafs_transport(system, lines));
  std::string why;
  std::optional<galaxycache::uri> listen_at;
  if (!options.listen.empty()) {
    listen_at = parse_uri(options.listen, why);
    if (!listen_at)
      refuse(errc::invalid_argument, why);
    if (ways.count(listen_at->scheme) == 0)
      refuse(errc::invalid_argument,
             "no transport for '" + options.listen + "'");
    if (auto refused = why_refused(*ways.at(listen_at->scheme), *listen_at,
                                   options.insecure))
      throw exception{*refused};
  }
  // Not with make_shared: what waits for the system's end holds a weak pointer,
  // which must not hold the memory.
  core = std::shared_ptr<universe_core>(new universe_core(
    system, options.self, options.time ? options.time : make_system_clock(),
    std::move(lines), options.seed ? *options.seed : random_seed()));
  server = system.spawn<caf::hidden>(
    galaxycache::server, server_config{core, options.peers, options.placement,
                                       universe_core::presence{core}});
  core->enlist(caf::actor_cast<caf::strong_actor_ptr>(server));
  universe_config config;
  config.home = core;
  config.server = server;
  if (listen_at) {
    config.way = ways.at(listen_at->scheme);
    auto bound = config.way->listen(server, *listen_at);
    if (auto* refused = std::get_if<failure>(&bound)) {
      end_now(*core);
      throw exception{*refused};
    }
    config.where = std::get<galaxycache::uri>(bound);
    where = to_string(*config.where);
    way = config.way;
    listens_at = config.where;
  }
  ring = system.spawn<caf::hidden>(
    galaxycache::ring,
    ring_config{core, std::move(ways), options.placement, options.peers,
                options.insecure, where, universe_core::presence{core}});
  core->enlist(caf::actor_cast<caf::strong_actor_ptr>(ring));
  config.ring = ring;
  config.alive = universe_core::presence{core};
  actor = system.spawn<caf::hidden>(universe_supervisor, std::move(config));
  core->enlist(caf::actor_cast<caf::strong_actor_ptr>(actor));
  end_with_system(system, core);
}

universe::implementation::~implementation() {
  stop(options.stop_grace);
}

void universe::implementation::stop(std::chrono::nanoseconds grace) {
  if (core->system_is_gone)
    return;
  grace = std::clamp(grace, std::chrono::nanoseconds{0}, grace_max);
  auto galaxies = core->galaxies.get();
  auto began = std::chrono::steady_clock::now();
  post(actor, stop_atom_v, caf::timespan{grace});
  // The one that ends the others in order may have died itself; one that has
  // done its work says so before it ends.
  auto ended = is_terminated(caf::actor_cast<caf::strong_actor_ptr>(actor));
  auto headless = ended && core->phase != life::down;
  if (headless || !core->await_no_actors(grace + end_patience)) {
    core->lines->warning("some actors do not end in time and are ended");
    end_now(*core);
    if (way)
      way->unlisten(server, *listens_at);
    core->await_no_actors(end_patience);
  }
  end_now(*core);
  // User code that still runs gets what is left of the grace.
  for (auto& [name, galaxy] : *galaxies) {
    if (!galaxy->workers)
      continue;
    auto spent = std::chrono::steady_clock::now() - began;
    auto left = std::max(grace - spent, std::chrono::nanoseconds{0});
    if (!galaxy->workers->stop(left))
      core->lines->warning("galaxy " + name
                           + ": a backend function still runs and is "
                             "abandoned");
  }
}

template <class Result, class... Ts>
Result universe::implementation::ask_ring(Ts&&... xs) {
  if (core->system_is_gone)
    refuse(errc::unavailable, "the actor system is gone");
  std::optional<failure> why;
  caf::scoped_actor self{core->system};
  auto asked = request(self.ptr(), ring, std::forward<Ts>(xs)...);
  auto failed = [&](caf::error& x) { why = failure_of(x); };
  if constexpr (std::is_void_v<Result>) {
    std::move(asked).receive([] {}, failed);
    if (why)
      throw exception{*why};
  } else {
    Result result;
    std::move(asked).receive([&](Result& x) { result = std::move(x); }, failed);
    if (why)
      throw exception{*why};
    return result;
  }
}

universe::universe(caf::actor_system& system, universe_options options)
  : impl_(std::make_unique<implementation>(system, std::move(options))) {
  // nop
}

universe::universe(universe&&) noexcept = default;

universe& universe::operator=(universe&&) noexcept = default;

universe::~universe() {
  // nop
}

const std::string& universe::self() const noexcept {
  return impl_->options.self;
}

const std::string& universe::uri() const noexcept {
  return impl_->where;
}

galaxy universe::add_galaxy(const std::string& name, std::size_t capacity_bytes,
                            backend source, galaxy_options options) {
  if (auto why = validate_galaxy_name(name))
    refuse(errc::invalid_argument, *why);
  if (auto why = validate(options))
    refuse(errc::invalid_argument, *why);
  auto& core = impl_->core;
  std::lock_guard guard{impl_->adding};
  if (core->phase != life::serving)
    refuse(errc::unavailable, "the universe has been stopped");
  auto present = core->galaxies.get();
  if (present->count(name) != 0)
    refuse(errc::invalid_argument, "there is a galaxy '" + name + "' already");
  // Its memory goes with it, though handles of its actor may remain.
  auto added = std::shared_ptr<galaxy_core>(new galaxy_core(
    core, name, capacity_bytes, std::move(source), std::move(options)));
  added->supervisor = spawn_galaxy(added);
  if (!core->add(added) || core->phase != life::serving) {
    // Stopped meanwhile, maybe without having seen the new galaxy.
    post(added->supervisor, stop_atom_v);
    refuse(errc::unavailable, "the universe has been stopped");
  }
  return galaxy{added, added->supervisor};
}

std::optional<galaxy> universe::find_galaxy(std::string_view name) const {
  auto present = impl_->core->galaxies.get();
  auto i = present->find(name);
  if (i == present->end())
    return std::nullopt;
  return galaxy{i->second, i->second->supervisor};
}

void universe::set_peers(std::vector<peer_info> members) {
  impl_->ask_ring<void>(set_atom_v, std::move(members));
}

void universe::add_peer(peer_info member) {
  impl_->ask_ring<void>(join_atom_v, std::move(member));
}

void universe::remove_peers(std::vector<std::string> ids) {
  impl_->ask_ring<void>(leave_atom_v, name_list{std::move(ids)});
}

void universe::include_self(bool included) {
  impl_->ask_ring<void>(self_atom_v, included);
}

std::vector<peer_status> universe::peers() const {
  return impl_->ask_ring<std::vector<peer_status>>(list_atom_v);
}

const ring_actor& universe::ring() const noexcept {
  return impl_->ring;
}

void universe::stop(std::chrono::nanoseconds grace) {
  impl_->stop(grace);
}

std::size_t universe::actors_alive() const {
  return impl_->core->actors_alive();
}

const universe_actor& universe::actor() const noexcept {
  return impl_->actor;
}

} // namespace galaxycache
