#include "work.hpp"

#include <algorithm>
#include <utility>

namespace packages {

work::work(std::vector<std::string> roots, size_t nodes, size_t rounds)
  : roots_{std::move(roots)},
    shares_(nodes),
    total_{roots_.size() * rounds} {
  for (size_t item = 0; item < total_; ++item) {
    auto round = item / roots_.size();
    auto node = (item % roots_.size() + round) % nodes;
    shares_[node].waiting.push_back(item);
  }
}

std::optional<size_t> work::take(size_t node) {
  auto waiting = [](const share& s) {
    return s.present ? s.waiting.size() : 0;
  };
  auto from = &shares_[node];
  if (from->waiting.empty())
    from = &*std::max_element(shares_.begin(), shares_.end(),
                              [&](const share& lhs, const share& rhs) {
                                return waiting(lhs) < waiting(rhs);
                              });
  if (waiting(*from) == 0)
    return std::nullopt;
  auto item = from->waiting.front();
  from->waiting.pop_front();
  shares_[node].outstanding.insert(item);
  return item;
}

void work::finish(size_t node, size_t item) {
  done_ += shares_[node].outstanding.erase(item);
}

void work::leave(size_t node) {
  shares_[node].present = false;
  auto heir = node;
  for (auto item : std::exchange(shares_[node].outstanding, {})) {
    do
      heir = (heir + 1) % shares_.size();
    while (!shares_[heir].present);
    shares_[heir].waiting.push_front(item);
  }
}

void work::join(size_t node) {
  shares_[node].present = true;
}

bool work::stuck() const {
  return done_ < total_
         && std::all_of(shares_.begin(), shares_.end(), [](const share& s) {
              return s.outstanding.empty() && (!s.present || s.waiting.empty());
            });
}

} // namespace packages
