// An application with messages, a configuration and actors of its own.

#include <galaxycache/actors/app_options.hpp>
#include <galaxycache/galaxycache.hpp>
#include <galaxycache/runtime/caf/serialize.hpp>
#include <galaxycache/runtime/caf/startup.hpp>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>

#include <iostream>
#include <string>

struct dish {
  std::string name;
  std::uint32_t guests = 0;
};

template <class Inspector>
auto inspect(Inspector& f, dish& x) {
  return galaxycache::object(f, x, "dish", galaxycache::field("name", x.name),
                             galaxycache::field("guests", x.guests));
}

CAF_BEGIN_TYPE_ID_BLOCK(kitchen, first_custom_type_id)

  CAF_ADD_TYPE_ID(kitchen, (dish))

CAF_END_TYPE_ID_BLOCK(kitchen)

namespace {

struct kitchen_config : caf::actor_system_config {
  kitchen_config() {
    galaxycache::announce_to<caf::id_block::kitchen>(*this);
    galaxycache::add_message_types(*this);
    galaxycache::add_options(*this);
    load<caf::io::middleman>();
  }
};

caf::behavior cook(caf::event_based_actor* self, galaxycache::galaxy recipes) {
  return {
    [=](const dish& ordered) -> caf::result<std::string> {
      auto waiter = self->make_response_promise<std::string>();
      auto guests = std::to_string(ordered.guests);
      recipes.get(self, ordered.name)
        .then(
          [=](const galaxycache::answer& x) mutable {
            waiter.deliver(guests + " times " + std::string{x.bytes()});
          },
          [=](const caf::error& why) mutable { waiter.deliver(why); });
      return waiter;
    },
  };
}

} // namespace

int main(int argc, char** argv) {
  galaxycache::init();
  galaxycache::announce<caf::id_block::kitchen>();
  kitchen_config cfg;
  if (auto wrong = cfg.parse(argc, argv)) {
    std::cerr << galaxycache::describe(wrong) << '\n';
    return 2;
  }
  if (galaxycache::printed_help(cfg))
    return 0;
  try {
    caf::actor_system system{cfg};
    auto options = galaxycache::options_from(cfg);
    options.universe.verbosity = galaxycache::log_level::error;
    galaxycache::universe here{system, options.universe};
    auto recipes = here.add_galaxy(
      "recipes", 1 << 20,
      galaxycache::backend::function([](std::string_view name) {
        std::cout << "looking up " << name << '\n';
        return galaxycache::value::take("a recipe for " + std::string{name});
      }));
    auto chef = system.spawn(cook, recipes);
    caf::scoped_actor self{system};
    for (std::uint32_t guests : {2, 3})
      galaxycache::request(self.ptr(), chef, dish{"soup", guests})
        .receive([](const std::string& text) { std::cout << text << '\n'; },
                 [](const caf::error& why) {
                   std::cout << galaxycache::describe(why) << '\n';
                 });
    caf::anon_send_exit(chef, caf::exit_reason::user_shutdown);
  } catch (const galaxycache::exception& wrong) {
    std::cerr << wrong.what() << '\n';
    return 2;
  }
}
