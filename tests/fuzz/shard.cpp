// What a fuzzer finds for the memory of a shard: any sequence of changes, of
// which a plain model knows what must be there. See GALAXYCACHE_FUZZ.

#include "galaxycache/runtime/shard.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

#define CHECK(what)                                                            \
  do {                                                                         \
    if (!(what)) {                                                             \
      std::fprintf(stderr, "line %d: not so: %s\n", __LINE__, #what);          \
      std::abort();                                                            \
    }                                                                          \
  } while (false)

class input {
public:
  input(const std::uint8_t* data, std::size_t size)
    : at_(data),
      end_(data + size) {
    // nop
  }

  bool empty() const {
    return at_ == end_;
  }

  std::uint32_t byte() {
    return empty() ? 0 : *at_++;
  }

  std::uint32_t pair() {
    auto high = byte();
    return high << 8 | byte();
  }

private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

/// Sees who has expired, too.
class long_ago : public galaxycache::clock {
public:
  mono_time now() const noexcept override {
    return {};
  }

  wall_time wall_now() const noexcept override {
    return wall_time::min() + 1s;
  }

  void call_at(mono_time, std::function<void()>) override {
    // nop
  }
};

class run {
public:
  run(const std::uint8_t* data, std::size_t size)
    : in_(data, size),
      settings_(draw()),
      shard_(settings_) {
    // nop
  }

  void operator()() {
    while (!in_.empty()) {
      step();
      check();
      if (strict_ || in_.byte() % 16 == 0)
        walk();
    }
    walk();
    for (const auto& [data, fill] : kept_)
      check_bytes(data.bytes(), fill, data.size());
    kept_.clear();
    reading_.reset();
    shard_.clear();
    CHECK(bytes() == 0 && shard_.stats().retired_bytes == 0);
  }

private:
  struct known {
    std::size_t size;
    char fill;
    wall_time expiry;
    bool hot;
  };

  using model = std::map<std::string, known>;

  shard::settings draw() {
    // In strict runs all is looked at after each step, which counts as a read.
    strict_ = in_.byte() % 2 == 0;
    shard::settings result;
    auto scale = in_.byte() % 3;
    result.capacity_bytes = in_.pair() << (2 * scale);
    result.hot_ratio = 1 + in_.byte() % 16;
    result.candidates_max = in_.byte() % 16;
    result.hash_seed = in_.byte();
    auto wanted = in_.byte() % 4;
    result.promote = make_promoter(
      [wanted](std::string_view key, const value&, const promotion_stats& x) {
        return wanted < 2 ? wanted == 0 : (key.size() + x.hits) % 2 == 0;
      });
    return result;
  }

  std::string draw_key() {
    auto n = in_.byte();
    return std::string(n % 8 == 0 ? 40 : 0, 'k') + std::to_string(n % 200);
  }

  std::size_t draw_size() {
    auto n = in_.pair();
    switch (n % 4) {
      case 0:
      case 1:
        return n / 4 % 64;
      case 2:
        return n / 4 % 2'048;
      default:
        return n / 4;
    }
  }

  wall_time draw_expiry() {
    auto n = in_.byte();
    if (n % 2 == 0)
      return never_expires;
    return time_.wall_now() + std::chrono::milliseconds{n} - 16ms;
  }

  std::size_t bytes() const {
    auto held = shard_.stats();
    return held.main.bytes + held.hot.bytes + held.overhead_bytes;
  }

  std::uint64_t evictions() const {
    auto held = shard_.stats();
    return held.main.evictions + held.hot.evictions;
  }

  bool is_over(const known& x) const {
    return expired(x.expiry, time_.wall_now());
  }

  static void check_bytes(std::string_view bytes, char fill, std::size_t size) {
    CHECK(bytes.size() == size);
    CHECK(bytes.find_first_not_of(fill) == bytes.npos);
  }

  void step() {
    switch (in_.byte() % 12) {
      case 0:
      case 1:
      case 2:
        return put(false);
      case 3:
      case 4:
        return put(true);
      case 5:
      case 6:
      case 7:
        return find();
      case 8: {
        std::size_t limit = in_.byte() % 32;
        auto over = static_cast<std::size_t>(std::ranges::count_if(
          there_, [this](auto& x) { return is_over(x.second); }));
        auto removed = shard_.sweep(time_, limit);
        CHECK(removed <= limit);
        if (strict_ && removed < limit)
          CHECK(removed == over);
        return;
      }
      case 9:
        return time_.advance(std::chrono::milliseconds{in_.byte()});
      case 10:
        return time_.jump_wall(std::chrono::milliseconds{in_.byte()} - 128ms);
      default:
        switch (in_.byte() % 8) {
          case 0:
            shard_.clear();
            there_.clear();
            CHECK(bytes() == 0);
            return;
          case 1:
          case 2:
            // Somebody reads for long.
            if (reading_)
              reading_.reset();
            else
              reading_.emplace();
            return;
          default:
            return;
        }
    }
  }

  void put(bool hot) {
    auto key = draw_key();
    auto size = draw_size();
    auto expiry = draw_expiry();
    auto fill = static_cast<char>('a' + ++changes_ % 26);
    auto data = changes_ % 2 == 0 ? value::copy(std::string(size, fill))
                                  : value::take(std::string(size, fill));
    auto before = evictions();
    auto stays = hot ? shard_.offer_hot(key, data, expiry, in_.byte(), time_)
                     : shard_.put_main(key, data, expiry, time_);
    auto evicted = evictions() - before;
    auto others = there_;
    others.erase(key);
    if (stays)
      there_[key] = {size, fill, expiry, hot};
    // Else the old one may be there, if the new one was not promoted.
    else if (!hot)
      there_.erase(key);
    if (!strict_)
      return;
    CHECK(!stays || is_there(key));
    // Who lives leaves only by eviction, and not before somebody who does not.
    std::size_t gone = 0;
    for (const auto& [name, x] : others)
      if (is_there(name))
        CHECK(evicted == 0 || !is_over(x));
      else if (!is_over(x))
        ++gone;
    CHECK(gone == evicted || (!stays && gone + 1 == evicted));
  }

  bool is_there(const std::string& key) const {
    return shard_.visit(read_guard{}, shard_.hash_of(key), key, past_,
                        [](auto&) {});
  }

  void find() {
    auto key = draw_key();
    auto times = in_.byte() % 4;
    auto x = there_.find(key);
    for (std::uint32_t i = 0; i <= times; ++i) {
      auto found = shard_.find(key, time_);
      if (strict_)
        CHECK(found.has_value() == (x != there_.end() && !is_over(x->second)));
      if (!found)
        return;
      CHECK(x != there_.end());
      auto& expected = x->second;
      check_bytes(found->data.bytes(), expected.fill, expected.size);
      CHECK(found->expiry == expected.expiry);
      CHECK((found->where == cache_kind::hot) == expected.hot);
      if (kept_.size() < 8)
        kept_.emplace_back(found->data, expected.fill);
      else
        kept_[changes_ % 8] = {found->data, expected.fill};
    }
  }

  /// What holds at all times.
  void check() const {
    auto held = shard_.stats();
    CHECK(bytes() <= settings_.capacity_bytes);
    CHECK(shard_.accounts_exactly());
    CHECK(held.candidates <= settings_.candidates_max);
    auto retired_max = std::max<std::size_t>(settings_.capacity_bytes / 16,
                                             256 * 1024);
    CHECK(held.retired_bytes
          <= retired_max + 2 * settings_.capacity_bytes + 64 * 1024);
  }

  /// Looks at all that may be there, and adds it up.
  void walk() {
    std::size_t main = 0;
    std::size_t hot = 0;
    std::optional<wall_time> next;
    key_stats rate{mono_time{}};
    for (auto i = there_.begin(); i != there_.end();) {
      const auto& key = i->first;
      const auto& expected = i->second;
      auto found = shard_.visit(
        read_guard{}, shard_.hash_of(key), key, past_, [&](const entry& x) {
          CHECK(x.key() == key);
          CHECK(x.data().size() == expected.size);
          if (!x.data().empty())
            CHECK(x.data().front() == expected.fill
                  && x.data().back() == expected.fill);
          CHECK(x.expiry() == expected.expiry);
          CHECK(x.is_hot() == expected.hot);
          CHECK(x.cost()
                == entry::cost_of(key, x.share(),
                                  {x.expiry(), x.is_hot() ? &rate : nullptr}));
          (x.is_hot() ? hot : main) += x.cost();
        });
      if (!found) {
        i = there_.erase(i);
        continue;
      }
      if (expected.expiry != never_expires)
        next = std::min(next.value_or(expected.expiry), expected.expiry);
      ++i;
    }
    auto held = shard_.stats();
    CHECK(held.main.bytes == main);
    CHECK(held.hot.bytes == hot);
    CHECK(held.main.entries + held.hot.entries == there_.size());
    CHECK(shard_.next_expiry() == next);
  }

  input in_;
  bool strict_ = false;
  const shard::settings settings_;
  manual_clock time_;
  const long_ago past_;
  galaxycache::shard shard_;
  model there_; // what may be there
  std::vector<std::pair<value, char>> kept_;
  std::optional<read_guard> reading_;
  std::size_t changes_ = 0;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  run{data, size}();
  return 0;
}
