#include "galaxycache/runtime/assembly.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>
#include <random>
#include <unordered_map>

namespace galaxycache {

namespace {

/// All assemblies of the process, by number.
struct table {
  std::mutex mutex;
  std::unordered_map<std::uint64_t, std::weak_ptr<assembly>> all;
};

// Never destroyed: actors may outlive what is.
table& every_assembly() {
  static auto& result = *new table;
  return result;
}

std::atomic<std::uint64_t> placed_bytes{0};
std::atomic<std::uint64_t> moved_bytes{0};

/// Whether a value has all these bytes.
bool fits(const assembly::piece& which, std::uint64_t bytes) {
  return bytes != 0 && which.offset <= which.size
         && bytes <= which.size - which.offset;
}

std::uint64_t secret_number() {
  std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

} // namespace

std::shared_ptr<assembly> assembly::make() {
  std::shared_ptr<assembly> result{new assembly};
  std::uint64_t number = 0;
  try {
    number = secret_number();
  } catch (const std::exception&) {
    // 0, which nobody finds.
  }
  auto& known = every_assembly();
  const std::lock_guard guard{known.mutex};
  if (number != 0 && known.all.try_emplace(number, result).second)
    result->number_ = number;
  return result;
}

std::shared_ptr<assembly> assembly::find(std::uint64_t number) {
  if (number == 0)
    return nullptr;
  auto& known = every_assembly();
  const std::lock_guard guard{known.mutex};
  auto i = known.all.find(number);
  return i != known.all.end() ? i->second.lock() : nullptr;
}

assembly::~assembly() {
  if (number_ == 0)
    return;
  auto& known = every_assembly();
  const std::lock_guard guard{known.mutex};
  known.all.erase(number_);
}

std::optional<value> assembly::place(const piece& which,
                                     std::string_view bytes) try {
  if (!fits(which, bytes.size()))
    return std::nullopt;
  value result;
  char* to = nullptr;
  {
    const std::lock_guard guard{mutex_};
    auto* x = find_value(which);
    if (!x && values_.size() < readers_values_max
        && which.size <= readers_bytes_max
        && bytes_of_values() <= readers_bytes_max - which.size)
      x = begin_value(which);
    if (!x || x->bytes.size() != which.size)
      return std::nullopt;
    to = x->bytes.data() + which.offset;
    // Keeps the place for us.
    result = x->bytes.part(which.offset, bytes.size());
    if (!claim(*x, which.offset, bytes.size()))
      return std::nullopt;
  }
  std::memcpy(to, bytes.data(), bytes.size());
  placed_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
  return result;
} catch (const std::bad_alloc&) {
  return std::nullopt;
}

bool assembly::take(const piece& which, const value& bytes) {
  auto from = bytes.bytes();
  if (!fits(which, from.size()))
    return false;
  const std::lock_guard guard{mutex_};
  auto* x = find_value(which);
  if (!x)
    x = begin_value(which);
  if (x->bytes.size() != which.size)
    return false;
  auto* to = x->bytes.data() + which.offset;
  if (from.data() == to)
    return true;
  if (!claim(*x, which.offset, from.size()))
    return false;
  std::memcpy(to, from.data(), from.size());
  moved_bytes.fetch_add(from.size(), std::memory_order_relaxed);
  return true;
}

value assembly::finish(const piece& any) {
  const std::lock_guard guard{mutex_};
  auto* x = find_value(any);
  if (!x)
    return {};
  auto result = std::move(x->bytes).finish();
  values_.erase(values_.begin() + (x - values_.data()));
  return result;
}

void assembly::drop(std::uint64_t id) noexcept {
  const std::lock_guard guard{mutex_};
  std::erase_if(values_, [id](auto& x) { return x.id == id; });
}

void assembly::clear() noexcept {
  const std::lock_guard guard{mutex_};
  values_.clear();
}

std::size_t assembly::size() const {
  const std::lock_guard guard{mutex_};
  return values_.size();
}

assembly::copies assembly::counted() noexcept {
  return {placed_bytes.load(std::memory_order_relaxed),
          moved_bytes.load(std::memory_order_relaxed)};
}

std::size_t assembly::bytes_of_values() const noexcept {
  std::size_t result = 0;
  for (auto& x : values_)
    result += x.bytes.size();
  return result;
}

assembly::unfinished* assembly::find_value(const piece& any) noexcept {
  auto i = std::ranges::find_if(values_, [&](auto& x) {
    return x.id == any.id && x.number == any.number;
  });
  return i != values_.end() ? &*i : nullptr;
}

assembly::unfinished* assembly::begin_value(const piece& first) {
  return &values_.emplace_back(
    unfinished{first.id, first.number, value_buffer{first.size}, {}});
}

/// Whether these bytes, which are some of the value, were free; now they are
/// not.
bool assembly::claim(unfinished& x, std::uint64_t begin, std::uint64_t bytes) {
  auto end = begin + bytes;
  auto after = x.written.lower_bound(begin);
  if (after != x.written.end() && after->first < end)
    return false;
  if (after != x.written.begin()) {
    auto& before = *std::prev(after);
    if (before.second > begin)
      return false;
    if (before.second == begin) {
      before.second = end;
      return true;
    }
  }
  x.written.emplace_hint(after, begin, end);
  return true;
}

} // namespace galaxycache
