#include "galaxycache/runtime/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace galaxycache {

void timer_wheel::timer::disarm() noexcept {
  if (wheel_)
    wheel_->unlink(*this);
}

timer_wheel::~timer_wheel() {
  for (auto& level : lists_)
    for (auto* head : level)
      while (head) {
        auto* t = head;
        head = t->next_;
        t->wheel_ = nullptr;
        t->next_ = t->previous_ = nullptr;
      }
}

void timer_wheel::arm(timer& t, mono_time when) noexcept {
  t.disarm();
  auto after = std::max(when, origin_) - origin_;
  // Round up: never early.
  t.due_ = static_cast<std::uint64_t>(after / tick)
           + (after % tick != after.zero() ? 1 : 0);
  link(t);
}

void timer_wheel::link(timer& t) noexcept {
  // What is due belongs into the slot that is looked at next; what is beyond
  // the wheel's reach, into its last slot, and is linked anew from there.
  constexpr auto reach = (std::uint64_t{1} << (levels * slot_bits))
                         - (std::uint64_t{1} << ((levels - 1) * slot_bits)) - 1;
  auto due = std::clamp(t.due_, elapsed_, elapsed_ + reach);
  // The level is where the highest differing digit (base 64) is.
  auto differing = (due ^ elapsed_) | (slots - 1);
  auto level = (static_cast<std::size_t>(std::bit_width(differing)) - 1)
               / slot_bits;
  level = std::min(level, levels - 1);
  auto slot = (due >> (level * slot_bits)) % slots;
  auto*& head = lists_[level][slot];
  t.wheel_ = this;
  t.level_ = static_cast<std::uint8_t>(level);
  t.slot_ = static_cast<std::uint8_t>(slot);
  t.previous_ = nullptr;
  t.next_ = head;
  if (head)
    head->previous_ = &t;
  head = &t;
  occupied_[level] |= std::uint64_t{1} << slot;
  ++size_;
}

void timer_wheel::unlink(timer& t) noexcept {
  auto*& head = lists_[t.level_][t.slot_];
  if (t.previous_)
    t.previous_->next_ = t.next_;
  else
    head = t.next_;
  if (t.next_)
    t.next_->previous_ = t.previous_;
  if (!head)
    occupied_[t.level_] &= ~(std::uint64_t{1} << t.slot_);
  t.wheel_ = nullptr;
  t.next_ = t.previous_ = nullptr;
  --size_;
}

std::optional<timer_wheel::position>
timer_wheel::first_occupied() const noexcept {
  for (std::size_t level = 0; level < levels; ++level) {
    if (occupied_[level] == 0)
      continue;
    auto shift = level * slot_bits;
    auto now_slot = (elapsed_ >> shift) % slots;
    auto ahead = std::rotr(occupied_[level], static_cast<int>(now_slot));
    auto distance = static_cast<std::uint64_t>(std::countr_zero(ahead));
    auto slot = (now_slot + distance) % slots;
    auto tick = ((elapsed_ >> shift) + distance) << shift;
    return position{std::max(tick, elapsed_), level, slot};
  }
  return std::nullopt;
}

timer_wheel::timer* timer_wheel::pop_due(mono_time now) noexcept {
  auto passed = std::max(now - origin_, std::chrono::nanoseconds{0});
  auto now_tick = static_cast<std::uint64_t>(passed / tick);
  while (auto first = first_occupied()) {
    if (first->tick > now_tick)
      break;
    elapsed_ = std::max(elapsed_, first->tick);
    auto* t = lists_[first->level][first->slot];
    if (first->level == 0) {
      unlink(*t);
      return t;
    }
    // A coarse slot has come: its timers move to finer ones.
    while (t) {
      auto* following = t->next_;
      unlink(*t);
      link(*t);
      t = following;
    }
  }
  elapsed_ = std::max(elapsed_, now_tick);
  return nullptr;
}

std::optional<mono_time> timer_wheel::next() const noexcept {
  auto first = first_occupied();
  if (!first)
    return std::nullopt;
  return origin_ + static_cast<std::int64_t>(first->tick) * tick;
}

} // namespace galaxycache
