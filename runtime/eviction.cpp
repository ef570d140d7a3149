#include "galaxycache/runtime/eviction.hpp"

#include "galaxycache/runtime/entry_queue.hpp"
#include "galaxycache/runtime/ghosts.hpp"
#include "galaxycache/runtime/planted.hpp"

#include <algorithm>
#include <utility>

namespace galaxycache {

eviction::~eviction() {
  // nop
}

namespace {

/// A queue that knows what its entries weigh.
struct weighed_queue {
  entry_queue order;
  std::size_t bytes = 0;

  void push(entry& x, std::size_t weight) noexcept {
    order.push(x);
    bytes += weight;
  }

  void remove(entry& x, std::size_t weight) noexcept {
    order.remove(x);
    bytes -= weight - GALAXYCACHE_PLANTED(byte_miscount);
  }

  void clear(const std::function<void(entry&)>& f) {
    auto* x = order.oldest();
    order.clear();
    bytes = 0;
    while (x)
      f(*std::exchange(x, x->newer));
  }

  std::size_t recount(eviction::scale weight) const {
    std::size_t result = 0;
    for (auto* x = order.oldest(); x; x = x->newer)
      result += weight(*x);
    return result;
  }
};

// -- LRU ----------------------------------------------------------------------

class lru : public eviction {
public:
  explicit lru(scale weight) : weight_(weight) {
    // nop
  }

  void add(entry& x, std::uint64_t) override {
    all_.push(x, weight_(x));
  }

  void replace(entry& old, entry& now) override {
    all_.remove(old, weight_(old));
    all_.push(now, weight_(now));
  }

  void remove(entry& x, std::uint64_t) override {
    all_.remove(x, weight_(x));
  }

  void used(entry& x) override {
    all_.order.remove(x);
    all_.order.push(x);
  }

  entry* next() override {
    return all_.order.oldest();
  }

  void evict(entry& next, std::uint64_t) override {
    all_.remove(next, weight_(next));
  }

  void forget_past() override {
    // nop
  }

  void clear(const std::function<void(entry&)>& f) override {
    all_.clear(f);
  }

  std::size_t overhead_bytes() const noexcept override {
    return 0;
  }

  std::size_t bytes() const noexcept override {
    return all_.bytes;
  }

  std::size_t entries() const noexcept override {
    return all_.order.size();
  }

  std::size_t recount() const override {
    return all_.recount(weight_);
  }

private:
  const scale weight_;
  weighed_queue all_;
};

// -- S3-FIFO ------------------------------------------------------------------

class s3_fifo : public eviction {
public:
  s3_fifo(scale weight, std::size_t capacity)
    : weight_(weight),
      main_weight_max_(capacity / main_weight_part) {
    // nop
  }

  void add(entry& x, std::uint64_t hash) override {
    auto weight = weight_(x);
    auto early = left_small_.take(hash);
    auto late = left_main_.take(hash);
    auto kept = removed_from_main_.take(hash);
    // LRU would still have it if so few have left since.
    if (early)
      adapt(*early < 1 - small_share_ ? 1 : -1);
    if (late)
      adapt(-1);
    auto back = (early || kept) && weight <= main_weight_max_;
    push(back ? in_main : in_small, x, weight);
  }

  void replace(entry& old, entry& now) override {
    auto before = weight_(old);
    auto after = weight_(now);
    now.set_uses(old.uses());
    auto which = old.queue();
    if (which == in_main && after > main_weight_max_) {
      queues_[which].remove(old, before);
      return push(in_small, now, after);
    }
    now.set_queue(which);
    auto& q = queues_[which];
    q.order.replace(old, now);
    q.bytes += after - before;
  }

  void remove(entry& x, std::uint64_t hash) override {
    if (x.queue() == in_main)
      removed_from_main_.add(hash, entries());
    queues_[x.queue()].remove(x, weight_(x));
  }

  void used(entry& x) override {
    x.touch();
  }

  entry* next() override {
    for (std::size_t moves = 0;; ++moves) {
      if (is_small_full()) {
        auto* x = small().order.oldest();
        if (x->uses() < uses_to_move() || weight_(*x) > main_weight_max_
            || moves >= moves_max)
          return x;
        move(*x, small(), in_main, 0);
      } else {
        auto* x = main().order.oldest();
        if (!x || x->uses() == 0 || moves >= moves_max)
          return x;
        move(*x, main(), in_main, x->uses() - 1);
      }
    }
  }

  void evict(entry& next, std::uint64_t hash) override {
    auto which = next.queue();
    (which == in_small ? left_small_ : left_main_).add(hash, entries());
    queues_[which].remove(next, weight_(next));
  }

  void forget_past() override {
    for (auto* each : {&left_small_, &left_main_, &removed_from_main_})
      each->clear();
  }

  void clear(const std::function<void(entry&)>& f) override {
    for (auto& q : queues_)
      q.clear(f);
    forget_past();
    small_share_ = small_share_at_first;
  }

  std::size_t overhead_bytes() const noexcept override {
    return left_small_.bytes() + left_main_.bytes()
           + removed_from_main_.bytes();
  }

  std::size_t bytes() const noexcept override {
    return queues_[in_small].bytes + queues_[in_main].bytes;
  }

  std::size_t entries() const noexcept override {
    return queues_[in_small].order.size() + queues_[in_main].order.size();
  }

  std::size_t recount() const override {
    return queues_[in_small].recount(weight_)
           + queues_[in_main].recount(weight_);
  }

private:
  enum : std::uint8_t { in_small, in_main };

  // An entry of a larger part of the capacity never gets to the main queue.
  static constexpr std::size_t main_weight_part = 10;

  // The small queue's share of the bytes: its bounds, and where it begins,
  // because few entries are best served by more.
  static constexpr double small_share_min = 0.1;
  static constexpr double small_share_max = 0.9;
  static constexpr double small_share_at_first = 0.5;

  // Where there are not few it has room for this many entries at least: with
  // 200, LRU was ahead on one of three traces at a thousand.
  static constexpr double small_entries_min = 300;
  static constexpr std::size_t few_entries = 1000;

  // By how many entries it grows or shrinks for a key that is missed: more
  // follows changes faster, and swings more.
  static constexpr double step_entries = 12;

  // Entries that get another round before one leaves whatever its reads: a
  // bound to what one eviction costs.
  static constexpr std::size_t moves_max = 256;

  weighed_queue& small() {
    return queues_[in_small];
  }

  weighed_queue& main() {
    return queues_[in_main];
  }

  void push(std::uint8_t which, entry& x, std::size_t weight) {
    x.set_queue(which);
    queues_[which].push(x, weight);
  }

  void move(entry& x, weighed_queue& from, std::uint8_t to, int uses) {
    auto weight = weight_(x);
    from.remove(x, weight);
    x.set_uses(static_cast<std::uint8_t>(uses));
    push(to, x, weight);
  }

  bool is_small_full() const {
    if (queues_[in_small].order.size() == 0)
      return false;
    return queues_[in_main].order.size() == 0
           || static_cast<double>(queues_[in_small].bytes)
                >= small_share() * static_cast<double>(bytes());
  }

  // Reads that make an entry of the small queue move on.
  std::uint8_t uses_to_move() const {
    return entries() < few_entries ? 2 : 1;
  }

  double small_share() const {
    auto n = entries();
    if (n < few_entries)
      return small_share_;
    return std::max(small_share_, small_entries_min / static_cast<double>(n));
  }

  void adapt(double direction) {
    auto step = step_entries
                / static_cast<double>(std::max(entries(), few_entries));
    small_share_ = std::clamp(small_share_ + direction * step, small_share_min,
                              small_share_max);
  }

  const scale weight_;
  const std::size_t main_weight_max_;
  weighed_queue queues_[2];
  double small_share_ = small_share_at_first;
  // Keys evicted from either queue, and those that left the main one before
  // their turn: such as expire will be back, as welcome as they were.
  ghosts left_small_;
  ghosts left_main_;
  ghosts removed_from_main_;
};

} // namespace

std::unique_ptr<eviction> make_s3_fifo(eviction::scale weight,
                                       std::size_t capacity) {
  return std::make_unique<s3_fifo>(weight, capacity);
}

std::unique_ptr<eviction> make_lru(eviction::scale weight) {
  return std::make_unique<lru>(weight);
}

} // namespace galaxycache
