#include "galaxycache/actors/core.hpp"

#include "galaxycache/runtime/caf/system_end.hpp"
#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/planted.hpp"
#include "galaxycache/runtime/random.hpp"

#include <algorithm>
#include <thread>

namespace galaxycache {

// -- universe -----------------------------------------------------------------

namespace {

/// Differs from run to run even where the seed is always the same.
std::uint64_t fresh_incarnation(std::uint64_t seed, clock& time) {
  auto now = time.wall_now().time_since_epoch().count();
  return random_source{seed ^ static_cast<std::uint64_t>(now)}.next();
}

} // namespace

universe_core::universe_core(caf::actor_system& system, std::string self_id,
                             std::shared_ptr<clock> time,
                             std::shared_ptr<const log> lines,
                             std::uint64_t seed)
  : system(system),
    self_id(value::take(std::move(self_id))),
    time(std::move(time)),
    lines(std::move(lines)),
    born(this->time->now()),
    incarnation(fresh_incarnation(seed, *this->time)),
    galaxies(std::make_shared<const galaxy_map>()),
    seeds_(seed + 1) {
  // nop
}

std::uint64_t universe_core::next_seed() noexcept {
  return seeds_.fetch_add(1, std::memory_order_relaxed);
}

struct universe_core::presence::token {
  explicit token(std::shared_ptr<universe_core> at) : where(std::move(at)) {
    std::lock_guard guard{where->mutex_};
    ++where->alive_;
  }

  token(const token&) = delete;
  token& operator=(const token&) = delete;

  ~token() {
    {
      std::lock_guard guard{where->mutex_};
      --where->alive_;
    }
    where->changed_.notify_all();
  }

  std::shared_ptr<universe_core> where;
};

universe_core::presence::presence(std::shared_ptr<universe_core> where)
  : token_(std::make_shared<const token>(std::move(where))) {
  // nop
}

std::size_t universe_core::actors_alive() const {
  std::lock_guard guard{mutex_};
  return alive_;
}

bool universe_core::await_no_actors(std::chrono::nanoseconds patience) const {
  std::unique_lock guard{mutex_};
  return changed_.wait_for(guard, patience, [this] { return alive_ == 0; });
}

void universe_core::enlist(const caf::strong_actor_ptr& member) {
  std::unique_lock guard{mutex_};
  if (ended_) {
    // An actor that was just replacing another, or of a galaxy just added.
    guard.unlock();
    caf::anon_send_exit(member, caf::exit_reason::kill);
    return;
  }
  enlisted_.push_back(caf::actor_cast<caf::weak_actor_ptr>(member));
  // Actors that have ended leave their weak pointers behind.
  if (enlisted_.size() < enlisted_max_)
    return;
  std::erase_if(enlisted_, [](const caf::weak_actor_ptr& weak) {
    auto strong = weak.lock();
    return !strong || is_terminated(strong);
  });
  enlisted_max_ = std::max(enlisted_max_, 2 * enlisted_.size());
}

bool universe_core::add(const std::shared_ptr<galaxy_core>& added) {
  std::lock_guard guard{mutex_};
  if (ended_)
    return false;
  auto all = std::make_shared<galaxy_map>(*galaxies.get());
  all->emplace(added->name, added);
  galaxies.set(std::move(all));
  return true;
}

void universe_core::end_all() {
  std::shared_ptr<const galaxy_map> known; // goes after the lock
  std::vector<caf::weak_actor_ptr> members;
  {
    std::lock_guard guard{mutex_};
    ended_ = true;
    members.swap(enlisted_);
    known = galaxies.get();
    galaxies.set(std::make_shared<const galaxy_map>());
  }
  view.set(nullptr);
  for (auto& weak : members)
    end_actor(weak.lock());
}

// -- galaxy -------------------------------------------------------------------

namespace {

// A peer that has not answered by then is asked no longer, so that there is
// time for somebody else: at most this, and at most a third of what is left.
constexpr auto attempt_max = std::chrono::seconds{1};
constexpr auto attempt_share = 3;

// A tenth of all fetches may be second attempts; for processes that begin in
// bad times, a few more.
constexpr std::int64_t retry_price = 10;
constexpr std::int64_t retries_saved = 10;

// One in fifty may be a hedge (Dean and Barroso, "The Tail at Scale", 2013,
// found that two in a hundred are enough).
constexpr std::int64_t hedge_price = 50;

} // namespace

failure too_many_keys() {
  return {errc::overloaded,
          "more than " + std::to_string(keys_at_once_max) + " keys at once"};
}

namespace {

galaxy_memory make_memory(std::size_t capacity_bytes,
                          const galaxy_options& options, std::uint64_t seed,
                          std::shared_ptr<const clock> time) {
  auto cores = std::thread::hardware_concurrency();
  auto count = options.shards != 0
                 ? options.shards
                 : default_shards(options, capacity_bytes, cores);
  shard::settings each;
  each.capacity_bytes = capacity_bytes / count;
  each.hot_ratio = options.hot_ratio;
  each.candidates_max = part_of_shard(options.candidates_max, count);
  each.reset_idle_stats = options.reset_idle_stats;
  each.promote = options.promote ? options.promote : make_always_promoter();
  each.chunks = std::make_shared<chunk_source>(options.huge_pages);
  each.hash_seed = mix64(seed);
  return galaxy_memory{each, count, std::move(time)};
}

std::vector<std::unique_ptr<shard_cell>> cells_of(const galaxy_memory& memory) {
  std::vector<std::unique_ptr<shard_cell>> result;
  for (std::size_t i = 0; i < memory.size(); ++i)
    result.push_back(std::make_unique<shard_cell>(memory.at(i)));
  return result;
}

std::unique_ptr<worker_pool> make_workers(const backend& source) {
  if (auto* pooled = std::get_if<backend::pooled>(&source.how()))
    return std::make_unique<worker_pool>(
      std::max<std::size_t>(pooled->workers, 1));
  return nullptr;
}

} // namespace

galaxy_core::galaxy_core(std::shared_ptr<universe_core> home, std::string name,
                         std::size_t capacity_bytes, backend source,
                         galaxy_options options)
  : home(std::move(home)),
    name(std::move(name)),
    wire_name(value::copy(this->name)),
    options(std::move(options)),
    source(std::move(source)),
    memory(make_memory(capacity_bytes, this->options, this->home->next_seed(),
                       this->home->time)),
    shards(cells_of(memory)),
    loads(this->options.loads_max),
    jobs(std::make_shared<gate>(this->options.loads_max)),
    fallbacks(this->options.fallbacks_per_second),
    retries(retry_price, retries_saved),
    hedges(hedge_price),
    workers(make_workers(this->source)) {
  // nop
}

value galaxy_core::owner_of(std::string_view key) const {
  return owner_in(home->view.get().get(), key);
}

value galaxy_core::owner_in(const ring_view* view, std::string_view key) const {
  auto owner = view ? view->owner_id(key) : value{};
  return owner.empty() ? home->self_id : owner;
}

std::optional<failure>
galaxy_core::too_large(const load_result& outcome) const {
  if (!outcome.found())
    return std::nullopt;
  auto size = outcome.content().data.size();
  if (size <= options.value_bytes_max)
    return std::nullopt;
  return failure{errc::value_too_large,
                 std::to_string(size) + " bytes, at most "
                   + std::to_string(options.value_bytes_max)};
}

mono_time galaxy_core::attempt_deadline(mono_time now,
                                        mono_time deadline) const {
  return now
         + std::clamp<std::chrono::nanoseconds>(
           (deadline - now) / attempt_share, std::chrono::nanoseconds{0},
           attempt_max);
}

namespace {

/// What a get counts as whose key is not in memory.
read_outcome outcome_if_absent(std::string_view key, fetch_mode mode) {
  return mode == fetch_mode::peek && key.size() <= key_bytes_max
           ? read_outcome::absent
           : read_outcome::goes_on;
}

} // namespace

std::optional<std::variant<answer, failure>>
galaxy_core::answer_at_once(std::uint64_t hash, std::string_view key,
                            fetch_mode mode) const {
  std::optional<std::variant<answer, failure>> result;
  if (memory.read(read_guard{}, hash, key, outcome_if_absent(key, mode),
                  [&](const entry& x) { result = answer_from(x); }))
    return result;
  return answer_without_memory(key, mode);
}

std::optional<std::variant<answer, failure>>
galaxy_core::answer_though_absent(std::string_view key, fetch_mode mode) const {
  memory.count(outcome_if_absent(key, mode));
  return answer_without_memory(key, mode);
}

std::optional<std::variant<answer, failure>>
galaxy_core::answer_without_memory(std::string_view key,
                                   fetch_mode mode) const {
  if (key.size() > key_bytes_max) {
    shards.front()->count.add(counter::failed);
    return failure{errc::key_too_long, std::to_string(key.size()) + " bytes"};
  }
  if (mode == fetch_mode::peek)
    return answer{};
  return std::nullopt;
}

galaxy_core::admission galaxy_core::admit(shard_cell& cell,
                                          std::size_t gets) const {
  cell.count.add(counter::loads, gets);
  admission result{cell.entrance.get(), 0, {}};
  if (!result.entrance) {
    result.why = {errc::unavailable, failed ? "the galaxy has failed"
                                            : "the galaxy is not running"};
    cell.count.add(counter::failed, gets);
    return result;
  }
  auto& waiters = *result.entrance->waiters;
  result.gets = waiters.enter_some(gets);
  if (auto refused = gets - result.gets; refused > 0) {
    result.why = {errc::overloaded,
                  std::to_string(waiters.limit()) + " gets wait"};
    cell.count.add(counter::overloaded, refused);
    cell.count.add(counter::failed, refused);
  }
  return result;
}

std::variant<answer, failure, way_on>
galaxy_core::begin(std::string_view key, const get_options& asked) const {
  using outcome = std::variant<answer, failure, way_on>;
  auto hash = memory.hash_of(key);
  if (auto known = answer_at_once(hash, key, asked.mode))
    return std::visit([](auto& x) { return outcome{std::move(x)}; }, *known);
  auto admitted = admit(*shards[memory.shard_of(hash)], 1);
  if (admitted.gets == 0)
    return std::move(admitted.why);
  return way_on{admitted.entrance->cache,
                {asked.mode, deadline_for(asked), false}};
}

mono_time galaxy_core::deadline_for(const get_options& asked) const noexcept {
  // A timeout longer than a year is as good as a year, and does not overflow.
  constexpr std::chrono::nanoseconds longest = std::chrono::hours{24 * 365};
  auto timeout = asked.timeout > std::chrono::nanoseconds{0}
                   ? asked.timeout
                   : options.default_timeout;
  return home->time->now() + std::min(timeout, longest);
}

galaxy_stats galaxy_core::stats() const {
  galaxy_stats result;
  result.unused_bytes = memory.ready_bytes();
  auto& reads = memory.reads();
  result.maincache_hits = reads.get(read_outcome::main_hit);
  result.hotcache_hits = reads.get(read_outcome::hot_hit);
  if (GALAXYCACHE_PLANTED(hit_counted_twice))
    result.hotcache_hits *= 2;
  result.not_found = reads.get(read_outcome::absent);
  result.gets = reads.get(read_outcome::main_hit)
                + reads.get(read_outcome::hot_hit)
                + reads.get(read_outcome::goes_on) + result.not_found;
  auto add = [](cache_stats& sum, const cache_stats& x) {
    sum.bytes += x.bytes;
    sum.entries += x.entries;
    sum.evictions += x.evictions;
  };
  for (auto& cell : shards) {
    result.add(cell->count);
    auto held = cell->memory.stats();
    add(result.maincache, held.main);
    add(result.hotcache, held.hot);
    result.candidates += held.candidates;
    result.overhead_bytes += held.overhead_bytes;
    result.retired_bytes += held.retired_bytes;
    result.unused_bytes += held.unused_bytes;
    result.flights += cell->flights.load(std::memory_order_relaxed);
    if (auto entrance = cell->entrance.get())
      result.waiters += entrance->waiters->inside();
  }
  return result;
}

// -- waking -------------------------------------------------------------------

void wake_up::arm(clock& time, mono_time when, caf::weak_actor_ptr whom,
                  void (*wake)(const caf::strong_actor_ptr&)) {
  time.call_at(when, [whom = std::move(whom), wake] {
    if (auto strong = whom.lock())
      wake(strong);
  });
}

} // namespace galaxycache
