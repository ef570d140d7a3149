// The test kit itself, and what doc/testing.md shows of it.

#include "galaxycache/runtime/caf/actor.hpp"
#include "galaxycache/testing/cluster.hpp"

#include <caf/event_based_actor.hpp>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::testing;
using namespace std::chrono_literals;

namespace galaxycache {

std::ostream& operator<<(std::ostream& out, hit_level level) {
  return out << to_string(level);
}

namespace testing {

std::ostream& operator<<(std::ostream& out, world kind) {
  const char* names[] = {"simulated", "threads", "sockets"};
  return out << names[static_cast<std::size_t>(kind)];
}

} // namespace testing

} // namespace galaxycache

namespace {

// Real threads and sockets do the same as simulated ones.
const std::vector<world> worlds{world::simulated, world::threads,
                                world::sockets};

// -- what doc/testing.md tests ------------------------------------------------

// An actor of an application: tells a customer the price of an item.
caf::behavior clerk(caf::event_based_actor* self, galaxy prices) {
  return {
    [=](const std::string& item) -> caf::result<std::string> {
      auto customer = self->make_response_promise<std::string>();
      prices.get(self, item, {.timeout = 2s})
        .then(
          [=](const answer& x) mutable {
            customer.deliver(x.found() ? std::string{x.bytes()}
                                       : "no such item");
          },
          [=](const caf::error&) mutable {
            customer.deliver(std::string{"ask later"});
          });
      return customer;
    },
  };
}

// Asks the clerk of node 0, and runs the cluster until he answers.
std::string ask(cluster& c, const caf::actor& clerk, const std::string& item) {
  auto said = std::make_shared<std::string>();
  c.system(0).spawn<caf::hidden>([=](caf::event_based_actor* self) {
    request(self, clerk, item)
      .then([=](const std::string& x) { *said = x; },
            [=](const caf::error& why) { *said = describe(why); });
  });
  c.advance_until([=] { return !said->empty(); }, 1min);
  return *said;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_kit)

BOOST_DATA_TEST_CASE(a_clerk_goes_on_selling_while_the_network_is_cut, worlds,
                     kind) {
  cluster c{{.nodes = 3, .seed = 42, .kind = kind}};
  c.add_galaxy("prices");
  c.script([](std::size_t, const std::string&, const std::string& item) {
    if (item == "pen" || item == "ink")
      return reaction{.text = "3.20", .after = 5ms};
    return reaction{.what = reaction::kind::not_found};
  });
  auto seller = c.system(0).spawn<caf::hidden>(clerk, c.galaxy_of(0, "prices"));

  // Whoever owns the pen, all is well.
  BOOST_TEST(ask(c, seller, "pen") == "3.20");
  BOOST_TEST(ask(c, seller, "unicorn") == "no such item");

  // Node 0 is alone: it looks everything up itself.
  c.cut(0, 1);
  c.cut(0, 2);
  BOOST_TEST(ask(c, seller, "ink") == "3.20");

  // Its backend hangs as well: the clerk answers all the same, in time.
  c.script([](std::size_t, const std::string&, const std::string&) {
    return reaction{.what = reaction::kind::never};
  });
  auto asked = c.now();
  BOOST_TEST(ask(c, seller, "paper") == "ask later");
  BOOST_TEST((c.now() - asked <= 2s + 1ms));

  // Everything heals.
  c.script(nullptr);
  c.heal();
  BOOST_TEST(c.settle());
  BOOST_TEST(ask(c, seller, "glue") == "value of glue");
  caf::anon_send_exit(seller, caf::exit_reason::user_shutdown);
}

BOOST_DATA_TEST_CASE(a_key_is_loaded_once_by_its_owner, worlds, kind) {
  cluster c{{.nodes = 3, .seed = 7, .kind = kind}};
  c.add_galaxy("things");
  for (std::size_t node = 0; node < 3; ++node) {
    auto got = c.get(node, "things", "key");
    BOOST_TEST(got.text() == "value of key");
    BOOST_TEST(got.answers == 1u);
  }
  BOOST_TEST(c.calls_so_far() == 1u);
  BOOST_TEST(c.call(0).key == "key");
}

BOOST_AUTO_TEST_CASE(the_same_seed_is_the_same_run) {
  auto hash_of = [](std::uint64_t seed) {
    cluster c{{.nodes = 4, .seed = seed}};
    c.add_galaxy("things");
    c.faults(0, 1, {.drop = 0.3, .delay_max = 5ms});
    for (int i = 0; i < 50; ++i)
      c.ask(static_cast<std::size_t>(i % 4), "things", std::to_string(i % 9));
    c.advance(10s);
    c.kill(2);
    for (int i = 0; i < 50; ++i)
      c.ask(static_cast<std::size_t>(i % 2), "things", std::to_string(i));
    c.advance(10s);
    BOOST_TEST(c.pending() == 0u);
    return c.trace_hash();
  };
  auto first = hash_of(1);
  BOOST_TEST(hash_of(1) == first);
  BOOST_TEST(hash_of(2) != first);
}

BOOST_DATA_TEST_CASE(backends_do_what_the_script_says, worlds, kind) {
  cluster c{{.nodes = 1, .kind = kind}};
  galaxy_options options;
  options.value_bytes_max = 100;
  c.add_galaxy("things", 1 << 20, options);
  auto next = [&](reaction x) {
    c.script(
      [x](std::size_t, const std::string&, const std::string&) { return x; });
    static int n = 0;
    return c.get(0, "things", std::to_string(n++));
  };
  using what = reaction::kind;
  BOOST_TEST(next({.text = "hello"}).text() == "hello");
  BOOST_TEST(next({.what = what::not_found}).ok());
  BOOST_TEST(!next({.what = what::not_found}).found());
  BOOST_TEST(
    (next({.what = what::fail, .text = "no"}).code == errc::backend_failed));
  c.script([](std::size_t, const std::string&, const std::string&) -> reaction {
    throw std::runtime_error{"oh"};
  });
  auto thrown = c.get(0, "things", "thrown");
  BOOST_TEST((thrown.code == errc::backend_failed));
  BOOST_TEST(thrown.reason.find("oh") != std::string::npos);
  BOOST_TEST(
    (next({.what = what::large, .bytes = 101}).code == errc::value_too_large));
  auto asked = c.now();
  BOOST_TEST((next({.what = what::never}).code == errc::deadline_exceeded));
  BOOST_TEST((c.now() - asked >= 5s));
  asked = c.now();
  BOOST_TEST(next({.after = 30ms}).found());
  BOOST_TEST((c.now() - asked == 30ms));
  BOOST_TEST(c.calls_so_far() == 8u);
  BOOST_TEST(c.calls().size() == 8u);
  c.forget();
  BOOST_TEST(c.calls().empty());
}

BOOST_DATA_TEST_CASE(values_expire_by_the_clock_of_their_node, worlds, kind) {
  cluster c{{.nodes = 1, .kind = kind}};
  c.add_galaxy("things");
  c.script([](std::size_t, const std::string&, const std::string&) {
    return reaction{.lifetime = 1min};
  });
  c.get(0, "things", "key");
  c.advance(59s);
  c.get(0, "things", "key");
  BOOST_TEST(c.calls_so_far() == 1u);
  c.skew(0, 1s);
  c.get(0, "things", "key");
  BOOST_TEST(c.calls_so_far() == 2u);
}

BOOST_DATA_TEST_CASE(nodes_come_and_go, worlds, kind) {
  cluster c{{.nodes = 3, .seed = 3, .kind = kind}};
  c.add_galaxy("things");
  c.kill(2);
  BOOST_TEST(!c.alive(2));
  BOOST_CHECK_THROW(c.get(2, "things", "key"), std::logic_error);
  BOOST_CHECK_THROW(c.kill(2), std::logic_error);
  BOOST_TEST(c.settle());
  BOOST_TEST((c.state_of(0, 2) == peer_state::down));
  c.restart(2);
  BOOST_CHECK_THROW(c.restart(2), std::logic_error);
  BOOST_TEST(c.settle());
  BOOST_TEST((c.state_of(0, 2) == peer_state::up));
  BOOST_TEST(c.get(2, "things", "key").found());
  c.stop(1);
  BOOST_TEST(c.settle());
  c.set_members(0, {0});
  BOOST_TEST(!c.state_of(0, 1).has_value());
  BOOST_TEST(c.get(0, "things", "key").found());
  BOOST_CHECK_THROW(c.get(0, "nothing", "key"), std::logic_error);
}

BOOST_DATA_TEST_CASE(a_frozen_node_is_silent_until_it_thaws, worlds, kind) {
  cluster c{{.nodes = 2, .seed = 5, .kind = kind}};
  c.add_galaxy("things");
  c.freeze(1);
  c.advance(4s);
  BOOST_TEST((c.state_of(0, 1) == peer_state::down));
  c.thaw(1);
  BOOST_TEST(c.settle());
  for (int i = 0; i < 20; ++i)
    BOOST_TEST(c.get(0, "things", std::to_string(i)).found());
}

BOOST_DATA_TEST_CASE(links_lose_double_and_delay_what_they_carry, worlds,
                     kind) {
  cluster c{{.nodes = 2, .seed = 11, .kind = kind}};
  c.add_galaxy("things");
  auto far = [&] {
    // A key of the other node.
    for (int i = 0;; ++i) {
      static int used = 0;
      auto key = std::to_string(used++);
      auto got = c.get(0, "things", key, {fetch_mode::regular, 3s});
      if (got.content.owner.bytes() == "node1")
        return got;
    }
  };
  BOOST_TEST(far().content.level == hit_level::peer);
  c.faults(0, 1, {.delay_min = 20ms, .delay_max = 20ms});
  auto slow = far();
  BOOST_TEST(slow.content.level == hit_level::peer);
  BOOST_TEST((slow.answered - slow.asked == 20ms));
  c.faults(0, 1, {.drop = 1});
  auto lost = far();
  BOOST_TEST(lost.content.level == hit_level::backend);
  BOOST_TEST((lost.answered - lost.asked >= 1s));
  c.heal();
  c.settle();
  c.faults(1, 0, {.duplicate = 1, .delay_max = 5ms, .reorder = true});
  for (int i = 0; i < 10; ++i) {
    auto got = far();
    BOOST_TEST(got.content.level == hit_level::peer);
    BOOST_TEST(got.text() == "value of " + got.key);
  }
}

BOOST_DATA_TEST_CASE(many_keys_are_asked_for_at_once, worlds, kind) {
  cluster c{{.nodes = 3, .seed = 13, .kind = kind}};
  c.add_galaxy("things");
  auto first = c.ask_many(1, "things", {"a", "b", "a"});
  c.run();
  BOOST_TEST(c.pending() == 0u);
  for (std::size_t i = 0; i < 3; ++i)
    BOOST_TEST(c.result(first + i).text()
               == "value of " + c.result(first + i).key);
  BOOST_TEST(c.calls_so_far() == 2u);
  for (std::size_t node = 0; node < 3; ++node)
    BOOST_TEST(c.accounts_exactly(node, "things"));
}

BOOST_DATA_TEST_CASE(a_cut_breaks_what_is_connected_until_it_heals, worlds,
                     kind) {
  cluster c{{.nodes = 3, .seed = 17, .kind = kind}};
  c.add_galaxy("things");
  c.cut(0, 1);
  c.run();
  // Both ends have noticed, and the third node has not.
  BOOST_TEST((c.state_of(0, 1) == peer_state::down));
  BOOST_TEST((c.state_of(1, 0) == peer_state::down));
  BOOST_TEST((c.state_of(0, 2) == peer_state::up));
  c.advance(10s);
  BOOST_TEST((c.state_of(0, 1) == peer_state::down));
  BOOST_TEST((c.state_of(2, 1) == peer_state::up));
  c.heal();
  BOOST_TEST(c.settle());
}

BOOST_DATA_TEST_CASE(gets_of_a_node_that_is_killed_are_over, worlds, kind) {
  cluster c{{.nodes = 3, .seed = 19, .kind = kind}};
  c.add_galaxy("things");
  c.script([](std::size_t, const std::string&, const std::string&) {
    return reaction{.what = reaction::kind::never};
  });
  for (std::size_t node = 0; node < 3; ++node)
    for (int i = 0; i < 10; ++i)
      c.ask(node, "things", std::to_string(node) + "-" + std::to_string(i));
  c.run();
  BOOST_TEST(c.pending() == 30u);
  c.kill(1);
  BOOST_TEST(c.pending() <= 20u);
  // The keys of the dead are looked up by those who asked for them.
  BOOST_TEST((c.state_of(0, 1) == peer_state::down));
  BOOST_TEST((c.state_of(2, 1) == peer_state::down));
  c.script(nullptr);
  c.restart(1);
  BOOST_TEST(c.settle());
  c.advance(10s);
  BOOST_TEST(c.pending() == 0u);
  BOOST_TEST(c.get(1, "things", "new").found());
}

BOOST_DATA_TEST_CASE(time_moves_no_faster_than_what_it_sets_off, worlds, kind) {
  cluster c{{.nodes = 3, .seed = 23, .kind = kind}};
  c.add_galaxy("things");
  // Heartbeats, their answers, and gets at their side.
  for (int i = 0; i < 20; ++i) {
    auto id = c.ask(static_cast<std::size_t>(i) % 3, "things",
                    std::to_string(i));
    auto asked = c.now();
    c.advance(500ms);
    BOOST_TEST((c.result(id).answered == asked));
  }
  for (std::size_t at = 0; at < 3; ++at)
    for (std::size_t of = 0; of < 3; ++of)
      if (at != of)
        BOOST_TEST((c.state_of(at, of) == peer_state::up));
}

BOOST_AUTO_TEST_CASE(nodes_on_sockets_have_systems_of_their_own) {
  cluster c{{.nodes = 2, .kind = world::sockets}};
  BOOST_TEST((&c.system(0) != &c.system(1)));
  BOOST_TEST((c.system(0).node() != c.system(1).node()));
  BOOST_CHECK_THROW(c.system(), std::logic_error);
  c.kill(1);
  BOOST_CHECK_THROW(c.system(1), std::logic_error);
  cluster d{{.nodes = 2, .kind = world::threads}};
  BOOST_TEST((&d.system(0) == &d.system()));
  BOOST_TEST((&d.system(1) == &d.system()));
  network of_many_systems{nullptr, 1};
  BOOST_CHECK_THROW(of_many_systems.join("a"), exception);
}

BOOST_AUTO_TEST_SUITE_END()
