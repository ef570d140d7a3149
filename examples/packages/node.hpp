#pragma once

#include "options.hpp"

namespace packages {

/// One node of the galaxy: does what the driver says on standard input, until
/// told to stop or standard input ends. Returns the exit code; throws
/// std::runtime_error.
int run_node(const node_options& options);

} // namespace packages
