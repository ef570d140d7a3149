#pragma once

#include <string>
#include <vector>

namespace galaxycache::soak {

/// One member of the ring, in a process of its own: asks for keys all the time
/// and does what it reads on its standard input until that ends. `arguments`:
/// its id, a seed, and how many gets to begin per second.
int serve(const std::vector<std::string>& arguments);

} // namespace galaxycache::soak
