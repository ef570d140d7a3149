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

std::variant<answer, failure, way_on>
galaxy::begin(std::string_view key, const get_options& options) const {
  return core_->begin(key, options);
}

galaxy_stats galaxy::stats() const {
  return core_->stats();
}

} // namespace galaxycache
