#include "galaxycache/runtime/shard.hpp"

#include <algorithm>
#include <new>

namespace galaxycache {

namespace {

// How stale the promoter's view of the hot cache may be: galaxycache's second.
constexpr auto sample_interval = std::chrono::seconds{1};

// Entries that leave before memory is given back: it takes a look at every
// thread, and with some kernels a call to each core.
constexpr std::size_t retired_entries = 128;
constexpr std::size_t retired_bytes = std::size_t{1} << 20;

// Memory that left and may still be being read: this part of the capacity, or
// so much where that is little. Beyond it nothing is added.
constexpr std::size_t retired_part = 16;
constexpr std::size_t retired_bytes_min = 256 * 1024;

// What a change of an entry may cost besides: blocks taken in, entries moved.
constexpr std::size_t taken_in_by_change = 1024;
constexpr std::size_t moved_by_change = 8;

std::size_t cost_of(const entry& x) {
  return x.cost();
}

void drop_entry(void* x) {
  entry::drop(static_cast<entry*>(x));
}

} // namespace

shard::shard(settings s)
  : settings_(std::move(s)),
    memory_(entry_arena::open(settings_.chunks)),
    index_(unlinked_, settings_.hash_seed),
    main_(make_s3_fifo(cost_of, settings_.capacity_bytes)),
    hot_(make_s3_fifo(cost_of, settings_.capacity_bytes)),
    candidates_(settings_.candidates_max) {
  // nop
}

shard::~shard() {
  forget_all();
}

template <class F>
auto shard::change(F f) {
  std::lock_guard guard{mutex_};
  try {
    return f();
  } catch (...) {
    forget_all();
    throw;
  }
}

// -- for any thread -----------------------------------------------------------

std::optional<shard::hit> shard::find(std::string_view key,
                                      const clock& time) const {
  std::optional<hit> result;
  visit(read_guard{}, hash_of(key), key, time, [&](const entry& x) {
    result.emplace(hit{x.share(), x.expiry(),
                       x.is_hot() ? cache_kind::hot : cache_kind::main});
  });
  return result;
}

shard::contents shard::stats() const {
  std::lock_guard guard{mutex_};
  return {{main_->bytes(), main_->entries(), main_evictions_},
          {hot_->bytes(), hot_->entries(), hot_evictions_},
          candidates_.size(),
          overhead_bytes(),
          unlinked_.bytes(),
          memory_->unused_bytes()};
}

bool shard::accounts_exactly() const {
  std::lock_guard guard{mutex_};
  return main_->bytes() == main_->recount() && hot_->bytes() == hot_->recount()
         && main_->entries() + hot_->entries() == index_.size();
}

std::size_t shard::overhead_bytes() const {
  return index_.bytes() + main_->overhead_bytes() + hot_->overhead_bytes();
}

std::size_t shard::total_bytes() const {
  return main_->bytes() + hot_->bytes() + overhead_bytes();
}

// -- for the writer -----------------------------------------------------------

bool shard::put_main(std::string_view key, const value& data, wall_time expiry,
                     const clock& time) {
  return change([&] { return put(key, data, {expiry, nullptr}, time); });
}

bool shard::offer_hot(std::string_view key, const value& data, wall_time expiry,
                      std::uint64_t gets, const clock& time) {
  auto now = time.now();
  promotion_stats stats;
  // Which stays where it is: nobody else writes.
  auto* candidate = change([&] {
    // What is about to be replaced knows its key best.
    auto* old = index_.find(hash_of(key), key);
    if (old && old->is_hot())
      candidates_.put(key, old->rate(now));
    auto* found = candidates_.find_or_add(key, now);
    if (found != nullptr) {
      stats.hits = found->hits();
      stats.key_qps = found->qps(now);
    }
    sample_hot(now);
    stats.hot = sampled_;
    return found;
  });
  // User code runs outside the lock, so that it may look at the cache.
  auto wanted = false;
  try {
    wanted = settings_.promote->should_promote(key, data, stats);
  } catch (...) {
    // One that throws does not promote.
  }
  return change([&] {
    key_stats rate{now};
    if (candidate != nullptr) {
      candidate->touch(now, settings_.reset_idle_stats, gets);
      rate = *candidate;
    }
    return wanted && put(key, data, {expiry, &rate}, time);
  });
}

/// Adds an entry; returns whether it stays. If it does not, neither does an
/// older one of its key.
bool shard::put(std::string_view key, const value& data,
                const entry::traits& with, const clock& time) {
  auto hash = hash_of(key);
  if (unlinked_.bytes() > retired_max())
    tidy(0);
  entry* added = nullptr;
  entry* old = nullptr;
  if (has_room_for(entry::cost_of(key, data, with))
      && unlinked_.bytes() <= retired_max()) {
    added = entry::make(key, data, with, memory_.get());
    try {
      old = index_.put(hash, *added);
    } catch (const std::bad_alloc&) {
      added->retire();
      entry::drop(std::exchange(added, nullptr));
    }
  }
  if (!added) {
    if (auto* kept = index_.find(hash, key))
      remove(*kept, hash);
    make_room(nullptr, time);
    return false;
  }
  // A key lives in one cache: what is newer replaces what is older.
  auto& order = order_of(*added);
  if (old && &order_of(*old) == &order) {
    order.replace(*old, *added);
  } else {
    if (old)
      order_of(*old).remove(*old, hash);
    order.add(*added, hash);
  }
  if (old)
    retire(*old);
  if (added->expires())
    expiring_.add(*added);
  auto stays = make_room(added, time);
  tidy(retired_entries);
  return stays;
}

/// Whether an entry could stay if all others left. The table keeps its size as
/// long as it is not empty.
bool shard::has_room_for(std::size_t cost) const {
  auto table = index_.size() == 0 ? 0 : index_.bytes();
  return cost + table <= settings_.capacity_bytes;
}

/// Returns whether `newest` stays, if there is one.
bool shard::make_room(const entry* newest, const clock& time) {
  auto limit
    = settings_.capacity_bytes
      + (GALAXYCACHE_PLANTED(over_capacity) ? settings_.capacity_bytes / 8 : 0);
  auto stays = true;
  while (total_bytes() > limit) {
    auto* out = expiring_.next();
    auto dead = out && expired(out->expiry(), time.wall_now());
    if (!dead)
      out = next_to_leave();
    if (!out || (out == newest && index_.size() == 1)) {
      // Rather than the last entry, what is known of those that left.
      for (auto* order : {main_.get(), hot_.get()})
        order->forget_past();
      if (!out || total_bytes() <= limit)
        break;
    }
    stays = stays && out != newest;
    leave(*out, dead, time.now());
  }
  if (index_.size() == 0)
    index_.clear();
  return stays;
}

/// The entry that is evicted next, of whichever cache has to give way.
entry* shard::next_to_leave() {
  auto hot_share = main_->bytes() / settings_.hot_ratio;
  auto from_hot = hot_->entries() > 0
                  && (hot_->bytes() > hot_share || main_->entries() == 0);
  return (from_hot ? *hot_ : *main_).next();
}

/// Takes an entry out that has expired, or is evicted. What is known of its
/// rate is kept.
void shard::leave(entry& x, bool dead, mono_time now) {
  auto hash = hash_of(x.key());
  if (x.is_hot())
    candidates_.put(x.key(), x.rate(now));
  index_.erase(hash, x.key());
  if (dead) {
    order_of(x).remove(x, hash);
  } else {
    order_of(x).evict(x, hash);
    ++(x.is_hot() ? hot_evictions_ : main_evictions_);
  }
  retire(x);
}

void shard::remove(entry& x, std::uint64_t hash) {
  index_.erase(hash, x.key());
  order_of(x).remove(x, hash);
  retire(x);
}

/// No reader finds the entry any more.
void shard::retire(entry& x) {
  if (x.expires())
    expiring_.remove(x);
  unlink(x, x.cost());
}

/// If it throws, the entry is found when its memory is looked at.
void shard::unlink(entry& x, std::size_t bytes) {
  unlinked_.add(&x, drop_entry, bytes);
  x.retire();
}

std::size_t shard::retired_max() const {
  return std::max(settings_.capacity_bytes / retired_part, retired_bytes_min);
}

/// Frees what nobody reads any more, if more has left than this.
void shard::tidy(std::size_t entries) {
  auto bytes = std::min(retired_bytes, retired_max() / 2);
  if (unlinked_.size() > entries || unlinked_.bytes() > bytes)
    unlinked_.collect();
  compact();
}

/// Takes in what was freed, and moves some entries where much of the memory
/// between them is not used.
void shard::compact() {
  memory_->take_in(taken_in_by_change);
  for (std::size_t n = 0; n < moved_by_change; ++n) {
    if (unlinked_.bytes() > retired_max() / 2)
      break;
    auto* x = memory_->next_to_move();
    if (!x)
      break;
    if (!move(*entry::in(x)))
      break;
  }
  if (memory_->waits())
    unlinked_.collect();
}

/// Puts a copy in the place of an entry; false if there is no memory for it.
bool shard::move(entry& x) try {
  auto hash = hash_of(x.key());
  if (index_.find(hash, x.key()) != &x) {
    // There was no memory when it left.
    unlink(x, x.cost());
    return true;
  }
  auto* moved = x.copy(memory_.get());
  index_.put(hash, *moved);
  order_of(x).replace(x, *moved);
  if (moved->expires())
    expiring_.replace(x, *moved);
  unlink(x, x.cost_alone());
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

void shard::sample_hot(mono_time now) {
  if (sampled_at_ && now - *sampled_at_ < sample_interval)
    return;
  sampled_at_ = now;
  auto* victim = hot_->next();
  sampled_.empty = victim == nullptr;
  sampled_.victim_qps = victim ? victim->rate(now).qps(now) : 0;
  sampled_.bytes = hot_->bytes();
  sampled_.capacity_bytes = settings_.capacity_bytes / settings_.hot_ratio;
}

std::size_t shard::sweep(const clock& time, std::size_t limit) {
  return change([&] {
    auto now = time.wall_now();
    std::size_t removed = 0;
    for (; removed < limit; ++removed) {
      auto* x = expiring_.next();
      if (!x || !expired(x->expiry(), now))
        break;
      leave(*x, true, time.now());
    }
    // There may be more to remember of them than they took.
    make_room(nullptr, time);
    tidy(retired_entries);
    return removed;
  });
}

std::optional<wall_time> shard::next_expiry() const {
  std::lock_guard guard{mutex_};
  return expiring_.when();
}

void shard::clear() {
  std::lock_guard guard{mutex_};
  forget_all();
}

void shard::forget_all() {
  index_.clear();
  expiring_.clear();
  for (auto* order : {main_.get(), hot_.get()})
    order->clear([this](entry& x) {
      try {
        unlink(x, x.cost());
      } catch (const std::bad_alloc&) {
        // The others leave, too.
      }
    });
  candidates_.clear();
  sampled_ = {};
  sampled_at_.reset();
  unlinked_.collect();
  memory_->take_in();
}

} // namespace galaxycache
