#pragma once

#include "galaxycache/runtime/value.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace galaxycache {

/// Where values are put together that come in pieces. Whoever reads a piece
/// from the network copies it to its place at once, so that it is copied only
/// once; whoever waits for the value then takes its pieces in their order, and
/// copies those that did not find their place.
///
/// A reader knows the number of an assembly only, by which it finds it in a
/// table of the process; nobody can guess it. Thread-safe.
class assembly {
public:
  /// Readers make no more room, and for no more values at a time: what is
  /// announced may never come.
  static constexpr std::size_t readers_bytes_max = 128 << 20;
  static constexpr std::size_t readers_values_max = 64;

  /// Some bytes of a value.
  struct piece {
    /// What the value answers, and which answer to that it is.
    std::uint64_t id = 0;
    std::uint64_t number = 0;
    /// Of the whole value, in bytes.
    std::uint64_t size = 0;
    /// Where in it the piece begins.
    std::uint64_t offset = 0;
  };

  /// One that can be found as long as it lives; if the system has no random
  /// numbers, one that cannot.
  static std::shared_ptr<assembly> make();

  /// The assembly with this number, or null.
  static std::shared_ptr<assembly> find(std::uint64_t number);

  assembly(const assembly&) = delete;
  assembly& operator=(const assembly&) = delete;

  ~assembly();

  /// 0 if it cannot be found.
  std::uint64_t number() const noexcept {
    return number_;
  }

  /// For a reader: copies a piece to its place and returns it as it is there.
  /// The first to come of a value makes room for it, until whoever waits drops
  /// or finishes it. Nothing, if there is no room, if it does not fit, or if
  /// something else has that place.
  std::optional<value> place(const piece& which, std::string_view bytes);

  // -- for whoever waits ------------------------------------------------------

  /// Takes a piece, which it copies if that is not where it belongs. Returns
  /// false if it does not fit, or if something else has its place. Throws
  /// `std::bad_alloc`.
  bool take(const piece& which, const value& bytes);

  /// The value of a piece; all of its pieces must have been taken.
  value finish(const piece& any);

  /// Forgets the values with this id.
  void drop(std::uint64_t id) noexcept;

  /// Forgets all.
  void clear() noexcept;

  /// Values that are not finished.
  std::size_t size() const;

  /// Bytes that readers have put in their places, and bytes that had to be
  /// copied there once more, in all assemblies of the process so far.
  struct copies {
    std::uint64_t placed = 0;
    std::uint64_t moved = 0;
  };

  static copies counted() noexcept;

private:
  struct unfinished {
    std::uint64_t id;
    std::uint64_t number;
    value_buffer bytes;
    /// Ranges that somebody has written or is writing: begins and ends.
    std::map<std::uint64_t, std::uint64_t> written;
  };

  assembly() = default;

  std::size_t bytes_of_values() const noexcept;
  unfinished* find_value(const piece& any) noexcept;
  unfinished* begin_value(const piece& first);
  static bool claim(unfinished& x, std::uint64_t begin, std::uint64_t bytes);

  std::uint64_t number_ = 0;
  mutable std::mutex mutex_; // protects what follows
  std::vector<unfinished> values_;
};

} // namespace galaxycache
