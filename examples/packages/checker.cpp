#include "checker.hpp"

#include <cstdlib>
#include <iostream>
#include <utility>

namespace packages {

checker::checker(const std::filesystem::path& database,
                 std::shared_ptr<reporter> out)
  : reader_{database},
    out_{std::move(out)},
    thread_{[this] { run(); }} {}

checker::~checker() {
  {
    std::lock_guard guard{mutex_};
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void checker::push(finished_walk walk) {
  {
    std::lock_guard guard{mutex_};
    walks_.push_back(std::move(walk));
  }
  changed_.notify_one();
}

void checker::run() {
  try {
    for (;;) {
      std::unique_lock guard{mutex_};
      changed_.wait(guard, [this] { return ending_ || !walks_.empty(); });
      if (walks_.empty())
        return;
      auto walk = std::move(walks_.front());
      walks_.pop_front();
      guard.unlock();
      check(walk);
    }
  } catch (const std::exception& e) {
    // Without its database the node is of no use; the driver sees it die.
    std::cerr << "packages: cannot compare: " << e.what() << '\n';
    std::_Exit(EXIT_FAILURE);
  }
}

void checker::check(const finished_walk& walk) {
  auto found = json::array();
  auto absent = json::array();
  for (auto& [key, stanza] : walk.outcomes) {
    auto expected = reader_.find(key);
    if (expected.has_value() != stanza.has_value()
        || (expected && *expected != stanza->bytes()))
      out_->wrong(key);
    if (known_.insert(key).second)
      (stanza ? found : absent).push_back(key);
  }
  out_->say_with_figures("walked", {{"item", walk.item},
                                    {"found", std::move(found)},
                                    {"absent", std::move(absent)}});
}

} // namespace packages
