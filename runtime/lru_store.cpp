#include "galaxycache/runtime/planted.hpp"
#include "galaxycache/runtime/store.hpp"

#include <list>
#include <map>
#include <unordered_map>

namespace galaxycache {

store::~store() {
  // nop
}

namespace {

class lru_store : public store {
public:
  entry* find(std::string_view key) override {
    auto i = index_.find(key);
    if (i == index_.end())
      return nullptr;
    order_.splice(order_.begin(), order_, i->second);
    return &i->second->content;
  }

  void put(std::string_view key, entry x) override {
    erase(key);
    bytes_ += weight(key, x.data);
    auto expiry = x.expiry;
    order_.push_front({std::string{key}, std::move(x), expiring_.end()});
    auto at = order_.begin();
    index_.emplace(at->key, at);
    if (expiry != never_expires)
      at->expiring = expiring_.emplace(expiry, at);
  }

  bool erase(std::string_view key) override {
    auto i = index_.find(key);
    if (i == index_.end())
      return false;
    remove(i->second);
    return true;
  }

  const entry* victim() const override {
    return order_.empty() ? nullptr : &order_.back().content;
  }

  std::optional<evicted> evict() override {
    if (order_.empty())
      return std::nullopt;
    evicted result{order_.back().key, order_.back().content.stats};
    remove(std::prev(order_.end()));
    return result;
  }

  std::size_t
  sweep(wall_time now, std::size_t limit,
        const std::function<void(const evicted&)>& removed) override {
    std::size_t count = 0;
    while (count < limit && !expiring_.empty()
           && expired(expiring_.begin()->first, now)) {
      auto out = expiring_.begin()->second;
      if (removed)
        removed({out->key, out->content.stats});
      remove(out);
      ++count;
    }
    return count;
  }

  std::optional<wall_time> next_expiry() const override {
    if (expiring_.empty())
      return std::nullopt;
    return expiring_.begin()->first;
  }

  std::size_t bytes() const noexcept override {
    return bytes_;
  }

  std::size_t recount() const override {
    std::size_t result = 0;
    for (auto& each : order_)
      result += weight(each.key, each.content.data);
    return result;
  }

  std::size_t entries() const noexcept override {
    return index_.size();
  }

  std::size_t weight(std::string_view key,
                     const value& data) const noexcept override {
    return overhead_bytes + key.size() + data.size();
  }

private:
  struct node;
  using node_list = std::list<node>;
  using expiry_index = std::multimap<wall_time, node_list::iterator>;

  struct node {
    std::string key;
    entry content;
    expiry_index::iterator expiring; // end() if the entry never expires
  };

  // A list node with two links, a hash node with key, iterator, link and
  // cached hash, a bucket, and the block header of the value.
  static constexpr std::size_t overhead_bytes
    = sizeof(node) + 2 * sizeof(void*) + 6 * sizeof(void*) + 4 * sizeof(void*);

  void remove(node_list::iterator at) {
    bytes_ -= weight(at->key, at->content.data)
              - GALAXYCACHE_PLANTED(byte_miscount);
    if (at->expiring != expiring_.end())
      expiring_.erase(at->expiring);
    index_.erase(at->key);
    order_.erase(at);
  }

  node_list order_; // most recently used first
  std::unordered_map<std::string_view, node_list::iterator> index_;
  expiry_index expiring_;
  std::size_t bytes_ = 0;
};

} // namespace

std::unique_ptr<store> make_lru_store() {
  return std::make_unique<lru_store>();
}

} // namespace galaxycache
