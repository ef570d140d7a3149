#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace galaxycache {

/// Text of any origin as one line that is safe to show: every byte that is not
/// printable ASCII becomes `\xNN`, and text of more than `bytes_max` bytes is
/// cut there and ends in "...". Thread-safe.
std::string printable(std::string_view text, std::size_t bytes_max);

} // namespace galaxycache
