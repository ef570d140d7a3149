#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/messages/actors.hpp"

#include <vector>

namespace galaxycache {

/// Sends many questions to the cache actor of a shard, counted in before. Each
/// is answered with `answered` to `asker`, come what may: those that are
/// refused, at once by `refuse`; those lost with a dying cache actor, later.
template <class Self, class Refuse>
void ask_cache(Self* asker, const galaxy_core& galaxy, shard_cell& cell,
               std::vector<question> asked, Refuse refuse) {
  auto entrance = galaxy.admit(cell, asked.size());
  if (auto* why = std::get_if<failure>(&entrance)) {
    for (auto& x : asked)
      refuse(answered{x.id, {}, *why});
    return;
  }
  auto batch = std::make_shared<question_batch>();
  batch->asked = std::move(asked);
  batch->lost = [to = caf::actor_cast<asker_actor>(asker)](std::uint64_t id) {
    post(to, answered{id, {}, {errc::unavailable, "the cache restarted"}});
  };
  send_to(asker,
          std::get<std::shared_ptr<const cache_entrance>>(entrance)->cache,
          questions{std::move(batch)});
}

} // namespace galaxycache
