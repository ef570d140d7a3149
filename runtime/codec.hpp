#pragma once

#include "galaxycache/runtime/error.hpp"
#include "galaxycache/runtime/value.hpp"

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace galaxycache {

/// How a `T` becomes the bytes of a value, and comes back. Specialise it for a
/// type of yours, with two static functions:
///
///     static value encode(T x);                          // or const T&
///     static std::optional<T> decode(std::string_view);  // or const value&
///
/// `decode` answers nothing for bytes that are no `T`; either may throw to say
/// why, in words that are logged and sent to callers: never the value's bytes.
/// Both must be thread-safe and must not block: `encode` runs where the
/// backend runs, `decode` in the actor that asks. Bytes come from other
/// processes, maybe of another version: `decode` must survive any.
template <class T>
struct codec;

namespace detail {

template <class T>
concept decodes_values = requires(const value& bytes) {
  { codec<T>::decode(bytes) } -> std::same_as<std::optional<T>>;
};

template <class T>
concept decodes_bytes = requires(std::string_view bytes) {
  { codec<T>::decode(bytes) } -> std::same_as<std::optional<T>>;
};

/// The integers that are numbers: neither truth nor text.
template <class T>
concept number
  = std::integral<T> && !std::same_as<
      T,
      bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// Only what `std::to_string` makes: no zeros in front, no plus sign.
template <number T>
std::optional<T> from_decimal(std::string_view text) {
  T result{};
  auto* end = text.data() + text.size();
  auto [stop, failed] = std::from_chars(text.data(), end, result);
  if (failed != std::errc{} || stop != end || std::to_string(result) != text)
    return std::nullopt;
  return result;
}

/// Runs a codec's function; what it throws becomes `codec_error`.
template <class Result, class F>
std::variant<Result, failure> guarded(std::string_view what, F&& f) noexcept {
  using outcome = std::variant<Result, failure>;
  try {
    return std::forward<F>(f)();
  } catch (const std::exception& thrown) {
    return outcome{std::in_place_index<1>,
                   failure{errc::codec_error,
                           std::string{what} + ": " + thrown.what()}};
  } catch (...) {
    return outcome{std::in_place_index<1>,
                   failure{errc::codec_error,
                           std::string{what} + ": an unknown exception"}};
  }
}

} // namespace detail

/// Whether a type can be the value of a galaxy.
template <class T>
concept has_codec = requires(T x) {
  { codec<T>::encode(std::move(x)) } -> std::same_as<value>;
}
&&(detail::decodes_values<T> || detail::decodes_bytes<T>);

/// The bytes of `x`, or `codec_error`.
template <has_codec T>
std::variant<value, failure> try_encode(T x) noexcept {
  using outcome = std::variant<value, failure>;
  return detail::guarded<value>("a value did not encode", [&] {
    return outcome{std::in_place_index<0>, codec<T>::encode(std::move(x))};
  });
}

/// What `bytes` stand for, or `codec_error`.
template <has_codec T>
std::variant<T, failure> try_decode(const value& bytes) noexcept {
  using outcome = std::variant<T, failure>;
  return detail::guarded<T>("a value did not decode", [&] {
    auto result = [&] {
      if constexpr (detail::decodes_values<T>)
        return codec<T>::decode(bytes);
      else
        return codec<T>::decode(bytes.bytes());
    }();
    if (!result)
      return outcome{std::in_place_index<1>,
                     failure{errc::codec_error,
                             "a value of " + std::to_string(bytes.size())
                               + " bytes is not of the expected type"}};
    return outcome{std::in_place_index<0>, std::move(*result)};
  });
}

// -- what needs no code -------------------------------------------------------

/// The bytes themselves; never copied.
template <>
struct codec<value> {
  static value encode(value x) noexcept {
    return x;
  }

  static std::optional<value> decode(const value& bytes) noexcept {
    return bytes;
  }
};

/// Any bytes. Adopted when encoded, copied when decoded.
template <>
struct codec<std::string> {
  static value encode(std::string x) {
    return value::take(std::move(x));
  }

  static std::optional<std::string> decode(std::string_view bytes) {
    return std::string{bytes};
  }
};

/// Any bytes; copied both ways.
template <>
struct codec<std::vector<std::byte>> {
  static value encode(const std::vector<std::byte>& x) {
    return value::copy({reinterpret_cast<const char*>(x.data()), x.size()});
  }

  static std::optional<std::vector<std::byte>> decode(std::string_view bytes) {
    std::vector<std::byte> result(bytes.size());
    if (!bytes.empty())
      std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  }
};

/// Numbers are decimal text, as `std::to_string` makes it.
template <detail::number T>
struct codec<T> {
  static value encode(T x) {
    return value::take(std::to_string(x));
  }

  static std::optional<T> decode(std::string_view bytes) {
    return detail::from_decimal<T>(bytes);
  }
};

} // namespace galaxycache
