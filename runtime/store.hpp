#pragma once

#include "galaxycache/runtime/hotness.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace galaxycache {

/// A set of entries weighed in bytes, with an order in which they leave. The
/// main cache and the hot cache of a shard are one each.
///
/// The store evicts only when told to: two stores share one budget, and who
/// owns both decides. Not thread-safe.
class store {
public:
  struct entry {
    value data;
    wall_time expiry = never_expires;
    /// How hot the key is; kept up to date in the hot cache only.
    key_stats stats;
  };

  struct evicted {
    std::string key;
    key_stats stats;
  };

  virtual ~store();

  /// The entry of `key`, expired or not, marked as used; or null. Valid until
  /// the next change.
  virtual entry* find(std::string_view key) = 0;

  /// Adds or replaces the entry of `key`; nothing of a replaced one remains.
  virtual void put(std::string_view key, entry x) = 0;

  /// Removes the entry of `key` and says whether there was one.
  virtual bool erase(std::string_view key) = 0;

  /// The entry that `evict` would remove, or null if the store is empty.
  virtual const entry* victim() const = 0;

  /// Removes one entry to make room.
  virtual std::optional<evicted> evict() = 0;

  /// Removes at most `limit` entries that have expired at `now`, hands each to
  /// `removed` if there is one, and says how many they were.
  virtual std::size_t
  sweep(wall_time now, std::size_t limit,
        const std::function<void(const evicted&)>& removed = nullptr)
    = 0;

  /// When the next entry expires, if any ever does.
  virtual std::optional<wall_time> next_expiry() const = 0;

  /// What the entries weigh, as `weight` has it.
  virtual std::size_t bytes() const noexcept = 0;

  virtual std::size_t entries() const noexcept = 0;

  /// The same as `bytes`, added up entry by entry: to check it.
  virtual std::size_t recount() const = 0;

  /// What an entry with this key and value weighs: both, and the overhead.
  virtual std::size_t weight(std::string_view key,
                             const value& data) const noexcept = 0;
};

/// The reference policy: the least recently used entry leaves first.
std::unique_ptr<store> make_lru_store();

} // namespace galaxycache
