#pragma once

// Knows Protobuf's messages by what they can do, and so includes none of it.

#include "galaxycache/runtime/codec.hpp"

#include <limits>
#include <stdexcept>

namespace galaxycache {

/// What Protobuf's compiler makes of a `message`, full or lite.
template <class T>
concept protobuf_message
  = std::default_initializable<T> && requires(T x, const T& y, std::string& out,
                                              const char* in, int size) {
  { y.IsInitialized() } -> std::convertible_to<bool>;
  { y.InitializationErrorString() } -> std::convertible_to<std::string>;
  { y.SerializePartialToString(&out) } -> std::convertible_to<bool>;
  { x.ParsePartialFromArray(in, size) } -> std::convertible_to<bool>;
};

/// Protobuf's wire format. Include this header, and every message type has a
/// codec. A message without its required fields (of `proto2`) neither encodes
/// nor decodes; fields of a newer schema are kept.
template <protobuf_message T>
struct codec<T> {
  static value encode(const T& x) {
    check(x);
    std::string bytes;
    if (!x.SerializePartialToString(&bytes))
      throw std::length_error{"the Protobuf message is larger than 2 GiB"};
    return value::take(std::move(bytes));
  }

  static std::optional<T> decode(std::string_view bytes) {
    std::optional<T> result{std::in_place};
    if (bytes.size() > std::numeric_limits<int>::max()
        || !result->ParsePartialFromArray(bytes.data(),
                                          static_cast<int>(bytes.size())))
      return std::nullopt;
    check(*result);
    return result;
  }

private:
  // Apart from parsing, because Protobuf itself would write to standard error.
  static void check(const T& x) {
    if (!x.IsInitialized())
      throw std::invalid_argument{"required Protobuf fields are missing: "
                                  + std::string{x.InitializationErrorString()}};
  }
};

} // namespace galaxycache
