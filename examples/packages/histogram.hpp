#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace packages {

/// Counts latencies in buckets that are exact up to 32 ns and 3 % wide above,
/// so that histograms of several processes can be added up.
class histogram {
public:
  void record(uint64_t ns) {
    add(bucket_of(ns), 1);
  }

  void add(const histogram& other) {
    for (size_t i = 0; i < other.counts_.size(); ++i)
      if (other.counts_[i] > 0)
        add(i, other.counts_[i]);
  }

  /// The latency in ns that a share `q` of all did not exceed; 0 if there are
  /// none.
  uint64_t quantile(double q) const {
    auto rank = std::max<uint64_t>(
      1, static_cast<uint64_t>(std::ceil(q * static_cast<double>(total_))));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i)
      if (seen += counts_[i]; seen >= rank)
        return last_of(i);
    return 0;
  }

  /// The buckets in use, with their counts.
  std::vector<std::pair<size_t, uint64_t>> buckets() const {
    std::vector<std::pair<size_t, uint64_t>> result;
    for (size_t i = 0; i < counts_.size(); ++i)
      if (counts_[i] > 0)
        result.emplace_back(i, counts_[i]);
    return result;
  }

  /// Adds to one bucket, as buckets() named it.
  void add(size_t bucket, uint64_t count) {
    if (bucket >= counts_.size())
      counts_.resize(bucket + 1);
    counts_[bucket] += count;
    total_ += count;
  }

private:
  // 2^5 buckets for each power of two.
  static constexpr int steps_log2 = 5;
  static constexpr size_t steps = size_t{1} << steps_log2;

  static size_t bucket_of(uint64_t ns) {
    if (ns < steps)
      return ns;
    auto shift = std::bit_width(ns) - 1 - steps_log2;
    return static_cast<size_t>(shift) * steps + (ns >> shift);
  }

  // The largest latency of a bucket.
  static uint64_t last_of(size_t bucket) {
    if (bucket < 2 * steps)
      return bucket;
    auto shift = bucket / steps - 1;
    return ((bucket % steps + steps + 1) << shift) - 1;
  }

  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
};

} // namespace packages
