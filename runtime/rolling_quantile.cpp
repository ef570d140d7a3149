#include "galaxycache/runtime/rolling_quantile.hpp"

#include <algorithm>
#include <bit>

namespace galaxycache {

namespace {

// Below this all are alike, and their logarithms need no care.
constexpr std::int64_t least = 4;

} // namespace

std::size_t rolling_quantile::bucket_of(std::chrono::nanoseconds x) noexcept {
  auto n = static_cast<std::uint64_t>(std::max(x.count(), least));
  auto octave = static_cast<unsigned>(std::bit_width(n)) - 1;
  auto part = n >> (octave - parts_bits) & ((1u << parts_bits) - 1);
  return std::min<std::size_t>((octave << parts_bits) + part,
                               (octaves << parts_bits) - 1);
}

std::chrono::nanoseconds rolling_quantile::end_of(std::size_t bucket) noexcept {
  auto octave = static_cast<unsigned>(bucket >> parts_bits);
  auto part = bucket & ((1u << parts_bits) - 1);
  auto end = ((std::uint64_t{1} << parts_bits) + part + 1) << octave
             >> parts_bits;
  return std::chrono::nanoseconds{static_cast<std::int64_t>(end)};
}

void rolling_quantile::add(std::chrono::nanoseconds x) noexcept {
  if (in_now_ == window) {
    before_ = now_;
    in_before_ = in_now_;
    now_ = {};
    in_now_ = 0;
  }
  ++now_[bucket_of(x)];
  ++in_now_;
}

std::optional<std::chrono::nanoseconds> rolling_quantile::get() const noexcept {
  auto all = in_now_ + in_before_;
  if (all < samples_min)
    return std::nullopt;
  auto wanted = share_ * static_cast<double>(all);
  std::size_t seen = 0;
  for (std::size_t i = 0; i < now_.size(); ++i) {
    seen += std::size_t{now_[i]} + before_[i];
    if (static_cast<double>(seen) >= wanted)
      return end_of(i);
  }
  return end_of(now_.size() - 1);
}

} // namespace galaxycache
