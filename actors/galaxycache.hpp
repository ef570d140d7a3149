#pragma once

// All an application needs.

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/galaxy.hpp"
#include "galaxycache/actors/network.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/messages/init.hpp"
