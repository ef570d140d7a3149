#pragma once

#include "galaxycache/runtime/cache_key.hpp"
#include "galaxycache/runtime/codec.hpp"

#include <cstdint>
#include <tuple>

namespace galaxycache {

/// How a `T` becomes a key, and comes back: where the backend runs, there is
/// only the key. Specialise it for a type of yours, with two static functions:
///
///     static std::string encode(const T&);           // or a std::string_view
///     static std::optional<T> decode(std::string_view key);
///
/// Keys are compared and hashed by their bytes in every process of the ring:
/// equal keys must have the same bytes everywhere, different keys different
/// ones, and changing the encoding is changing the keys. `decode` answers
/// nothing for bytes that `encode` never makes. A string view from `encode`
/// refers to the key, one in the result of `decode` to its argument.
///
/// Keys of one part are plain text, those of several are the fields of
/// `cache_key.hpp`, which galaxycache's programs in Go make as well:
///
///     std::string, std::string_view      the string as it is
///     integers                           decimal: 42, -7
///     std::pair, std::tuple              field after field:
///       std::string, std::string_view      a string field
///       integers                           a number field; of signed ones, of
///                                          their two's complement in 64 bits
///       std::pair, std::tuple              their fields
///       other types with a key codec       a string field: their key
///
/// So ("de", 42) is 02 'd' 'e' 00 2a 00.
template <class T>
struct key_codec;

/// Whether a type can be the key of a galaxy.
template <class T>
concept has_key_codec = requires(const T& x, std::string_view bytes) {
  { key_codec<T>::encode(x) } -> std::convertible_to<std::string_view>;
  { key_codec<T>::decode(bytes) } -> std::same_as<std::optional<T>>;
};

/// What encoding a key results in: a string, or a view of the key.
template <has_key_codec T>
using encoded_key
  = std::remove_cvref_t<decltype(key_codec<T>::encode(std::declval<T&>()))>;

/// The bytes of a key, or `codec_error`.
template <has_key_codec T>
std::variant<encoded_key<T>, failure> try_encode_key(const T& key) noexcept {
  using outcome = std::variant<encoded_key<T>, failure>;
  return detail::guarded<encoded_key<T>>("a key did not encode", [&] {
    return outcome{std::in_place_index<0>, key_codec<T>::encode(key)};
  });
}

/// The key that the bytes stand for, or `codec_error`.
template <has_key_codec T>
std::variant<T, failure> try_decode_key(std::string_view bytes) noexcept {
  using outcome = std::variant<T, failure>;
  return detail::guarded<T>("a key did not decode", [&] {
    auto result = key_codec<T>::decode(bytes);
    if (!result)
      return outcome{std::in_place_index<1>,
                     failure{errc::codec_error,
                             "a key of " + std::to_string(bytes.size())
                               + " bytes is not of the expected type"}};
    return outcome{std::in_place_index<0>, std::move(*result)};
  });
}

// -- keys of one part ---------------------------------------------------------

template <>
struct key_codec<std::string> {
  static std::string_view encode(const std::string& x) noexcept {
    return x;
  }

  static std::optional<std::string> decode(std::string_view key) {
    return std::string{key};
  }
};

template <>
struct key_codec<std::string_view> {
  static std::string_view encode(std::string_view x) noexcept {
    return x;
  }

  static std::optional<std::string_view> decode(std::string_view key) noexcept {
    return key;
  }
};

template <detail::number T>
struct key_codec<T> {
  static std::string encode(T x) {
    return std::to_string(x);
  }

  static std::optional<T> decode(std::string_view key) {
    return detail::from_decimal<T>(key);
  }
};

// -- keys of several parts ----------------------------------------------------

namespace detail {

/// A field that is the key of a type.
template <class T>
struct key_field {
  static_assert(has_key_codec<T>,
                "a part of the key has no key codec: specialise "
                "galaxycache::key_codec for its type");

  static void append(std::string& to, const T& x) {
    const auto& key = key_codec<T>::encode(x);
    append_str_id(to, key);
  }

  static std::optional<T> take(std::string_view& from) {
    std::string_view bytes;
    if (consume_str_id(from, bytes) != key_error::none)
      return std::nullopt;
    return key_codec<T>::decode(bytes);
  }
};

template <number T>
struct key_field<T> {
  static void append(std::string& to, T x) {
    append_uint(to, static_cast<std::uint64_t>(x));
  }

  static std::optional<T> take(std::string_view& from) {
    std::uint64_t bits = 0;
    if (consume_uint(from, bits) != key_error::none)
      return std::nullopt;
    auto result = static_cast<T>(bits);
    if (static_cast<std::uint64_t>(result) != bits)
      return std::nullopt;
    return result;
  }
};

/// The fields of a std::pair or std::tuple.
template <class Key, class... Parts>
struct key_fields {
  static void append(std::string& to, const Key& key) {
    std::apply(
      [&](const Parts&... parts) {
        (key_field<Parts>::append(to, parts), ...);
      },
      key);
  }

  static std::optional<Key> take(std::string_view& from) {
    // Braces: the first part first.
    std::tuple<std::optional<Parts>...> parts{key_field<Parts>::take(from)...};
    return std::apply(
      [](auto&... part) -> std::optional<Key> {
        if (!(part.has_value() && ...))
          return std::nullopt;
        return Key{std::move(*part)...};
      },
      parts);
  }

  static std::string encode(const Key& key) {
    std::string result;
    append(result, key);
    return result;
  }

  static std::optional<Key> decode(std::string_view key) {
    auto rest = key;
    auto result = take(rest);
    // Varints may be longer than they need be; ours never are.
    if (!result || !rest.empty() || encode(*result) != key)
      return std::nullopt;
    return result;
  }
};

template <class First, class Second>
struct key_field<std::pair<First, Second>>
  : key_fields<std::pair<First, Second>, First, Second> {};

template <class... Parts>
struct key_field<std::tuple<Parts...>>
  : key_fields<std::tuple<Parts...>, Parts...> {};

} // namespace detail

template <class First, class Second>
struct key_codec<std::pair<First, Second>>
  : detail::key_fields<std::pair<First, Second>, First, Second> {};

template <class First, class... Rest>
struct key_codec<std::tuple<First, Rest...>>
  : detail::key_fields<std::tuple<First, Rest...>, First, Rest...> {};

} // namespace galaxycache
