#pragma once

// All an application needs. Apart from it: app_options.hpp, for the options of
// a configuration class of one's own, and the codecs of other libraries' types,
// runtime/json_codec.hpp and runtime/protobuf_codec.hpp.

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/galaxy.hpp"
#include "galaxycache/actors/network.hpp"
#include "galaxycache/actors/typed_galaxy.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/messages/init.hpp"
#include "galaxycache/runtime/cache_key.hpp"
