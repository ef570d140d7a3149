// An application with a configuration and an actor of its own, which keeps what
// it looks up in a galaxy.
//
//     example_embed                    asks for a few prices
//     example_embed --serve            asks for those on standard input
//     example_embed --galaxycache.listen=... --galaxycache.peers=...

#include "galaxycache/actors/app_options.hpp"
#include "galaxycache/galaxycache.hpp"
#include "galaxycache/runtime/caf/startup.hpp"

#include <caf/scoped_actor.hpp>

#include <iostream>

using namespace galaxycache;

// Loads CAF's middleman and has its heartbeats on, as galaxycache::config does.
class shop_config : public galaxycache::config {
public:
  shop_config() {
    add_options(*this);
    set("galaxycache.self", "shop-1"); // unless the command line says otherwise
    opt_group{custom_options_, "global"}.add(serve, "serve",
                                             "ask for standard input's items");
  }

  bool serve = false;
};

// What is slow to ask for. It may block: the galaxy runs it on its own threads.
load_result look_up_price(std::string_view item) {
  std::cout << "looking up " << item << std::endl;
  if (item == "pen")
    return value::copy("3.20");
  return errc::not_found;
}

// An actor of the application's: answers a customer with a price.
caf::behavior clerk(caf::event_based_actor* self, galaxy prices) {
  return {
    [=](const std::string& item) -> caf::result<std::string> {
      auto customer = self->make_response_promise<std::string>();
      prices.get(self, item)
        .then(
          [=](const answer& x) mutable {
            customer.deliver(x.found()
                               ? item + " costs " + std::string{x.bytes()}
                               : "no " + item + " here");
          },
          [=](const caf::error& why) mutable {
            customer.deliver("ask later: " + describe(why));
          });
      return customer;
    },
  };
}

void run(caf::actor_system& system, const shop_config& cfg) {
  auto options = options_from(cfg);
  universe here{system, options.universe};
  if (!options.peers.empty())
    here.set_peers(options.peers);
  auto prices = here.add_galaxy("prices", 16 << 20,
                                backend::function(look_up_price));
  auto seller = system.spawn(clerk, prices);
  caf::scoped_actor customer{system};
  auto order = [&](const std::string& item) {
    request(customer.ptr(), seller, item)
      .receive([](const std::string& text) { std::cout << text << std::endl; },
               [](const caf::error& why) {
                 std::cout << describe(why) << std::endl;
               });
  };
  if (cfg.serve)
    for (std::string item; std::getline(std::cin, item);)
      order(item);
  else
    for (auto item : {"pen", "pen", "book"})
      order(item);
  caf::anon_send_exit(seller, caf::exit_reason::user_shutdown);
}

int main(int argc, char** argv) {
  shop_config cfg;
  if (auto wrong = cfg.parse(argc, argv)) {
    std::cerr << describe(wrong) << '\n';
    return 2;
  }
  if (printed_help(cfg))
    return 0;
  caf::actor_system system{cfg};
  try {
    run(system, cfg);
  } catch (const galaxycache::exception& wrong) {
    std::cerr << wrong.what() << '\n';
    return 2;
  }
}
