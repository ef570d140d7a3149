#include "galaxycache/testing/script.hpp"

#include "galaxycache/runtime/caf/actor.hpp"

#include <caf/event_based_actor.hpp>

#include <map>

namespace galaxycache::testing {

using std::chrono::nanoseconds;

// -- the book -----------------------------------------------------------------

void script_book::follow(cluster::backend_script f) {
  std::lock_guard guard{mutex};
  script = std::move(f);
}

std::pair<std::size_t, cluster::backend_script>
script_book::begin(backend_call x) {
  std::lock_guard guard{mutex};
  calls.push_back(std::move(x));
  return {first + calls.size() - 1, script};
}

void script_book::end(std::size_t number, mono_time now,
                      const load_result& result) {
  std::lock_guard guard{mutex};
  if (number < first)
    return; // forgotten meanwhile
  auto& x = calls[number - first];
  x.ended = now;
  x.result = result;
}

void script_book::forget() {
  std::lock_guard guard{mutex};
  first += calls.size();
  calls.clear();
}

// -- the backend --------------------------------------------------------------

namespace {

/// A backend that follows the script.
class scripted {
public:
  static inline const char* name = "galaxycache.testing.backend";

  caf::behavior start(caf::event_based_actor* self, backend_setup setup) {
    self_ = self;
    setup_ = std::move(setup);
    harden(self, [](std::exception_ptr& thrown) {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& why) {
        return make_error({errc::backend_failed, why.what()});
      } catch (...) {
        return make_error({errc::backend_failed, "unknown"});
      }
    });
    return {
      [this](load_atom, const std::string& key) { return load(key); },
      [this](flush_atom) { answer_due(); },
    };
  }

private:
  using promise = caf::typed_response_promise<loaded>;

  struct owed {
    promise to;
    std::size_t call = 0;
    load_result result;
  };

  caf::result<loaded> load(const std::string& key) {
    auto now = setup_.time->now();
    auto [call, script] = setup_.book->begin(
      {setup_.node, setup_.galaxy, key, now, {}, errc::not_found});
    reaction wanted;
    try {
      if (script)
        wanted = script(setup_.node, setup_.galaxy, key);
    } catch (const std::exception& thrown) {
      wanted = {reaction::kind::fail, thrown.what()};
    }
    owed x{self_->make_response_promise<loaded>(), call, {}};
    auto to = x.to;
    if (wanted.what == reaction::kind::never) {
      never_.push_back(std::move(x));
      return to;
    }
    x.result = result_of(key, wanted);
    if (wanted.after <= nanoseconds{0}) {
      deliver(std::move(x));
      return to;
    }
    auto due = now + wanted.after;
    due_.emplace(due, std::move(x));
    setup_.time->call_at(due, [weak
                               = caf::actor_cast<caf::weak_actor_ptr>(self_)] {
      if (auto strong = weak.lock())
        post(caf::actor_cast<caf::actor>(strong), flush_atom_v);
    });
    return to;
  }

  load_result result_of(const std::string& key, const reaction& wanted) {
    auto expiry = wanted.lifetime > nanoseconds{0}
                    ? setup_.time->wall_now() + wanted.lifetime
                    : never_expires;
    switch (wanted.what) {
      case reaction::kind::not_found:
        return errc::not_found;
      case reaction::kind::fail:
        return failure{errc::backend_failed, wanted.text};
      case reaction::kind::large:
        return loaded{value::take(std::string(wanted.bytes, 'x')), expiry};
      default:
        return loaded{value::copy(wanted.text.empty() ? "value of " + key
                                                      : wanted.text),
                      expiry};
    }
  }

  void deliver(owed x) {
    setup_.book->end(x.call, setup_.time->now(), x.result);
    if (x.result.found())
      x.to.deliver(std::move(x.result.content()));
    else
      x.to.deliver(make_error(x.result.error()));
  }

  void answer_due() {
    while (!due_.empty() && due_.begin()->first <= setup_.time->now()) {
      auto next = due_.extract(due_.begin());
      deliver(std::move(next.mapped()));
    }
  }

  caf::event_based_actor* self_ = nullptr;
  backend_setup setup_;
  std::multimap<mono_time, owed> due_;
  std::vector<owed> never_;
};

caf::behavior scripted_backend(caf::stateful_actor<scripted>* self,
                               backend_setup setup) {
  return state_of(self).start(self, std::move(setup));
}

} // namespace

caf::actor spawn_backend(caf::actor_system& system, backend_setup setup) {
  return system.spawn<caf::hidden>(scripted_backend, std::move(setup));
}

} // namespace galaxycache::testing
