#pragma once

#include <algorithm>
#include <cstdint>

namespace galaxycache {

/// How many bytes of answers are under way to a peer, and may be: small ones,
/// and pieces of large values, which never keep small ones waiting. Counts what
/// has been sent and what the peer says it has taken, both since ever.
/// Not thread-safe.
class answer_window {
public:
  /// The window of small answers, and whether pieces are sent as well.
  void resize(std::uint64_t bytes, bool with_pieces) noexcept {
    bytes_ = bytes;
    with_pieces_ = with_pieces;
  }

  /// Whether the peer knows pieces, and says what it has taken.
  bool with_pieces() const noexcept {
    return with_pieces_;
  }

  std::uint64_t sent() const noexcept {
    return sent_;
  }

  std::uint64_t under_way() const noexcept {
    return sent_ - taken_;
  }

  /// Bytes of small answers that may leave now: they have a window for
  /// themselves, whatever the pieces have.
  std::uint64_t room_for_small() const noexcept {
    auto most = bytes_;
    if (with_pieces_)
      most += taken_ < wide_sent_ ? wide() : bytes_;
    return most - std::min(most, under_way());
  }

  /// Whether a piece may leave now: more of them, if nothing small has left for
  /// as long, which they could hold up.
  bool has_room_for_piece() const noexcept {
    return under_way() < (sent_ - small_sent_ < wide() ? bytes_ : wide());
  }

  void send_small(std::uint64_t bytes) noexcept {
    send_other(bytes);
    small_sent_ = sent_;
  }

  void send_piece(std::uint64_t bytes) noexcept {
    auto alone = under_way() >= bytes_;
    send_other(bytes);
    if (alone)
      wide_sent_ = sent_;
  }

  /// What is no answer, but takes room all the same.
  void send_other(std::uint64_t bytes) noexcept {
    sent_ += bytes;
  }

  /// The peer has taken what was sent up to here. It may say less than before,
  /// or more than there is: neither counts.
  void take(std::uint64_t sent) noexcept {
    taken_ = std::max(taken_, std::min(sent, sent_));
  }

  /// What was under way does not count any more.
  void forget() noexcept {
    taken_ = sent_;
    small_sent_ = sent_;
  }

private:
  /// The window of pieces that have the connection to themselves.
  std::uint64_t wide() const noexcept {
    return 4 * bytes_;
  }

  std::uint64_t bytes_ = 0;
  bool with_pieces_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t taken_ = 0;
  // `sent_` when something small left last, and when a piece did that was
  // beyond the small window.
  std::uint64_t small_sent_ = 0;
  std::uint64_t wide_sent_ = 0;
};

} // namespace galaxycache
