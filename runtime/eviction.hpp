#pragma once

#include "galaxycache/runtime/entry.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace galaxycache {

/// The order in which the entries of a cache leave it: of the main cache and
/// of the hot cache of a shard one each. Holds no entries, only links them.
/// Not thread-safe.
class eviction {
public:
  /// What an entry weighs; must not change while it is here.
  using scale = std::size_t (*)(const entry&);

  virtual ~eviction();

  /// Takes an entry in. `hash` is its key's.
  virtual void add(entry& x, std::uint64_t hash) = 0;

  /// Gives an entry the place of an older one of the same key.
  virtual void replace(entry& old, entry& now) = 0;

  /// Lets an entry go that is not wanted any more, whatever its turn.
  virtual void remove(entry& x, std::uint64_t hash) = 0;

  /// Says that an entry has been read, where `entry::touch` does not.
  virtual void used(entry& x) = 0;

  /// Who has to leave next; null if there is nobody.
  virtual entry* next() = 0;

  /// That one has to leave now: it is not linked any more.
  virtual void evict(entry& next, std::uint64_t hash) = 0;

  /// Forgets who left, which costs nothing in memory then.
  virtual void forget_past() = 0;

  /// Forgets everything, and calls `f` with each entry it had.
  virtual void clear(const std::function<void(entry&)>& f) = 0;

  /// What it costs in memory itself.
  virtual std::size_t overhead_bytes() const noexcept = 0;

  /// What the entries weigh.
  virtual std::size_t bytes() const noexcept = 0;

  virtual std::size_t entries() const noexcept = 0;

  /// The same as `bytes`, added up entry by entry: to check it.
  virtual std::size_t recount() const = 0;
};

/// S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, SOSP 2023): new entries wait in a
/// small queue; those read there, or back soon after they left it, move on to
/// the main queue, where a read entry gets another round. An entry of more than
/// a tenth of `capacity` never moves on.
///
/// The small queue has half of the bytes at first and then from a tenth to nine
/// tenths, as in ARC (Megiddo and Modha, FAST 2003): more each time a key is
/// missed that it let go too early, less each time the main queue did. With a
/// tenth for ever, S3-FIFO loses up to 28 points to LRU where what is new is
/// what is read, and 10 where there are few entries. Where there are less than
/// a thousand, an entry has to be read twice to move on.
std::unique_ptr<eviction> make_s3_fifo(eviction::scale weight,
                                       std::size_t capacity);

/// The reference: the least recently used entry leaves first.
std::unique_ptr<eviction> make_lru(eviction::scale weight);

} // namespace galaxycache
