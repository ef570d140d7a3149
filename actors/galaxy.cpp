#include "galaxycache/actors/galaxy.hpp"

#include "galaxycache/actors/core.hpp"

namespace galaxycache {

galaxy::galaxy(std::shared_ptr<galaxy_core> core, galaxy_actor actor)
  : core_(std::move(core)),
    actor_(std::move(actor)) {
  // nop
}

const std::string& galaxy::name() const noexcept {
  return core_->name;
}

std::optional<answer> galaxy::find(std::string_view key) const {
  auto known = core_->answer_at_once(core_->cell_of(key), key,
                                     fetch_mode::peek);
  auto* held = known ? std::get_if<answer>(&*known) : nullptr;
  if (held == nullptr || !held->found())
    return std::nullopt;
  return std::move(*held);
}

std::variant<answer, failure, galaxy::way_on>
galaxy::begin(std::string_view key, const get_options& options) const {
  using outcome = std::variant<answer, failure, way_on>;
  auto& cell = core_->cell_of(key);
  if (auto known = core_->answer_at_once(cell, key, options.mode))
    return std::visit([](auto& x) { return outcome{std::move(x)}; }, *known);
  auto entrance = core_->admit(cell);
  if (auto* why = std::get_if<failure>(&entrance))
    return std::move(*why);
  auto& way = std::get<std::shared_ptr<const cache_entrance>>(entrance);
  return way_on{way->cache,
                {options.mode, core_->deadline_for(options), false}};
}

galaxy_stats galaxy::stats() const {
  return core_->stats();
}

} // namespace galaxycache
