#include "galaxycache/runtime/printable.hpp"

namespace galaxycache {

std::string printable(std::string_view text, std::size_t bytes_max) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (auto c : text.substr(0, bytes_max)) {
    if (c >= ' ' && c <= '~') {
      result += c;
      continue;
    }
    auto byte = static_cast<unsigned char>(c);
    result += "\\x";
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  if (text.size() > bytes_max)
    result += "...";
  return result;
}

} // namespace galaxycache
