#pragma once

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/runtime/key_codec.hpp"
#include "galaxycache/runtime/typed_load_result.hpp"

namespace galaxycache {

/// A backend that is given keys and returns values as their C++ types. Their
/// codecs run where the function does; a key that does not decode, and a value
/// that does not encode, is a `codec_error`. A constant, as `backend` is: any
/// thread may use it.
template <class Key, class Value>
class typed_backend {
  static_assert(has_key_codec<Key>, "the key type has no key codec: specialise "
                                    "galaxycache::key_codec for it");
  static_assert(has_codec<Value>,
                "the value type has no codec: specialise galaxycache::codec "
                "for it, or include the header of the one it has");

public:
  /// A function that may block; see `backend::function`. `f` takes the key and,
  /// if it likes, a `load_context`; it returns a `Value`, an optional of it, or
  /// a `typed_load_result` of it.
  template <class F>
  static typed_backend
  function(F f, std::size_t workers = backend::default_workers) {
    return typed_backend{backend::function(adapt(std::move(f)), workers)};
  }

  /// A function that never blocks; see `backend::in_place`.
  template <class F>
  static typed_backend in_place(F f) {
    return typed_backend{backend::in_place(adapt(std::move(f)))};
  }

  const backend& untyped() const noexcept {
    return untyped_;
  }

private:
  using result = typed_load_result<Value>;

  explicit typed_backend(backend untyped) : untyped_(std::move(untyped)) {
    // nop
  }

  template <class F>
  static auto adapt(F f) {
    constexpr bool asks_for_context
      = std::is_invocable_r_v<result, F&, const Key&, const load_context&>;
    constexpr bool fits = asks_for_context
                          || std::is_invocable_r_v<result, F&, const Key&>;
    static_assert(fits, "a typed backend function takes a const Key& and "
                        "returns a Value, an optional of it, or a "
                        "typed_load_result of it");
    return
      [f = std::move(f)](
        std::string_view bytes,
        [[maybe_unused]] const load_context& context) mutable -> load_result {
        auto key = try_decode_key<Key>(bytes);
        if (auto* why = std::get_if<1>(&key))
          return std::move(*why);
        if constexpr (asks_for_context)
          return result{f(std::as_const(std::get<0>(key)), context)}.encode();
        else if constexpr (fits)
          return result{f(std::as_const(std::get<0>(key)))}.encode();
        else
          return errc::invalid_argument;
      };
  }

  backend untyped_;
};

} // namespace galaxycache
