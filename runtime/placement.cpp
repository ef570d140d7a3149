#include "galaxycache/runtime/placement.hpp"

#include "galaxycache/runtime/hash.hpp"
#include "galaxycache/runtime/hash_ring.hpp"
#include "galaxycache/runtime/rendezvous.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace galaxycache {

static_assert(placement_like<rendezvous>);
static_assert(placement_like<hash_ring>);
static_assert(placement_like<placement>);
static_assert(placement_options{}.segments == hash_ring::segments_default);

namespace {

using any_placement = std::variant<rendezvous, hash_ring>;

any_placement make(std::vector<member> members, placement_options options) {
  switch (options.kind) {
    case placement_kind::hash_ring_crc32:
      return hash_ring{std::move(members), options.segments, crc32_ieee};
    case placement_kind::hash_ring_fnv1a:
      return hash_ring{std::move(members), options.segments, fnv1a_32};
    case placement_kind::rendezvous:
      break;
  }
  return rendezvous{std::move(members)};
}

} // namespace

struct placement::state {
  explicit state(std::vector<member> members = {}, placement_options how = {})
    : options(how),
      impl(make(std::move(members), how)) {
    auto what = static_cast<std::uint64_t>(how.kind) << 32 | how.segments;
    digest = digest_of(this->members(), mix64(what));
  }

  const std::vector<member>& members() const noexcept {
    return std::visit(
      [](const auto& x) -> const auto& { return x.members(); }, impl);
  }

  placement_options options;
  any_placement impl;
  std::uint64_t digest;
};

const placement::state& placement::get() const noexcept {
  if (state_ != nullptr)
    return *state_;
  static const state none;
  return none;
}

placement::placement(std::vector<member> members, placement_options options)
  : state_(std::make_shared<const state>(std::move(members), options)) {
  // nop
}

const std::vector<member>& placement::members() const noexcept {
  return get().members();
}

std::size_t placement::size() const noexcept {
  return members().size();
}

std::optional<std::uint32_t>
placement::index_of(std::string_view id) const noexcept {
  const auto& all = members();
  auto at = std::lower_bound(all.begin(), all.end(), id,
                             [](const member& x, std::string_view value) {
                               return x.id < value;
                             });
  if (at == all.end() || at->id != id)
    return std::nullopt;
  return static_cast<std::uint32_t>(at - all.begin());
}

const placement_options& placement::options() const noexcept {
  return get().options;
}

std::optional<std::uint32_t>
placement::owner(std::string_view key) const noexcept {
  return std::visit([key](const auto& x) { return x.owner(key); }, get().impl);
}

std::optional<std::uint32_t>
placement::successor(std::string_view key) const noexcept {
  return std::visit([key](const auto& x) { return x.successor(key); },
                    get().impl);
}

std::vector<std::uint32_t> placement::replicated(std::string_view key,
                                                 std::size_t count) const {
  return std::visit([=](const auto& x) { return x.replicated(key, count); },
                    get().impl);
}

std::uint64_t placement::digest() const noexcept {
  return get().digest;
}

placement placement::without(std::string_view id) const {
  const auto index = index_of(id);
  if (!index)
    return *this;
  auto rest = members();
  rest.erase(rest.begin() + *index);
  return placement{std::move(rest), options()};
}

} // namespace galaxycache
