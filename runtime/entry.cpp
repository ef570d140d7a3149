#include "galaxycache/runtime/entry.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace galaxycache {

static_assert(sizeof(entry) == 32,
              "an entry's overhead is two words and links");

namespace {

// Hits are counted one by one up to here, then by samples, so that threads that
// read the same key do not wait for each other's writes.
constexpr std::uint64_t exact_hits = 4096;
constexpr std::uint64_t sample_of = 16;

} // namespace

std::uint8_t entry::flags_of(const value& data, const traits& with) noexcept {
  std::uint8_t result = 0;
  if (with.expiry != never_expires)
    result |= expiring;
  if (with.rate)
    result |= rated;
  if (data.size() > copied_bytes_max)
    result |= shares;
  return result;
}

entry* entry::make(std::string_view key, const value& data, const traits& with,
                   entry_arena* from) {
  auto flags = flags_of(data, with);
  auto key_at = key_offset(flags);
  auto size = key_at + key.size() + (flags & shares ? 0 : data.size());
  auto* memory = static_cast<char*>(from ? from->allocate(size) : nullptr);
  auto alone = memory == nullptr;
  if (alone)
    memory = static_cast<char*>(::operator new(size));
  auto* x = new (memory) entry;
  x->is = alone ? kind::lone_entry : kind::entry;
  x->flags_ = flags;
  if (flags & expiring)
    new (&x->timing_of()) timing{with.expiry, 0};
  if (flags & rated)
    new (&x->rating_of()) rating{with.rate->epoch(), with.rate->hits()};
  if (!key.empty())
    std::memcpy(memory + key_at, key.data(), key.size());
  if (flags & shares) {
    new (memory + key_at - sizeof(value)) value{data};
    x->size = static_cast<std::uint32_t>(key.size());
  } else {
    x->offset = static_cast<std::uint32_t>(key_at + key.size());
    x->size = static_cast<std::uint32_t>(data.size());
    if (!data.empty())
      std::memcpy(memory + x->offset, data.bytes().data(), data.size());
  }
  return x;
}

void entry::destroy(entry* x) noexcept {
  if (x->flags_ & shares)
    const_cast<value&>(x->shared()).~value();
  auto alone = x->is == kind::lone_entry;
  x->~entry();
  alone ? ::operator delete(x) : entry_arena::free(x);
}

entry* entry::copy(entry_arena* from) const {
  auto known = rate({});
  return make(key(), share(), {expiry(), is_hot() ? &known : nullptr}, from);
}

value entry::share() const noexcept {
  if (flags_ & shares)
    return shared();
  if (size == 0)
    return {};
  auto* self = const_cast<entry*>(this);
  self->refs.fetch_add(1, std::memory_order_relaxed);
  return value{self};
}

namespace {

// An item of an expiry_queue.
constexpr std::size_t timing_bytes = sizeof(wall_time) + sizeof(void*);

} // namespace

std::size_t entry::cost() const noexcept {
  return cost_alone() + (flags_ & shares ? shared().footprint() : 0);
}

std::size_t entry::cost_alone() const noexcept {
  auto end = flags_ & shares ? key_offset() : offset;
  return allocated_bytes(end + size) + (expires() ? timing_bytes : 0);
}

std::size_t entry::cost_of(std::string_view key, const value& data,
                           const traits& with) noexcept {
  auto flags = flags_of(data, with);
  auto own = key_offset(flags) + key.size();
  auto timed = flags & expiring ? timing_bytes : 0;
  if (flags & shares)
    return allocated_bytes(own) + data.footprint() + timed;
  return allocated_bytes(own + data.size()) + timed;
}

key_stats entry::rate(mono_time now) const noexcept {
  if (!is_hot())
    return key_stats{now};
  auto& x = rating_of();
  return {x.epoch, std::max(x.epoch, now),
          x.hits.load(std::memory_order_relaxed)};
}

entry::timing& entry::timing_of() const noexcept {
  auto* at = const_cast<char*>(base()) + sizeof(entry);
  return *std::launder(reinterpret_cast<timing*>(at));
}

entry::rating& entry::rating_of() const noexcept {
  auto* at = const_cast<char*>(base()) + sizeof(entry)
             + (flags_ & expiring ? sizeof(timing) : 0);
  return *std::launder(reinterpret_cast<rating*>(at));
}

const value& entry::shared() const noexcept {
  return *std::launder(
    reinterpret_cast<const value*>(base() + key_offset() - sizeof(value)));
}

void entry::count_hit() noexcept {
  auto& hits = rating_of().hits;
  if (hits.load(std::memory_order_relaxed) < exact_hits) {
    hits.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  static constinit thread_local std::uint64_t reads = 0;
  if (++reads % sample_of == 0)
    hits.fetch_add(sample_of, std::memory_order_relaxed);
}

} // namespace galaxycache
