#pragma once

#include "galaxycache/actors/galaxy.hpp"
#include "galaxycache/actors/typed_backend.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/runtime/codec.hpp"
#include "galaxycache/runtime/key_codec.hpp"

namespace galaxycache {

/// The answer to a get from a typed galaxy.
template <class Value>
struct typed_answer {
  /// Nothing if the key does not exist.
  std::optional<Value> data;
  wall_time expiry = never_expires;
  hit_level level = hit_level::miss;
  /// The id of the universe that owns the key, as seen when the value came.
  value owner;

  /// Whether the key exists.
  bool found() const noexcept {
    return data.has_value();
  }
};

/// One of the results of asking a typed galaxy for many keys.
template <class Value>
struct typed_get_result {
  typed_answer<Value> content;
  /// `errc::none`, or why there is no answer for this key.
  errc error = errc::none;
  std::string reason;

  bool ok() const noexcept {
    return error == errc::none;
  }
};

/// The answer with its value decoded, or `codec_error`.
template <class Value>
std::variant<typed_answer<Value>, failure> decode_answer(const answer& x) {
  typed_answer<Value> result;
  if (x.found()) {
    auto decoded = try_decode<Value>(x.data);
    if (auto* why = std::get_if<1>(&decoded))
      return std::move(*why);
    result.data.emplace(std::move(std::get<0>(decoded)));
  }
  result.expiry = x.expiry;
  result.level = x.level;
  result.owner = x.owner;
  return result;
}

namespace detail {

/// Whether a `T` may stand for a key: if it converts and loses no fraction.
template <class T, class Key>
struct stands_for : std::bool_constant<std::convertible_to<const T&, Key>> {};

template <class T>
struct stands_for<T, std::string>
  : std::bool_constant<std::convertible_to<const T&, std::string_view>> {};

template <class T, number Key>
struct stands_for<T, Key> : std::bool_constant<number<T>> {};

template <class A, class B, class First, class Second>
struct stands_for<std::pair<A, B>, std::pair<First, Second>>
  : std::conjunction<stands_for<A, First>, stands_for<B, Second>> {};

template <class... Ts, class... Parts>
requires(sizeof...(Ts)
         == sizeof...(
           Parts)) struct stands_for<std::tuple<Ts...>, std::tuple<Parts...>>
  : std::conjunction<stands_for<Ts, Parts>...> {
};

/// Calls `f` with the bytes of a key, or with the reason why it has none.
template <class Key, class T, class F>
auto with_key_bytes(const T& key, F f) {
  if constexpr (!stands_for<T, Key>::value) {
    static_assert(stands_for<T, Key>::value,
                  "this key is not of the key type of the galaxy");
    return f(std::string_view{});
  } else if constexpr (
    std::same_as<
      Key, std::string> && std::convertible_to<const T&, std::string_view>) {
    return f(std::string_view{key});
  } else if constexpr (!std::same_as<T, Key>) {
    return with_key_bytes<Key>(static_cast<Key>(key), std::move(f));
  } else {
    auto encoded = try_encode_key<Key>(key);
    if (auto* why = std::get_if<1>(&encoded))
      return f(std::move(*why));
    return f(std::string_view{std::get<0>(encoded)});
  }
}

/// Makes a typed answer of an untyped one; a failure if it does not decode.
template <class Value>
struct read_answer {
  using typed = typed_answer<Value>;

  std::variant<typed, failure> operator()(const answer& x) const {
    return decode_answer<Value>(x);
  }
};

/// The same for many keys, some of which could not even be asked for.
template <class Value>
struct read_results {
  using typed = std::vector<typed_get_result<Value>>;

  std::variant<typed, failure>
  operator()(const std::vector<get_result>& asked) const {
    typed results;
    results.reserve(asked.size() + refused.size());
    auto next = asked.begin();
    auto why = refused.begin();
    while (next != asked.end() || why != refused.end()) {
      auto& result = results.emplace_back();
      if (why != refused.end() && why->first == results.size() - 1)
        fail(result, (why++)->second);
      else
        read(result, *next++);
    }
    return results;
  }

  static void read(typed_get_result<Value>& to, const get_result& from) {
    if (!from.ok())
      return fail(to, {from.error, from.reason});
    auto decoded = decode_answer<Value>(from.content);
    if (auto* why = std::get_if<1>(&decoded))
      return fail(to, *why);
    to.content = std::move(std::get<0>(decoded));
  }

  static void fail(typed_get_result<Value>& to, const failure& why) {
    to.error = why.code;
    to.reason = why.reason;
  }

  /// The places of those keys, in order, and why.
  std::vector<std::pair<std::size_t, failure>> refused;
};

/// A handler twice, though only one of the two is ever called.
template <class Handler>
auto for_two(Handler handler) {
  if constexpr (std::copy_constructible<Handler>)
    return handler;
  else
    return [shared = std::make_shared<Handler>(std::move(handler))](
             const caf::error& why) { (*shared)(why); };
}

} // namespace detail

/// A typed answer that is there, or on its way: call `then` or `receive`, once
/// and at once, as with `pending`. Belongs to the thread that asked.
template <class Read, class Asked>
class [[nodiscard]] typed_pending {
public:
  typed_pending(Read read, Asked asked)
    : read_(std::move(read)),
      asked_(std::move(asked)) {
    // nop
  }

  /// For event-based actors: continues with the answer, now or later.
  template <class OnAnswer, class OnError>
  void then(OnAnswer on_answer, OnError on_error) && {
    deliver(std::move(on_answer), std::move(on_error),
            [this](auto on_untyped, auto on_failure) {
              std::move(asked_).then(std::move(on_untyped),
                                     std::move(on_failure));
            });
  }

  /// For blocking actors: waits for the answer.
  template <class OnAnswer, class OnError>
  void receive(OnAnswer on_answer, OnError on_error) && {
    deliver(std::move(on_answer), std::move(on_error),
            [this](auto on_untyped, auto on_failure) {
              std::move(asked_).receive(std::move(on_untyped),
                                        std::move(on_failure));
            });
  }

private:
  using typed = typename Read::typed;

  template <class OnAnswer, class OnError, class Wait>
  void deliver(OnAnswer on_answer, OnError on_error, Wait wait) {
    constexpr bool fits = std::is_invocable_v<OnAnswer&, const typed&>;
    static_assert(fits, "this handler does not take the answer of the galaxy, "
                        "a const typed_answer<Value>&; of many keys, a const "
                        "std::vector<typed_get_result<Value>>&");
    static_assert(std::is_invocable_v<OnError&, const caf::error&>,
                  "the handler of errors takes a const caf::error&");
    if constexpr (fits) {
      auto failed = detail::for_two(std::move(on_error));
      auto fail_decoding = failed;
      wait(
        [read = std::move(read_), on_answer = std::move(on_answer),
         fail_decoding](const auto& x) mutable {
          auto result = read(x);
          if (auto* why = std::get_if<1>(&result))
            fail_decoding(make_error(std::move(*why)));
          else
            on_answer(std::as_const(std::get<0>(result)));
        },
        std::move(failed));
    }
  }

  Read read_;
  Asked asked_;
};

/// A galaxy whose keys and values are C++ types: a handle, as `galaxy` is, and
/// as thread-safe. The cache still holds bytes: every answer is decoded anew,
/// in the actor that asks, and one that does not decode is a `codec_error` for
/// whoever asked so, and stays cached for others.
template <class Key, class Value>
class typed_galaxy {
  static_assert(has_key_codec<Key>, "the key type has no key codec: specialise "
                                    "galaxycache::key_codec for it");
  static_assert(has_codec<Value>,
                "the value type has no codec: specialise galaxycache::codec "
                "for it, or include the header of the one it has");

public:
  /// Reads a galaxy as if its keys and values were of these types. Where the
  /// types come from a backend, see `add_typed_galaxy`.
  explicit typed_galaxy(galaxy untyped) : untyped_(std::move(untyped)) {
    // nop
  }

  const std::string& name() const noexcept {
    return untyped_.name();
  }

  const galaxy& untyped() const noexcept {
    return untyped_;
  }

  /// Asks for the value of a key, as `galaxy::get` does:
  ///
  ///     g.get(self, key).then(on_answer, on_error);     // event-based actor
  ///     g.get(self, key).receive(on_answer, on_error);  // blocking actor
  ///
  /// `on_answer` takes a `const typed_answer<Value>&`.
  template <class Self, class T = Key>
  auto get(Self&& self, const T& key, const get_options& options = {}) const {
    using read = detail::read_answer<Value>;
    using asked = decltype(untyped_.get(self, std::string_view{}, options));
    auto ask = [&](auto bytes_or_failure) {
      if constexpr (std::same_as<decltype(bytes_or_failure), failure>)
        return asked{std::move(bytes_or_failure)};
      else
        return untyped_.get(self, bytes_or_failure, options);
    };
    return typed_pending<read, asked>{read{},
                                      detail::with_key_bytes<Key>(key, ask)};
  }

  /// Asks for many keys at once, as `galaxy::get_many` does: a result per key,
  /// in their order. `on_answer` takes a
  /// `const std::vector<typed_get_result<Value>>&`.
  template <class Self>
  auto get_many(Self&& self, const std::vector<Key>& keys,
                const get_options& options = {}) const {
    detail::read_results<Value> read;
    std::vector<std::string> asked_for;
    asked_for.reserve(keys.size());
    for (std::size_t place = 0; place < keys.size(); ++place) {
      auto key = try_encode_key<Key>(keys[place]);
      if (auto* why = std::get_if<1>(&key))
        read.refused.emplace_back(place, std::move(*why));
      else
        asked_for.emplace_back(std::move(std::get<0>(key)));
    }
    auto asked = untyped_.get_many(self, std::move(asked_for), options);
    return typed_pending{std::move(read), std::move(asked)};
  }

  /// The answer this process holds, if any, and if it decodes: no message, no
  /// waiting. Counts as a get.
  template <class T = Key>
  std::optional<typed_answer<Value>> find(const T& key) const {
    using outcome = std::optional<typed_answer<Value>>;
    return detail::with_key_bytes<
      Key>(key, [this](auto bytes_or_failure) -> outcome {
      if constexpr (std::same_as<decltype(bytes_or_failure), std::string_view>)
        if (auto held = untyped_.find(bytes_or_failure)) {
          auto decoded = decode_answer<Value>(*held);
          if (auto* result = std::get_if<0>(&decoded))
            return std::move(*result);
        }
      return std::nullopt;
    });
  }

  /// Calls `f(const typed_answer<Value>&)` with what `find` finds, if anything,
  /// and says whether it did.
  template <class T = Key, class F>
  bool visit(const T& key, F&& f) const {
    auto held = find(key);
    if (held)
      std::invoke(std::forward<F>(f), std::as_const(*held));
    return held.has_value();
  }

private:
  galaxy untyped_;
};

/// Adds a galaxy to a universe, as `universe::add_galaxy` does, with the types
/// of its backend.
template <class Key, class Value>
typed_galaxy<Key, Value>
add_typed_galaxy(universe& home, const std::string& name,
                 std::size_t capacity_bytes,
                 const typed_backend<Key, Value>& source,
                 galaxy_options options = {}) {
  return typed_galaxy<Key, Value>{home.add_galaxy(
    name, capacity_bytes, source.untyped(), std::move(options))};
}

/// For a backend of other types: says so.
template <class Key, class Value, class Source>
typed_galaxy<Key, Value> add_typed_galaxy(universe&, const std::string&,
                                          std::size_t, const Source&,
                                          galaxy_options = {}) {
  static_assert(std::same_as<Source, typed_backend<Key, Value>>,
                "the backend of a typed galaxy is a typed_backend of the same "
                "key and value types");
}

} // namespace galaxycache
