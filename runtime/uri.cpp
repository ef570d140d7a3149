#include "galaxycache/runtime/uri.hpp"

#include "galaxycache/runtime/printable.hpp"

#include <algorithm>
#include <charconv>

namespace galaxycache {

namespace {

// A name of a host as DNS has it, at most 255 characters (RFC 1035).
constexpr std::size_t host_length_max = 255;

bool plausible_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool plausible_ipv6_char(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')
         || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

// With a zone, perhaps, as in fe80::1%eth0.
bool plausible_ipv6(std::string_view text) {
  if (auto at = text.find('%'); at != std::string_view::npos) {
    auto zone = text.substr(at + 1);
    if (zone.empty() || !std::ranges::all_of(zone, plausible_host_char))
      return false;
    text = text.substr(0, at);
  }
  return text.find(':') != std::string_view::npos
         && std::ranges::all_of(text, plausible_ipv6_char);
}

} // namespace

std::optional<uri> parse_uri(std::string_view text, std::string& why) {
  auto fail = [&](std::string_view reason) -> std::optional<uri> {
    why = "'" + printable(text, host_length_max) + "' is no peer address: "
          + std::string{reason} + "; expected scheme://host:port";
    return std::nullopt;
  };
  uri result;
  auto rest = text;
  if (auto at = rest.find("://"); at != std::string_view::npos) {
    result.scheme = rest.substr(0, at);
    rest.remove_prefix(at + 3);
    auto lower = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    };
    if (result.scheme.empty() || !std::ranges::all_of(result.scheme, lower))
      return fail("the scheme must be lower-case letters and digits");
  } else {
    result.scheme = "caf";
  }
  std::string_view port;
  if (!rest.empty() && rest.front() == '[') {
    auto close = rest.find(']');
    if (close == std::string_view::npos)
      return fail("a ']' is missing");
    result.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!plausible_ipv6(result.host))
      return fail("no IPv6 address between the brackets");
  } else {
    auto colon = rest.find(':');
    result.host = rest.substr(0, colon);
    rest.remove_prefix(std::min(colon, rest.size()));
    if (!std::ranges::all_of(result.host, plausible_host_char))
      return fail("a character that no host name has");
  }
  if (result.host.empty())
    return fail("the host is missing");
  if (result.host.size() > host_length_max)
    return fail("the host is too long");
  if (rest.empty())
    return result;
  if (rest.front() != ':')
    return fail("unexpected text after the host");
  port = rest.substr(1);
  unsigned number = 0;
  auto [end, status] = std::from_chars(port.data(), port.data() + port.size(),
                                       number);
  if (status != std::errc{} || end != port.data() + port.size()
      || number > 65'535)
    return fail("the port must be a number from 0 to 65535");
  result.port = static_cast<std::uint16_t>(number);
  return result;
}

bool is_loopback(std::string_view host) noexcept {
  constexpr std::string_view numbers = "0123456789.";
  return host == "localhost" || host == "::1"
         || (host.starts_with("127.")
             && host.find_first_not_of(numbers) == std::string_view::npos);
}

std::string to_string(const uri& x) {
  auto v6 = x.host.find(':') != std::string::npos;
  auto result = x.scheme + "://" + (v6 ? "[" + x.host + "]" : x.host);
  if (x.port != 0)
    result += ":" + std::to_string(x.port);
  return result;
}

} // namespace galaxycache
