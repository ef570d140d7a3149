#include "galaxycache/runtime/galaxy_memory.hpp"

namespace galaxycache {

galaxy_memory::galaxy_memory(const shard::settings& each, std::size_t shards,
                             std::shared_ptr<const clock> time)
  : seed_(each.hash_seed),
    time_(std::move(time)),
    chunks_(each.chunks) {
  for (std::size_t i = 0; i < shards; ++i)
    shards_.push_back(std::make_unique<shard>(each));
}

void galaxy_memory::count(read_outcome what) const {
  reads_.add(read_guard{}, what);
}

} // namespace galaxycache
