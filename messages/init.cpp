#include "galaxycache/messages/init.hpp"

#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/startup.hpp"

namespace galaxycache {

void init() {
  announce<caf::id_block::galaxycache>();
}

void add_message_types(caf::actor_system_config& cfg) {
  announce_to<caf::id_block::galaxycache>(cfg);
}

} // namespace galaxycache
