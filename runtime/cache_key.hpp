#pragma once

#include "galaxycache/runtime/clock.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// Keys made of several fields, byte for byte those of galaxycache's package
/// cachekey. A field ends in a null byte; before it stands a number as a varint
/// (seven bits a byte, the lowest first), or a string of any bytes after its
/// length as a varint. So no two lists of fields make the same key.
///
///     auto key = key_writer{}.str_id("video").uint(42).take();
///
/// All functions are pure and may be called from any thread.
namespace galaxycache {

// -- fields -------------------------------------------------------------------

/// What is wrong with a key that does not decode.
enum class key_error : std::uint8_t {
  none,
  /// The key ends before the field does.
  truncated,
  /// A number or a length that does not fit into 64 bits.
  overflow,
  /// There is no null byte where the field should end.
  missing_terminator,
  /// Bytes are left after the last field.
  trailing_bytes,
};

/// One sentence for a human, without a trailing period.
std::string_view describe(key_error error) noexcept;

/// Appends a string of any bytes: "abc" becomes 03 61 62 63 00.
/// `id` must not be a part of `key`.
void append_str_id(std::string& key, std::string_view id);

/// Appends a number: 300 becomes ac 02 00.
void append_uint(std::string& key, std::uint64_t id);

/// Moves the string that `rest` begins with to `id`, as a part of the same
/// bytes. On an error, neither changes.
[[nodiscard]] key_error consume_str_id(std::string_view& rest,
                                       std::string_view& id) noexcept;

/// The same for a number. As in galaxycache, one encoded in more bytes than it
/// needs is read as well, so keys must be compared as bytes.
[[nodiscard]] key_error consume_uint(std::string_view& rest,
                                     std::uint64_t& id) noexcept;

// -- epochs -------------------------------------------------------------------

/// Lets keys go out of use by themselves: a key that ends in the number of the
/// current epoch is another key in the next one, and the old value is never
/// asked for again. All who share keys must use the same settings, for ever;
/// the primes are those that galaxycache recommends.
struct epoch_config {
  /// When epoch 0 began. One in the recent past makes keys a few bytes shorter.
  wall_time zero{};

  /// Best a prime number of nanoseconds; these are 6 min 37 s. Zero or less:
  /// there is no epoch but 0.
  std::chrono::nanoseconds length{396'999'999'953};

  /// Spreads integer ids that are close to each other. Best a prime, and less
  /// than `length` in nanoseconds: otherwise Go programs panic on large ids.
  std::uint64_t integer_multiplier = 330'999'999'991;
};

/// A number of 128 bits made from an id; modulo the length of an epoch, it says
/// how much earlier than others the epochs of this id begin, so that keys do
/// not all change at once.
struct key_jitter {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  /// The jitter modulo `length`; zero if there is no such length.
  std::chrono::nanoseconds
  within(std::chrono::nanoseconds length) const noexcept;

  friend bool operator==(const key_jitter&, const key_jitter&) = default;
};

/// The jitter of a string: the first 12 bytes of its SHA-256.
key_jitter string_jitter(std::string_view id) noexcept;

/// The jitter of a number: its product with the multiplier.
key_jitter integer_jitter(const epoch_config& config,
                          std::uint64_t id) noexcept;

/// (now - zero + jitter) / length, rounded towards zero as galaxycache does:
/// epoch 0 begins up to a length before `zero`, and the epochs before it are
/// the largest numbers of 64 bits. Use a `zero` in the past.
std::uint64_t epoch_number(const epoch_config& config, wall_time now,
                           key_jitter jitter) noexcept;

/// Appends the number of the epoch with `append_uint`.
void append_epoch(std::string& key, const epoch_config& config, wall_time now,
                  key_jitter jitter);

// -- whole keys ---------------------------------------------------------------

/// Makes a key, field by field. Not thread-safe.
class key_writer {
public:
  key_writer& str_id(std::string_view id) {
    append_str_id(key_, id);
    return *this;
  }

  key_writer& uint(std::uint64_t id) {
    append_uint(key_, id);
    return *this;
  }

  key_writer& epoch(const epoch_config& config, wall_time now,
                    key_jitter jitter) {
    append_epoch(key_, config, now, jitter);
    return *this;
  }

  /// The key; valid until the next change.
  std::string_view bytes() const noexcept {
    return key_;
  }

  /// Hands over the key and begins an empty one.
  std::string take() noexcept {
    return std::exchange(key_, {});
  }

private:
  std::string key_;
};

/// Reads a key, field by field. After an error it reads no more, so it is
/// enough to look at the end:
///
///     std::string_view kind;
///     std::uint64_t id = 0;
///     if (key_reader{key}.str_id(kind).uint(id).finish() != key_error::none)
///
/// The bytes of the key must outlive the reader and the strings read. Not
/// thread-safe.
class key_reader {
public:
  explicit key_reader(std::string_view key) noexcept : rest_(key) {
    // nop
  }

  key_reader& str_id(std::string_view& id) noexcept {
    if (error_ == key_error::none)
      error_ = consume_str_id(rest_, id);
    return *this;
  }

  key_reader& uint(std::uint64_t& id) noexcept {
    if (error_ == key_error::none)
      error_ = consume_uint(rest_, id);
    return *this;
  }

  /// The first error; `trailing_bytes` if all went well but bytes are left.
  [[nodiscard]] key_error finish() const noexcept {
    return error_ == key_error::none && !rest_.empty()
             ? key_error::trailing_bytes
             : error_;
  }

  /// What has not been read yet.
  std::string_view rest() const noexcept {
    return rest_;
  }

private:
  std::string_view rest_;
  key_error error_ = key_error::none;
};

} // namespace galaxycache
