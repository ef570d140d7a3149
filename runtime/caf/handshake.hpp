#pragma once

#include "galaxycache/runtime/tcp.hpp"

namespace galaxycache {

/// What a CAF node says to whoever connects: the head of its handshake. CAF
/// trusts what it hears there: on some bytes it ends the process, for others it
/// allocates gigabytes, and for one that says nothing it keeps a connection
/// open. So nobody should be given to it who does not begin like this.
first_words caf_handshake();

} // namespace galaxycache
