#pragma once

#include "galaxycache/actors/pending.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/actor.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace galaxycache {

class galaxy_core;

namespace testing {

class inspection;

} // namespace testing

/// A key space, as its users see it. A handle: cheap to copy, and any thread
/// may use it. It does not keep the universe running; once that has stopped,
/// gets are answered `draining` or `unavailable`.
class galaxy {
public:
  galaxy(std::shared_ptr<galaxy_core> core, galaxy_actor actor);

  const std::string& name() const noexcept;

  /// For actors that know nothing of this class: takes `(get_atom, key)`.
  const galaxy_actor& actor() const noexcept {
    return actor_;
  }

  /// Asks for the value of a key; never blocks. What this process holds is
  /// answered in place, at the price of `find`; for the rest one message
  /// leaves. Use the result at once:
  ///
  ///     g.get(self, key).then(on_answer, on_error);     // event-based actor
  ///     g.get(self, key).receive(on_answer, on_error);  // blocking actor
  ///
  /// `on_answer` takes a `const answer&`, `on_error` a `const caf::error&`
  /// (see `code_of`). With `then`, an answer from this process's memory, or a
  /// refusal, runs its handler before `then` returns, unless 32 of them are
  /// nested in one another already: the next then comes through the mailbox.
  template <class Self>
  auto get(Self&& self, std::string_view key,
           const get_options& options = {}) const {
    auto* asker = actor_pointer(self);
    using pending_type
      = pending<answer, decltype(request(asker, cache_actor{}, get_atom_v,
                                         std::string{}, ticket{}))>;
    if (!in_place_call::allowed())
      return pending_type{
        request(asker, actor_, get_atom_v, std::string{key}, options)};
    auto begun = begin(key, options);
    if (auto* known = std::get_if<answer>(&begun))
      return pending_type{std::move(*known)};
    if (auto* why = std::get_if<failure>(&begun))
      return pending_type{std::move(*why)};
    auto& way = std::get<way_on>(begun);
    return pending_type{
      request(asker, way.cache, get_atom_v, std::string{key}, way.terms)};
  }

  /// Asks for many keys at once: a result per key, in their order. Keys may
  /// repeat. They share one deadline; some may be answered and others not.
  /// At most 1,048,576 keys.
  template <class Self>
  auto get_many(Self&& self, std::vector<std::string> keys,
                const get_options& options = {}) const {
    auto* asker = actor_pointer(self);
    using results = std::vector<get_result>;
    auto asked = request(asker, actor_, get_atom_v, name_list{std::move(keys)},
                         options);
    return pending<results, decltype(asked)>{std::move(asked)};
  }

  /// The answer this process holds, if any: no message, no waiting. Counts as
  /// a get.
  std::optional<answer> find(std::string_view key) const;

  /// Calls `f(const answer&)` with the answer this process holds, if any, and
  /// says whether there was one. Counts as a get.
  template <class F>
  bool visit(std::string_view key, F&& f) const {
    auto held = find(key);
    if (held)
      std::invoke(std::forward<F>(f), std::as_const(*held));
    return held.has_value();
  }

  /// What the galaxy has done and holds.
  galaxy_stats stats() const;

private:
  friend class testing::inspection;

  std::variant<answer, failure, way_on> begin(std::string_view key,
                                              const get_options& options) const;

  std::shared_ptr<galaxy_core> core_;
  galaxy_actor actor_;
};

} // namespace galaxycache
