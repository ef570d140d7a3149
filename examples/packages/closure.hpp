#pragma once

#include "database.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace packages {

/// The walk of one package's dependency closure, breadth first: says which
/// keys to get and is told the answers, in any order. Resolves naively: of
/// `a | b` it takes a, b if there is no a, and if there is neither the package
/// that provides one of them. What it finds does not depend on the order of
/// the answers.
class closure {
public:
  closure(std::string root, std::shared_ptr<const provider_table> providers);

  /// The next key to get, each once; none: wait for answers, or all is done.
  std::optional<std::string> next();

  bool has_next() const {
    return !ready_.empty();
  }

  void found(const std::string& key, std::string_view stanza);

  void absent(const std::string& key);

private:
  // A dependency to meet with the first of these names that has a record.
  struct wish {
    std::vector<std::string> names;
    size_t next = 0;
    bool asked_providers = false;
  };

  enum class outcome { pending, found, absent };

  struct entry {
    outcome state = outcome::pending;
    // What depends on the answer; empty unless pending.
    std::vector<wish> waiting;
  };

  void pursue(wish w);

  void add_providers(wish& w) const;

  std::shared_ptr<const provider_table> providers_;
  std::unordered_map<std::string, entry> entries_;
  std::deque<std::string> ready_;
};

} // namespace packages
