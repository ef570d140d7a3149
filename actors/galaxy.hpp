#pragma once

#include "galaxycache/actors/fill_in.hpp"
#include "galaxycache/actors/pending.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/galaxy_memory.hpp"

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

/// What a cache holds of a key, seen in place: valid only while it is shown.
struct held {
  std::string_view bytes;
  wall_time expiry;
  hit_level level; // hot or main
};

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
  /// repeat, and are looked up once. They share one deadline; some may be
  /// answered and others not. What this process holds is looked up in place;
  /// one message leaves for all of the rest. At most 1,048,576 keys.
  template <class Self>
  auto get_many(Self&& self, std::vector<std::string> keys,
                const get_options& options = {}) const {
    auto* asker = actor_pointer(self);
    auto begun = begin_many(keys);
    using pending_type = pending<std::vector<get_result>,
                                 decltype(request(asker, actor_, get_atom_v,
                                                  sought{}, get_options{})),
                                 fill_in>;
    if (begun.why.code != errc::none)
      return pending_type{std::move(begun.why)};
    auto& [known, missing] = begun.results;
    if (missing.empty() && in_place_call::allowed())
      return pending_type{std::move(known)};
    return pending_type{request(asker, actor_, get_atom_v,
                                std::move(begun.wanted), options),
                        std::move(begun.results)};
  }

  /// The answer this process holds, if any, on any thread: no message, no
  /// waiting. Counts as a get.
  std::optional<answer> find(std::string_view key) const;

  /// Calls `f(const held&)` with what this process holds, if anything, and
  /// says whether it does: the cheapest way to read, as nothing is copied or
  /// counted. `f` should be short: what leaves the cache while it runs keeps
  /// its memory. Counts as a get.
  template <class F>
  bool visit(std::string_view key, F&& f) const {
    return memory_->read(key, read_outcome::absent, [&](const entry& x) {
      std::invoke(f, held{x.data(), x.expiry(),
                          x.is_hot() ? hit_level::hot : hit_level::main});
    });
  }

  /// The id of the universe that owns a key, as this one sees the ring now.
  std::string owner_of(std::string_view key) const;

  /// What the galaxy has done and holds.
  galaxy_stats stats() const;

private:
  friend class testing::inspection;

  /// What is known of many keys, and what is not.
  struct many {
    fill_in results;
    sought wanted;
    /// Why nobody is to be asked, if so.
    failure why;
  };

  std::variant<answer, failure, way_on> begin(std::string_view key,
                                              const get_options& options) const;
  many begin_many(std::vector<std::string>& keys) const;

  std::shared_ptr<galaxy_core> core_;
  const galaxy_memory* memory_; // the core's
  galaxy_actor actor_;
};

} // namespace galaxycache
