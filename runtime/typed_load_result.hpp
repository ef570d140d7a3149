#pragma once

#include "galaxycache/runtime/codec.hpp"
#include "galaxycache/runtime/load_result.hpp"

namespace galaxycache {

/// What a typed backend answers for a key that exists.
template <class Value>
struct typed_loaded {
  Value data;
  /// From this moment on the value must not be answered any more.
  wall_time expiry = never_expires;
};

/// The outcome of a typed load. A typed backend returns one of a `Value`, a
/// `typed_loaded` with its expiry, nothing (`std::nullopt`) or
/// `errc::not_found` for a key that does not exist, or
/// `failure{errc::backend_failed, "why"}`. As thread-safe as a `Value`.
template <class Value>
class typed_load_result {
public:
  typed_load_result(Value x)
    : content_(std::in_place_index<0>,
               typed_loaded<Value>{std::move(x), never_expires}) {
    // nop
  }

  typed_load_result(typed_loaded<Value> x)
    : content_(std::in_place_index<0>, std::move(x)) {
    // nop
  }

  typed_load_result(std::optional<Value> x)
    : typed_load_result(x ? typed_load_result{std::move(*x)}
                          : typed_load_result{errc::not_found}) {
    // nop
  }

  typed_load_result(std::nullopt_t) : typed_load_result(errc::not_found) {
    // nop
  }

  typed_load_result(errc code) : typed_load_result(failure{code, {}}) {
    // nop
  }

  typed_load_result(failure why)
    : content_(std::in_place_index<1>, std::move(why)) {
    // nop
  }

  /// The same with the value encoded; `codec_error` for one that does not.
  load_result encode() && {
    if (auto* why = std::get_if<1>(&content_))
      return std::move(*why);
    auto& content = std::get<0>(content_);
    auto encoded = try_encode<Value>(std::move(content.data));
    if (auto* why = std::get_if<1>(&encoded))
      return std::move(*why);
    return loaded{std::move(std::get<0>(encoded)), content.expiry};
  }

private:
  std::variant<typed_loaded<Value>, failure> content_;
};

} // namespace galaxycache
