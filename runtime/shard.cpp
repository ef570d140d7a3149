#include "galaxycache/runtime/shard.hpp"

#include "galaxycache/runtime/planted.hpp"

namespace galaxycache {

namespace {

// How stale the promoter's view of the hot cache may be: galaxycache's second.
constexpr auto sample_interval = std::chrono::seconds{1};

} // namespace

shard::shard(settings s) : settings_(std::move(s)) {
  make_stores();
}

void shard::make_stores() {
  main_ = make_lru_store();
  hot_ = make_lru_store();
  candidates_ = std::make_unique<candidates>(settings_.candidates_max);
  sampled_ = {};
  sampled_at_.reset();
}

template <class F>
auto shard::change(F f) {
  std::lock_guard guard{mutex_};
  try {
    return f();
  } catch (...) {
    make_stores();
    throw;
  }
}

std::optional<shard::hit> shard::find(std::string_view key, const clock& time) {
  std::lock_guard guard{mutex_};
  auto where = cache_kind::main;
  auto* found = main_->find(key);
  if (found == nullptr) {
    where = cache_kind::hot;
    found = hot_->find(key);
  }
  if (found == nullptr)
    return std::nullopt;
  auto now = time.wall_now()
             - std::chrono::nanoseconds{GALAXYCACHE_PLANTED(expiry_off_by_one)};
  if (found->expiry != never_expires && expired(found->expiry, now))
    return std::nullopt;
  if (where == cache_kind::hot)
    found->stats.touch(time.now(), settings_.reset_idle_stats);
  return hit{found->data, found->expiry, where};
}

shard::contents shard::stats() const {
  std::lock_guard guard{mutex_};
  return {{main_->bytes(), main_->entries(), main_evictions_},
          {hot_->bytes(), hot_->entries(), hot_evictions_},
          candidates_->size()};
}

bool shard::accounts_exactly() const {
  std::lock_guard guard{mutex_};
  return main_->bytes() == main_->recount() && hot_->bytes() == hot_->recount();
}

bool shard::put_main(std::string_view key, const value& data,
                     wall_time expiry) {
  return change([&] {
    return put(cache_kind::main, key, {data, expiry, key_stats{mono_time{}}});
  });
}

bool shard::offer_hot(std::string_view key, const value& data, wall_time expiry,
                      std::uint64_t gets, const clock& time) {
  auto now = time.now();
  promotion_stats stats;
  auto known = change([&] {
    // What is about to be replaced knows its key best.
    if (auto* old = hot_->find(key))
      candidates_->put(key, old->stats);
    auto* candidate = candidates_->find_or_add(key, now);
    if (candidate != nullptr) {
      stats.hits = candidate->hits();
      stats.key_qps = candidate->qps(now);
    }
    sample_hot(now);
    stats.hot = sampled_;
    return candidate != nullptr;
  });
  // User code runs outside the lock, so that it may read the cache.
  auto wanted = false;
  try {
    wanted = settings_.promote->should_promote(key, data, stats);
  } catch (...) {
    // One that throws does not promote.
  }
  return change([&] {
    key_stats now_stats{now};
    if (known)
      if (auto* candidate = candidates_->find(key)) {
        candidate->touch(now, settings_.reset_idle_stats, gets);
        now_stats = *candidate;
      }
    return wanted && put(cache_kind::hot, key, {data, expiry, now_stats});
  });
}

bool shard::put(cache_kind where, std::string_view key, store::entry x) {
  auto& target = where == cache_kind::main ? *main_ : *hot_;
  auto& other = where == cache_kind::main ? *hot_ : *main_;
  // A key lives in one cache: what is newer replaces what is older.
  other.erase(key);
  if (target.weight(key, x.data) > settings_.capacity_bytes) {
    target.erase(key);
    return false;
  }
  target.put(key, std::move(x));
  return make_room(key);
}

/// Returns whether the entry of `newest` stays.
bool shard::make_room(std::string_view newest) {
  auto stays = true;
  auto limit
    = settings_.capacity_bytes
      + (GALAXYCACHE_PLANTED(over_capacity) ? settings_.capacity_bytes / 8 : 0);
  while (main_->bytes() + hot_->bytes() > limit) {
    auto hot_share = main_->bytes() / settings_.hot_ratio;
    auto from_hot = hot_->entries() > 0
                    && (hot_->bytes() > hot_share || main_->entries() == 0);
    auto out = from_hot ? hot_->evict() : main_->evict();
    if (!out)
      break;
    stays = stays && out->key != newest;
    if (from_hot) {
      ++hot_evictions_;
      candidates_->put(out->key, out->stats);
    } else {
      ++main_evictions_;
    }
  }
  return stays;
}

void shard::sample_hot(mono_time now) {
  if (sampled_at_ && now - *sampled_at_ < sample_interval)
    return;
  sampled_at_ = now;
  auto* victim = hot_->victim();
  sampled_.empty = victim == nullptr;
  sampled_.victim_qps = victim ? victim->stats.qps(now) : 0;
  sampled_.bytes = hot_->bytes();
  sampled_.capacity_bytes = settings_.capacity_bytes / settings_.hot_ratio;
}

std::size_t shard::sweep(wall_time now, std::size_t limit) {
  return change([&] {
    auto removed = main_->sweep(now, limit);
    auto to_candidates = [this](const store::evicted& out) {
      candidates_->put(out.key, out.stats);
    };
    return removed + hot_->sweep(now, limit - removed, to_candidates);
  });
}

std::optional<wall_time> shard::next_expiry() const {
  std::lock_guard guard{mutex_};
  auto main = main_->next_expiry();
  auto hot = hot_->next_expiry();
  if (main && hot)
    return std::min(*main, *hot);
  return main ? main : hot;
}

void shard::clear() {
  std::lock_guard guard{mutex_};
  make_stores();
}

} // namespace galaxycache
