#include "galaxycache/testing/gets.hpp"

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/runtime/hash.hpp"

#include <caf/event_based_actor.hpp>

namespace galaxycache::testing {

// -- the book -----------------------------------------------------------------

std::size_t get_book::open(const galaxy& whom, const outcome& x,
                           const std::vector<std::string>& keys) {
  std::lock_guard guard{mutex_};
  auto id = first_ + gets_.size();
  for (auto& key : keys) {
    auto& added = gets_.emplace_back(entry{x, whom});
    added.result.key = key;
  }
  return id;
}

get_book::order get_book::take(std::size_t id) {
  std::lock_guard guard{mutex_};
  auto& x = gets_.at(id - first_);
  return {x.result, *std::exchange(x.whom, std::nullopt)};
}

void get_book::close(std::size_t id, mono_time now, const answer& content,
                     const failure& why) {
  std::function<void(const outcome&)> tell;
  outcome x;
  {
    std::lock_guard guard{mutex_};
    if (id < first_)
      return;
    auto& result = gets_.at(id - first_).result;
    if (++result.answers == 1) {
      ++over_;
      result.answered = now;
      result.content = content;
      result.code = why.code;
      result.reason = why.reason;
    }
    hash_ = mix64(hash_ ^ id)
            + hash64(content.bytes(), static_cast<std::uint64_t>(why.code))
            + static_cast<std::uint64_t>(now.time_since_epoch().count());
    tell = on_answer_;
    x = result;
  }
  if (tell)
    tell(x);
}

outcome get_book::result(std::size_t id) const {
  std::lock_guard guard{mutex_};
  return gets_.at(id - first_).result;
}

bool get_book::is_over(std::size_t id) const {
  std::lock_guard guard{mutex_};
  return gets_.at(id - first_).result.answers > 0;
}

std::size_t get_book::pending() const {
  std::lock_guard guard{mutex_};
  return gets_.size() - over_;
}

std::uint64_t get_book::hash() const {
  std::lock_guard guard{mutex_};
  return hash_;
}

void get_book::forget() {
  std::lock_guard guard{mutex_};
  while (!gets_.empty() && gets_.front().result.answers > 0) {
    gets_.pop_front();
    ++first_;
    --over_;
  }
}

void get_book::on_answer(std::function<void(const outcome&)> f) {
  std::lock_guard guard{mutex_};
  on_answer_ = std::move(f);
}

// -- the client ---------------------------------------------------------------

namespace {

caf::behavior client(caf::event_based_actor* self,
                     std::shared_ptr<get_book> book,
                     std::shared_ptr<clock> time) {
  harden(self, [](std::exception_ptr&) {
    return make_error({errc::internal_error, "a client crashed"});
  });
  return {
    [=](get_atom, std::uint64_t id) {
      auto x = book->take(id);
      x.whom.get(self, x.what.key, x.what.options)
        .then([=](const answer& a) { book->close(id, time->now(), a, {}); },
              [=](const caf::error& why) {
                book->close(id, time->now(), {}, failure_of(why));
              });
    },
    [=](get_atom, std::uint64_t first, std::uint64_t count) {
      std::vector<std::string> keys;
      std::optional<get_book::order> any;
      for (auto id = first; id < first + count; ++id) {
        any = book->take(id);
        keys.push_back(any->what.key);
      }
      if (!any)
        return;
      any->whom.get_many(self, std::move(keys), any->what.options)
        .then(
          [=](const std::vector<get_result>& all) {
            for (std::uint64_t i = 0; i < all.size(); ++i)
              book->close(first + i, time->now(), all[i].content,
                          {all[i].error, all[i].reason});
          },
          [=](const caf::error& why) {
            for (auto id = first; id < first + count; ++id)
              book->close(id, time->now(), {}, failure_of(why));
          });
    },
  };
}

} // namespace

caf::actor spawn_client(caf::actor_system& system,
                        std::shared_ptr<get_book> book,
                        std::shared_ptr<clock> time) {
  return system.spawn<caf::hidden>(client, std::move(book), std::move(time));
}

} // namespace galaxycache::testing
