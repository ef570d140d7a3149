#pragma once

#include "galaxycache/runtime/caf/version.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/error.hpp>
#include <caf/result.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#if !GALAXYCACHE_CAF_1
#  include <caf/atom.hpp>
#  include <caf/make_message.hpp>
#  include <caf/meta/type_name.hpp>
#  include <caf/replies_to.hpp>
#endif

#include <string_view>
#include <type_traits>

namespace galaxycache {

// -- typed interfaces ---------------------------------------------------------

template <class T>
using result = caf::result<T>;

#if !GALAXYCACHE_CAF_1
// caf::result uses it without having declared it, so it must be found by the
// types of its arguments: ours.
using caf::make_message;
#endif

namespace detail {

template <class Signature>
struct signature_of;

template <class Result, class... Inputs>
struct signature_of<caf::result<Result>(Inputs...)> {
#if GALAXYCACHE_CAF_1
  using type = caf::result<Result>(Inputs...);
#else
  using type = typename caf::replies_to<Inputs...>::template with<Result>;
#endif
};

} // namespace detail

/// A typed actor handle from signatures of the form `result<R>(Inputs...)`.
template <class... Signatures>
using typed_actor
  = caf::typed_actor<typename detail::signature_of<Signatures>::type...>;

// -- inspection ---------------------------------------------------------------

template <class T>
struct inspected_field {
  const char* name;
  T& ref;
};

template <class T>
inspected_field<T> field(const char* name, T& ref) {
  return {name, ref};
}

/// Use in `inspect`: `return object(f, x, "name", field("a", x.a), ...)`.
template <class Inspector, class T, class... Fields>
auto object(Inspector& f, [[maybe_unused]] T& x,
            [[maybe_unused]] const char* name,
            inspected_field<Fields>... fields) {
#if GALAXYCACHE_CAF_1
  return f.object(x).fields(f.field(fields.name, fields.ref)...);
#else
  return f(caf::meta::type_name(name), fields.ref...);
#endif
}

#if GALAXYCACHE_CAF_1

namespace detail {

/// Inspects an enum as its underlying integer; refuses one above `last`.
template <class Inspector, class Enum>
bool inspect_enum(Inspector& f, Enum& x, Enum last) {
  using integer = std::underlying_type_t<Enum>;
  auto get = [&x] { return static_cast<integer>(x); };
  auto set = [&x, last](integer number) {
    if (number > static_cast<integer>(last))
      return false;
    x = static_cast<Enum>(number);
    return true;
  };
  return f.apply(get, set);
}

} // namespace detail

#endif

} // namespace galaxycache

/// Makes an enum with the constants 0 to `last` part of messages. CAF 0.17
/// knows how without being told.
#if GALAXYCACHE_CAF_1
#  define GALAXYCACHE_INSPECT_ENUM(type, last)                                 \
    template <class Inspector>                                                 \
    bool inspect(Inspector& f, type& x) {                                      \
      return ::galaxycache::detail::inspect_enum(f, x, type::last);            \
    }
#else
#  define GALAXYCACHE_INSPECT_ENUM(type, last)
#endif
