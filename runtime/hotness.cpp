#include "galaxycache/runtime/hotness.hpp"

#include "galaxycache/runtime/hash.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

namespace galaxycache {

void key_stats::touch(mono_time now, std::chrono::nanoseconds reset_idle,
                      std::uint64_t n) noexcept {
  if (now - last_ > reset_idle) {
    epoch_ = now;
    last_ = now;
    hits_ = n;
    return;
  }
  last_ = std::max(last_, now);
  hits_ += n;
}

double key_stats::qps(mono_time now) const noexcept {
  // A get a moment ago does not make a rate of millions.
  constexpr std::chrono::duration<double> shortest_window{0.1};
  auto window = std::max<std::chrono::duration<double>>(now - epoch_,
                                                        shortest_window);
  return static_cast<double>(hits_) / window.count();
}

promoter::~promoter() {
  // nop
}

namespace {

class qps_promoter : public promoter {
public:
  bool should_promote(std::string_view, const value&,
                      const promotion_stats& stats) override {
    return stats.hot.empty || stats.key_qps >= stats.hot.victim_qps;
  }
};

// SplitMix64, as in random_source: its state only ever grows by the same step,
// so threads can share one without a lock.
class probabilistic_promoter : public promoter {
public:
  probabilistic_promoter(std::uint64_t n, std::uint64_t seed) noexcept
    : n_(n),
      state_(seed) {
    // nop
  }

  bool should_promote(std::string_view, const value&,
                      const promotion_stats&) override {
    if (n_ == 0)
      return false;
    const auto state = state_.fetch_add(step, std::memory_order_relaxed) + step;
    return mul_high(mix64(state), n_) == 0;
  }

private:
  static constexpr std::uint64_t step = 0x9e3779b97f4a7c15;

  const std::uint64_t n_;
  std::atomic<std::uint64_t> state_;
};

class previously_known_promoter : public promoter {
public:
  bool should_promote(std::string_view, const value&,
                      const promotion_stats& stats) override {
    return stats.hits > 0;
  }
};

class constant_promoter : public promoter {
public:
  explicit constant_promoter(bool answer) noexcept : answer_(answer) {
    // nop
  }

  bool should_promote(std::string_view, const value&,
                      const promotion_stats&) override {
    return answer_;
  }

private:
  const bool answer_;
};

class function_promoter : public promoter {
public:
  using function = std::function<bool(std::string_view, const value&,
                                      const promotion_stats&)>;

  explicit function_promoter(function f) : f_(std::move(f)) {
    // nop
  }

  bool should_promote(std::string_view key, const value& data,
                      const promotion_stats& stats) override {
    return f_(key, data, stats);
  }

private:
  function f_;
};

} // namespace

std::shared_ptr<promoter> make_qps_promoter() {
  return std::make_shared<qps_promoter>();
}

std::shared_ptr<promoter> make_probabilistic_promoter(std::uint64_t n,
                                                      std::uint64_t seed) {
  return std::make_shared<probabilistic_promoter>(n, seed);
}

std::shared_ptr<promoter> make_previously_known_promoter() {
  return std::make_shared<previously_known_promoter>();
}

std::shared_ptr<promoter> make_always_promoter() {
  return std::make_shared<constant_promoter>(true);
}

std::shared_ptr<promoter> make_never_promoter() {
  return std::make_shared<constant_promoter>(false);
}

std::shared_ptr<promoter> make_promoter(
  std::function<bool(std::string_view, const value&, const promotion_stats&)>
    f) {
  return std::make_shared<function_promoter>(std::move(f));
}

namespace {

// A candidate's memory that another one may have.
constexpr std::size_t key_bytes_kept = 256;

} // namespace

key_stats* candidates::find_or_add(std::string_view key, mono_time now) {
  if (capacity_ == 0)
    return nullptr;
  if (auto i = index_.find(key); i != index_.end()) {
    order_.splice(order_.begin(), order_, i->second);
    return &i->second->stats;
  }
  return &add(key, key_stats{now});
}

void candidates::put(std::string_view key, const key_stats& stats) {
  if (capacity_ == 0)
    return;
  if (auto i = index_.find(key); i != index_.end()) {
    i->second->stats = stats;
    order_.splice(order_.begin(), order_, i->second);
    return;
  }
  add(key, stats);
}

key_stats* candidates::find(std::string_view key) noexcept {
  auto i = index_.find(key);
  return i != index_.end() ? &i->second->stats : nullptr;
}

key_stats& candidates::add(std::string_view key, const key_stats& stats) {
  if (index_.size() < capacity_) {
    order_.push_front({std::string{key}, stats});
    index_.emplace(order_.front().key, order_.begin());
    return order_.front().stats;
  }
  // Takes the place of the one not used for longest, with all its memory.
  auto i = std::prev(order_.end());
  auto known = index_.extract(i->key);
  if (i->key.capacity() > key_bytes_kept)
    i->key = std::string{key};
  else
    i->key = key;
  i->stats = stats;
  order_.splice(order_.begin(), order_, i);
  known.key() = i->key;
  known.mapped() = i;
  index_.insert(std::move(known));
  return i->stats;
}

} // namespace galaxycache
