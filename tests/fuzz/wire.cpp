// What a fuzzer finds for the decoder of headers. See GALAXYCACHE_FUZZ.

#include "galaxycache/messages/wire.hpp"

#include <cstdlib>

using namespace galaxycache;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  auto x = wire::decode({reinterpret_cast<const char*>(data), size});
  if (!x)
    return 0;
  // What was understood can be said again, and then means the same.
  auto said = wire::encode(*x);
  auto again = wire::decode(said);
  if (!again || again->index() != x->index() || wire::encode(*again) != said)
    std::abort();
  return 0;
}
