#include "galaxycache/actors/galaxy.hpp"

#include "galaxycache/actors/core.hpp"

#include <algorithm>
#include <utility>

namespace galaxycache {

galaxy::galaxy(std::shared_ptr<galaxy_core> core, galaxy_actor actor)
  : core_(std::move(core)),
    memory_(&core_->memory),
    actor_(std::move(actor)) {
  // nop
}

const std::string& galaxy::name() const noexcept {
  return core_->name;
}

std::optional<answer> galaxy::find(std::string_view key) const {
  std::optional<answer> result;
  memory_->read(key, read_outcome::absent,
                [&](const entry& x) { result = answer_from(x); });
  return result;
}

std::variant<answer, failure, way_on>
galaxy::begin(std::string_view key, const get_options& options) const {
  return core_->begin(key, options);
}

/// Takes the keys that are not here from `keys`.
galaxy::many galaxy::begin_many(std::vector<std::string>& keys) const {
  if (keys.size() > keys_at_once_max)
    return {{}, {}, too_many_keys()};
  // Memory is slow to come but comes for many at once.
  constexpr std::size_t ahead = 16;
  struct place {
    std::uint64_t hash;
    std::size_t number;
  };
  std::vector<std::uint64_t> hashes(keys.size());
  std::vector<place> order(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    order[i] = {hashes[i] = memory_->hash_of(keys[i]), i};
  // In the order of hashes, the keys of a shard and equal keys are neighbours.
  std::ranges::sort(order, {}, [](const place& x) {
    return std::pair{x.hash, x.number};
  });
  many result;
  auto& [known, missing] = result.results;
  known.resize(keys.size());
  std::optional<std::size_t> last_found;
  for (std::size_t begin = 0; begin < order.size(); begin += ahead) {
    const read_guard guard; // none is held for long
    auto end = std::min(order.size(), begin + ahead);
    for (auto i = begin; i < end; ++i)
      memory_->prefetch(guard, order[i].hash);
    for (auto i = begin; i < end; ++i)
      memory_->prefetch_entry(guard, order[i].hash);
    for (auto i = begin; i < end; ++i) {
      auto [hash, number] = order[i];
      auto& key = keys[number];
      auto& here = known[number];
      if (last_found && keys[*last_found] == key) {
        here = known[*last_found];
        continue;
      }
      if (!missing.empty() && keys[missing.back().front()] == key) {
        missing.back().push_back(number);
        continue;
      }
      auto take = [&](const entry& x) { here.content = answer_from(x); };
      if (memory_->read(guard, hash, key, read_outcome::not_counted, take))
        last_found = number;
      else
        missing.push_back({number});
    }
  }
  // They are asked for in the order given.
  std::ranges::sort(missing, {}, [](auto& all) { return all.front(); });
  auto wanted = std::make_shared<sought::key_list>();
  wanted->names.reserve(missing.size());
  wanted->hashes.reserve(missing.size());
  for (auto& all : missing) {
    wanted->hashes.push_back(hashes[all.front()]);
    wanted->names.push_back(std::move(keys[all.front()]));
  }
  result.wanted.keys = std::move(wanted);
  return result;
}

std::string galaxy::owner_of(std::string_view key) const {
  return std::string{core_->owner_of(key).bytes()};
}

galaxy_stats galaxy::stats() const {
  return core_->stats();
}

} // namespace galaxycache
