#pragma once

#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/load_result.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <variant>

namespace galaxycache {

/// Where a galaxy's values come from: user code, in one of three forms. What
/// it throws becomes `backend_failed` with the exception's text. A constant:
/// any thread may use it; copies share the user's code.
class backend {
public:
  using load_function
    = std::function<load_result(std::string_view key, const load_context&)>;

  /// The default number of workers (threads) of a function backend: enough to
  /// overlap a few waits for a database, few enough not to hurt it.
  static constexpr std::size_t default_workers = 8;

  /// A function that may block. It runs on up to `workers` threads of the
  /// galaxy's own, so it must be thread-safe. `f` takes the key and, if it
  /// likes, a `load_context`; it returns a `load_result`.
  template <class F>
  static backend function(F f, std::size_t workers = default_workers) {
    return backend{pooled{
      std::make_shared<const load_function>(adapt(std::move(f))), workers}};
  }

  /// A function that never blocks, run in place by the loader actors: several
  /// at once, so it must be thread-safe.
  template <class F>
  static backend in_place(F f) {
    return backend{inlined{adapt(std::move(f))}};
  }

  /// An actor of the user's. It stays the user's: stopping the universe does
  /// not stop it. If it dies, loads fail until another universe is built.
  static backend actor(backend_actor handle) {
    return backend{std::move(handle)};
  }

  /// The same for an actor without a typed interface; it must understand
  /// `(load_atom, std::string)` and answer `loaded` or an error.
  static backend actor(const caf::actor& handle) {
    return backend{caf::actor_cast<backend_actor>(handle)};
  }

  struct pooled {
    /// Shared with the workers: one that is abandoned may outlive all else.
    std::shared_ptr<const load_function> load;
    std::size_t workers; // threads
  };

  struct inlined {
    load_function load;
  };

  using variant = std::variant<pooled, inlined, backend_actor>;

  const variant& how() const noexcept {
    return how_;
  }

private:
  explicit backend(variant how) : how_(std::move(how)) {
    // nop
  }

  template <class F>
  static load_function adapt(F f) {
    if constexpr (std::is_invocable_r_v<load_result, F&, std::string_view,
                                        const load_context&>) {
      return load_function{std::move(f)};
    } else {
      static_assert(std::is_invocable_r_v<load_result, F&, std::string_view>,
                    "a backend function takes a std::string_view and returns "
                    "a galaxycache::load_result");
      return [f = std::move(f)](std::string_view key,
                                const load_context&) mutable -> load_result {
        return f(key);
      };
    }
  }

  variant how_;
};

/// Calls a backend function; an exception becomes a failure.
load_result run_backend(const backend::load_function& f, std::string_view key,
                        const load_context& context) noexcept;

} // namespace galaxycache
