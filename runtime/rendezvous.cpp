#include "galaxycache/runtime/rendezvous.hpp"

#include "galaxycache/runtime/hash.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <stdexcept>
#include <utility>

namespace galaxycache {

namespace {

constexpr std::uint32_t half_bits = 6;
constexpr std::uint32_t half_mask = (1u << half_bits) - 1;
constexpr std::uint32_t block_slots = 1u << (2 * half_bits);
constexpr std::uint32_t block_count = rendezvous::slot_count / block_slots;

// Arbitrary, different, and fixed for ever.
constexpr std::uint64_t id_seed = 0x6d656d6265722d31u;
constexpr std::uint64_t key_seed = 0x736c6f742d6b6579u;
constexpr std::uint64_t digest_seed = 0x72656e64657a7631u;

constexpr std::uint64_t index_mask = 0xffff;
constexpr std::uint64_t nobody = std::numeric_limits<std::uint64_t>::max();

// quantile[r] is the expected r-th smallest of block_slots exponentially
// distributed numbers of rate 1, times 2^60. By Rényi's representation it is
// the sum of 1 / (block_slots - i) for i < r; the last is about 8.9 * 2^60.
constexpr auto quantile = [] {
  std::array<std::uint64_t, block_slots + 1> result{};
  for (std::uint32_t rank = 0; rank < block_slots; ++rank)
    result[rank + 1] = result[rank] + (1ull << 60) / (block_slots - rank);
  return result;
}();

// Which slot of a block a member has at which rank: a Feistel network on two
// halves of six bits, its round function a multiply-shift hash. It computes
// with 16 bits only, so that one vector register holds many.
class permutation {
public:
  permutation(std::uint64_t seed, std::uint32_t block) noexcept {
    auto bits = mix64(seed + block * 0x9e3779b97f4a7c15u);
    for (std::size_t i = 0; i < 4; ++i)
      keys_[i] = static_cast<std::uint16_t>(bits >> (16 * i) | 1);
    salt_ = static_cast<std::uint16_t>(bits * 0xd1342543de82ef95u >> 48);
  }

  std::uint16_t slot(std::uint16_t rank) const noexcept {
    auto left = static_cast<std::uint16_t>(rank >> half_bits);
    auto right = static_cast<std::uint16_t>(rank & half_mask);
    right ^= hash(left, keys_[3]);
    left ^= hash(right, keys_[2]);
    right ^= hash(left, keys_[1]);
    left ^= hash(right, keys_[0]);
    return static_cast<std::uint16_t>(left << half_bits | right);
  }

  std::uint16_t rank(std::uint16_t slot) const noexcept {
    auto left = static_cast<std::uint16_t>(slot >> half_bits);
    auto right = static_cast<std::uint16_t>(slot & half_mask);
    left ^= hash(right, keys_[0]);
    right ^= hash(left, keys_[1]);
    left ^= hash(right, keys_[2]);
    right ^= hash(left, keys_[3]);
    return static_cast<std::uint16_t>(left << half_bits | right);
  }

  // How far from its rank to the next the member arrives, in 2^-16: this
  // decides between members that have the same rank in one slot.
  std::uint16_t fraction(std::uint16_t slot) const noexcept {
    return static_cast<std::uint16_t>((2u * slot + 1u) * salt_);
  }

private:
  static std::uint16_t hash(std::uint16_t half, std::uint16_t key) noexcept {
    auto product = static_cast<std::uint16_t>((half | 1u << half_bits) * key);
    return static_cast<std::uint16_t>(product >> (16 - half_bits));
  }

  std::array<std::uint16_t, 4> keys_;
  std::uint16_t salt_;
};

std::uint64_t arrival_at(std::uint32_t rank, std::uint32_t fraction,
                         std::uint64_t slowness, std::uint64_t index) noexcept {
  auto step = (quantile[rank + 1] - quantile[rank]) >> 16;
  auto time = mul_high(quantile[rank] + step * fraction, slowness);
  return (time & ~index_mask) | index;
}

// Offers the arrivals of one member from `rank` on, up to a time; returns the
// rank it has come to.
template <class Runner, class Podium>
std::uint32_t offer_until(std::uint64_t time, const Runner& who,
                          permutation order, std::uint32_t rank,
                          std::vector<Podium>& slots) noexcept {
  // As many at once as fit the smallest vector register.
  constexpr std::uint32_t lanes = 8;
  std::array<std::uint16_t, lanes> at;
  std::array<std::uint16_t, lanes> fraction;
  for (; rank < block_slots && mul_high(quantile[rank], who.slowness) < time;
       rank += lanes) {
    for (std::uint32_t i = 0; i < lanes; ++i) {
      at[i] = order.slot(static_cast<std::uint16_t>(rank + i));
      fraction[i] = order.fraction(at[i]);
    }
    for (std::uint32_t i = 0; i < lanes; ++i)
      slots[at[i]].offer(
        arrival_at(rank + i, fraction[i], who.slowness, who.index));
  }
  return rank;
}

std::uint32_t index_of(std::uint64_t arrival) noexcept {
  return static_cast<std::uint32_t>(arrival & index_mask);
}

std::uint32_t slot_of(std::string_view key) noexcept {
  constexpr auto slot_bits = std::countr_zero(rendezvous::slot_count);
  return static_cast<std::uint32_t>(hash64(key, key_seed) >> (64 - slot_bits));
}

} // namespace

rendezvous::rendezvous(std::vector<member> members)
  : members_(in_order(std::move(members))) {
  if (members_.size() > members_max)
    throw std::length_error("rendezvous: too many members");
  for (std::size_t i = 0; i < members_.size(); ++i)
    if (auto weight = members_[i].weight; weight > 0)
      runners_.push_back({hash64(members_[i].id, id_seed), nobody / weight, i});
  if (runners_.size() <= tableless_max)
    return;
  first_.reserve(slot_count);
  second_.reserve(slot_count);
  std::vector<podium> slots;
  for (std::uint32_t block = 0; block < block_count; ++block) {
    race_block(block, slots);
    for (const auto& slot : slots) {
      first_.push_back(static_cast<std::uint16_t>(index_of(slot.first)));
      second_.push_back(static_cast<std::uint16_t>(index_of(slot.second)));
    }
  }
}

std::optional<std::uint32_t>
rendezvous::owner(std::string_view key) const noexcept {
  if (runners_.empty())
    return std::nullopt;
  auto slot = slot_of(key);
  return first_.empty() ? index_of(race(slot).first) : first_[slot];
}

std::optional<std::uint32_t>
rendezvous::successor(std::string_view key) const noexcept {
  if (runners_.size() < 2)
    return std::nullopt;
  auto slot = slot_of(key);
  return second_.empty() ? index_of(race(slot).second) : second_[slot];
}

std::vector<std::uint32_t> rendezvous::replicated(std::string_view key,
                                                  std::size_t count) const {
  std::vector<std::uint64_t> arrivals;
  arrivals.reserve(runners_.size());
  auto slot = slot_of(key);
  for (const auto& who : runners_)
    arrivals.push_back(arrival(who, slot));
  count = std::min(count, arrivals.size());
  auto last = arrivals.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(arrivals.begin(), last, arrivals.end());
  std::vector<std::uint32_t> result(count);
  std::transform(arrivals.begin(), last, result.begin(), index_of);
  return result;
}

std::uint64_t rendezvous::digest() const noexcept {
  return digest_of(members_, digest_seed);
}

void rendezvous::podium::offer(std::uint64_t arrival) noexcept {
  // No branches: they would be guessed wrong half of the time.
  second = std::min(second, std::max(first, arrival));
  first = std::min(first, arrival);
}

std::uint64_t rendezvous::arrival(const runner& who,
                                  std::uint32_t slot) noexcept {
  permutation order{who.seed, slot / block_slots};
  auto here = static_cast<std::uint16_t>(slot % block_slots);
  return arrival_at(order.rank(here), order.fraction(here), who.slowness,
                    who.index);
}

rendezvous::podium rendezvous::race(std::uint32_t slot) const noexcept {
  podium result{nobody, nobody};
  for (const auto& who : runners_)
    result.offer(arrival(who, slot));
  return result;
}

// Lets all that arrive before some time offer at their slots, then all before a
// later time, until nearly all slots have two arrivals earlier than any that
// have not been offered. The few others are raced one by one.
void rendezvous::race_block(std::uint32_t block,
                            std::vector<podium>& slots) const {
  // Arrivals a slot in the first round; each round takes a third more time.
  // Racing 32 slots a block would cost 1,000 members half as much again;
  // otherwise the build time is flat around these.
  constexpr std::uint64_t arrivals_at_first = 6;
  constexpr std::ptrdiff_t undecided_max = 8;
  std::vector<permutation> orders;
  orders.reserve(runners_.size());
  std::uint64_t weight = 0;
  for (const auto& who : runners_) {
    orders.emplace_back(who.seed, block);
    weight += members_[who.index].weight;
  }
  slots.assign(block_slots, podium{nobody, nobody});
  std::vector<std::uint32_t> ranks(runners_.size());
  auto until = arrivals_at_first * ((1ull << 60) / weight);
  auto undecided = [&until](const podium& slot) {
    return slot.second >= until;
  };
  for (;;) {
    until &= ~index_mask; // or an arrival could compare as less than its time
    for (std::size_t i = 0; i < runners_.size(); ++i)
      ranks[i] = offer_until(until, runners_[i], orders[i], ranks[i], slots);
    if (std::count(ranks.begin(), ranks.end(), block_slots)
        == std::ssize(ranks))
      return; // everybody has arrived everywhere
    if (std::count_if(slots.begin(), slots.end(), undecided) <= undecided_max)
      break;
    until += until / 3;
  }
  for (std::uint32_t i = 0; i < block_slots; ++i)
    if (undecided(slots[i]))
      slots[i] = race(block * block_slots + i);
}

} // namespace galaxycache
