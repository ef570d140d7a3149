#pragma once

#include "galaxycache/runtime/clock.hpp"
#include "galaxycache/runtime/read_counts.hpp"
#include "galaxycache/runtime/shard.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace galaxycache {

/// The memory of a galaxy in this process, in shards. Any thread may read;
/// each shard has its own writer.
class galaxy_memory {
public:
  /// `each` has the bounds of one shard.
  galaxy_memory(const shard::settings& each, std::size_t shards,
                std::shared_ptr<const clock> time);

  std::size_t size() const noexcept {
    return shards_.size();
  }

  shard& at(std::size_t i) const noexcept {
    return *shards_[i];
  }

  std::uint64_t hash_of(std::string_view key) const noexcept {
    return hash64(key, seed_);
  }

  /// Which shard a key with this hash lives in; independent of who owns it.
  std::size_t shard_of(std::uint64_t hash) const noexcept {
    return mul_high(hash, shards_.size());
  }

  /// Calls `f(const entry&)` with the unexpired entry of a key and says whether
  /// there is one; counted as a hit, or as `otherwise`. What `f` sees is valid
  /// until it returns.
  template <class F>
  bool read(std::string_view key, read_outcome otherwise, F&& f) const {
    read_guard guard;
    return read(guard, hash_of(key), key, otherwise, std::forward<F>(f));
  }

  /// Has the processor fetch what `read` will need, in two steps.
  void prefetch(const read_guard&, std::uint64_t hash) const noexcept {
    at(shard_of(hash)).prefetch(hash);
  }

  void prefetch_entry(const read_guard&, std::uint64_t hash) const noexcept {
    at(shard_of(hash)).prefetch_entry(hash);
  }

  /// The same as `read` above, of many keys under one guard.
  template <class F>
  bool read(const read_guard& guard, std::uint64_t hash, std::string_view key,
            read_outcome otherwise, F&& f) const {
    auto found
      = at(shard_of(hash)).visit(guard, hash, key, *time_, [&](const entry& x) {
          count_hit(guard, x.is_hot());
          std::forward<F>(f)(x);
        });
    if (!found)
      reads_.add(guard, otherwise);
    return found;
  }

  /// Counts, and reads nothing.
  void count(read_outcome what) const;

  /// What is ready for the entries of any shard, and part of none.
  std::size_t ready_bytes() const noexcept {
    return chunks_->ready_bytes();
  }

  const read_counts& reads() const noexcept {
    return reads_;
  }

private:
  /// By a branch, which processors foresee: were it reckoned from the entry
  /// which number is to change, whatever is read next would wait for the entry.
  void count_hit(const read_guard& guard, bool hot) const {
    if (hot) [[unlikely]]
      count(read_outcome::hot_hit);
    else
      reads_.add(guard, read_outcome::main_hit);
  }

  const std::uint64_t seed_;
  const std::shared_ptr<const clock> time_;
  const std::shared_ptr<const chunk_source> chunks_;
  std::vector<std::unique_ptr<shard>> shards_;
  mutable read_counts reads_;
};

} // namespace galaxycache
