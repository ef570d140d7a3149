#include "galaxycache/runtime/hotness.hpp"

#include <algorithm>

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

std::shared_ptr<promoter> make_promoter(
  std::function<bool(std::string_view, const value&, const promotion_stats&)>
    f) {
  return std::make_shared<function_promoter>(std::move(f));
}

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
  if (index_.size() >= capacity_) {
    index_.erase(order_.back().key);
    order_.pop_back();
  }
  order_.push_front({std::string{key}, stats});
  index_.emplace(order_.front().key, order_.begin());
  return order_.front().stats;
}

} // namespace galaxycache
