#pragma once

#include "galaxycache/actors/core.hpp"
#include "galaxycache/actors/reply.hpp"
#include "galaxycache/messages/actors.hpp"

#include <vector>

namespace galaxycache {

/// Sends many questions to the cache actor of a shard, counted in before. Each
/// is answered with an `answered` to `asker`, come what may: those that there
/// is no room for, at once by `refuse`; those lost with a dying cache actor,
/// later.
template <class Self, class Refuse>
void ask_cache(Self* asker, const galaxy_core& galaxy, shard_cell& cell,
               std::vector<question> asked, Refuse refuse) {
  auto [entrance, admitted, why] = galaxy.admit(cell, asked.size());
  for (; asked.size() > admitted; asked.pop_back())
    refuse(answered{asked.back().id, {}, why});
  if (asked.empty())
    return;
  auto batch = std::make_shared<question_batch>();
  batch->asked = std::move(asked);
  batch->lost = [to = caf::actor_cast<asker_actor>(asker)](std::uint64_t id) {
    answer_outbox one;
    one.add(to, {id, {}, {errc::unavailable, "the cache restarted"}});
  };
  send_to(asker, entrance->cache, questions{std::move(batch)});
}

} // namespace galaxycache
