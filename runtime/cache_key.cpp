#include "galaxycache/runtime/cache_key.hpp"

#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/sha256.hpp"

#include <algorithm>
#include <limits>

namespace galaxycache {

namespace {

// 64 bits, seven in a byte.
constexpr std::size_t varint_bytes_max = 10;

void append_varint(std::string& key, std::uint64_t x) {
  for (; x >= 0x80; x >>= 7)
    key += static_cast<char>(x | 0x80);
  key += static_cast<char>(x);
}

key_error consume_varint(std::string_view& rest, std::uint64_t& x) noexcept {
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (i == varint_bytes_max)
      return key_error::overflow;
    const auto byte = static_cast<unsigned char>(rest[i]);
    // The tenth byte has room for one bit.
    if (byte < 0x80 && byte > 1 && i == varint_bytes_max - 1)
      return key_error::overflow;
    result |= static_cast<std::uint64_t>(byte & 0x7f) << 7 * i;
    if (byte < 0x80) {
      rest.remove_prefix(i + 1);
      x = result;
      return key_error::none;
    }
  }
  return key_error::truncated;
}

key_error consume_terminator(std::string_view& rest) noexcept {
  if (rest.empty())
    return key_error::truncated;
  if (rest.front() != '\0')
    return key_error::missing_terminator;
  rest.remove_prefix(1);
  return key_error::none;
}

template <class T>
T big_endian(const std::uint8_t* at) noexcept {
  T result = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    result = result << 8 | at[i];
  return result;
}

} // namespace

std::string_view describe(key_error error) noexcept {
  switch (error) {
    case key_error::none:
      return "no error";
    case key_error::truncated:
      return "the key ends before the field does";
    case key_error::overflow:
      return "a number in the key does not fit into 64 bits";
    case key_error::missing_terminator:
      return "there is no null byte where the field should end";
    case key_error::trailing_bytes:
      return "bytes are left after the last field";
  }
  return "unknown error";
}

void append_str_id(std::string& key, std::string_view id) {
  append_varint(key, id.size());
  key += id;
  key += '\0';
}

void append_uint(std::string& key, std::uint64_t id) {
  append_varint(key, id);
  key += '\0';
}

key_error consume_str_id(std::string_view& rest,
                         std::string_view& id) noexcept {
  auto after = rest;
  std::uint64_t size = 0;
  if (auto error = consume_varint(after, size); error != key_error::none)
    return error;
  if (size > after.size())
    return key_error::truncated;
  const auto content = after.substr(0, static_cast<std::size_t>(size));
  after.remove_prefix(content.size());
  if (auto error = consume_terminator(after); error != key_error::none)
    return error;
  id = content;
  rest = after;
  return key_error::none;
}

key_error consume_uint(std::string_view& rest, std::uint64_t& id) noexcept {
  auto after = rest;
  std::uint64_t number = 0;
  if (auto error = consume_varint(after, number); error != key_error::none)
    return error;
  if (auto error = consume_terminator(after); error != key_error::none)
    return error;
  id = number;
  rest = after;
  return key_error::none;
}

std::chrono::nanoseconds
key_jitter::within(std::chrono::nanoseconds length) const noexcept {
  if (length.count() <= 0)
    return {};
  const auto whole = static_cast<__uint128_t>(high) << 64 | low;
  const auto modulus = static_cast<__uint128_t>(length.count());
  return std::chrono::nanoseconds{static_cast<std::int64_t>(whole % modulus)};
}

key_jitter string_jitter(std::string_view id) noexcept {
  const auto digest = sha256(id);
  // Only four bytes, because Go's division fails if this is not less than the
  // length of an epoch.
  return {big_endian<std::uint32_t>(digest.data()),
          big_endian<std::uint64_t>(digest.data() + 4)};
}

key_jitter integer_jitter(const epoch_config& config,
                          std::uint64_t id) noexcept {
  return {mul_high(id, config.integer_multiplier),
          id * config.integer_multiplier};
}

std::uint64_t epoch_number(const epoch_config& config, wall_time now,
                           key_jitter jitter) noexcept {
  if (config.length.count() <= 0)
    return 0;
  // As in Go, a difference of more than 292 years counts as 292 years, and
  // their sum with the jitter wraps around.
  using limits = std::numeric_limits<std::int64_t>;
  const auto since_zero
    = static_cast<__int128_t>(now.time_since_epoch().count())
      - config.zero.time_since_epoch().count();
  const auto offset = static_cast<std::uint64_t>(
    std::clamp<__int128_t>(since_zero, limits::min(), limits::max()));
  const auto early
    = static_cast<std::uint64_t>(jitter.within(config.length).count());
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(offset + early)
                                    / config.length.count());
}

void append_epoch(std::string& key, const epoch_config& config, wall_time now,
                  key_jitter jitter) {
  append_uint(key, epoch_number(config, now, jitter));
}

} // namespace galaxycache
