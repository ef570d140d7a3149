#include "closure.hpp"

#include "debian.hpp"

#include <utility>

namespace packages {

closure::closure(std::string root,
                 std::shared_ptr<const provider_table> providers)
  : providers_{std::move(providers)} {
  pursue(wish{{std::move(root)}});
}

std::optional<std::string> closure::next() {
  if (ready_.empty())
    return std::nullopt;
  auto key = std::move(ready_.front());
  ready_.pop_front();
  return key;
}

void closure::found(const std::string& key, std::string_view stanza) {
  auto& e = entries_[key];
  e.state = outcome::found;
  e.waiting.clear();
  for (auto& names : debian::dependencies(stanza)) {
    wish w;
    w.names.assign(names.begin(), names.end());
    pursue(std::move(w));
  }
}

void closure::absent(const std::string& key) {
  auto& e = entries_[key];
  e.state = outcome::absent;
  for (auto& w : std::exchange(e.waiting, {})) {
    ++w.next;
    pursue(std::move(w));
  }
}

void closure::pursue(wish w) {
  for (;; ++w.next) {
    if (w.next == w.names.size())
      add_providers(w);
    if (w.next == w.names.size())
      return; // nobody has it
    auto& name = w.names[w.next];
    auto [i, added] = entries_.try_emplace(name);
    if (i->second.state == outcome::found)
      return;
    if (i->second.state == outcome::pending) {
      if (added)
        ready_.push_back(name);
      i->second.waiting.push_back(std::move(w));
      return;
    }
  }
}

void closure::add_providers(wish& w) const {
  if (std::exchange(w.asked_providers, true))
    return;
  for (size_t i = 0, n = w.names.size(); i < n; ++i)
    if (auto p = providers_->find(w.names[i]); p != providers_->end())
      w.names.push_back(p->second);
}

} // namespace packages
