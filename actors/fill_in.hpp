#pragma once

#include "galaxycache/messages/types.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace galaxycache {

/// Puts results that were asked for among those that were known: what a
/// `pending` of many keys finishes with. Used once, on one thread.
struct fill_in {
  std::vector<get_result> known;
  /// Of each result that was asked for, all its places.
  std::vector<std::vector<std::size_t>> missing;

  void operator()(std::vector<get_result>& x) {
    for (std::size_t i = 0; i < missing.size(); ++i) {
      auto& all = missing[i];
      for (std::size_t k = 1; k < all.size(); ++k)
        known[all[k]] = x[i];
      known[all.front()] = std::move(x[i]);
    }
    x = std::move(known);
  }
};

} // namespace galaxycache
