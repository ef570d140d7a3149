// Members of a ring in processes of their own, over TCP: what one notices of
// another's death, and who answers meanwhile.

#include "fixtures/ledger.hpp"
#include "fixtures/node.hpp"
#include "fixtures/waiting.hpp"

#include "galaxycache/galaxycache.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <thread>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

/// Fails the test if a process is left over.
struct no_leftovers {
  ~no_leftovers() {
    BOOST_TEST(!has_children());
  }
};

/// How nodes begin to connect to each other.
enum class meeting { one_by_one, all_at_once };

/// Three nodes that know each other.
struct trio {
  explicit trio(temper mood = temper::patient,
                meeting how = meeting::one_by_one)
    : a("a", mood),
      b("b", mood),
      c(std::make_unique<node>("c", mood)) {
    ring = ring_of({&a, &b, c.get()});
    for (auto* each : {&a, &b, c.get()}) {
      each->set_peers(ring);
      if (how == meeting::one_by_one)
        await_all_at(*each, "up");
    }
    await_all("up");
  }

  /// Waits until all nodes think so of all others.
  void await_all(const std::string& state) {
    for (auto* each : {&a, &b, c.get()})
      await_all_at(*each, state);
  }

  void await_all_at(node& each, const std::string& state) {
    for (auto& other : ring)
      if (other.id != each.id())
        await_state(each, other.id, state);
  }

  void await_state(node& each, const std::string& id,
                   const std::string& state) {
    try {
      eventually([&] { return each.state_of(id) == state; });
    } catch (...) {
      BOOST_TEST_MESSAGE(each.id() << " thinks that " << id << " is "
                                   << each.state_of(id));
      for (auto* x : {&a, &b, c.get()})
        BOOST_TEST_MESSAGE("log of " << x->id() << ":\n" << x->log());
      throw;
    }
  }

  std::vector<std::string> keys_of(const std::string& owner, std::size_t count,
                                   const std::string& prefix) const {
    return fixtures::keys_of(ring, owner, count, prefix);
  }

  no_leftovers watch; // destroyed last
  node a;
  node b;
  std::unique_ptr<node> c;
  std::vector<peer_info> ring;
};

void check_value(const node_answer& got, const std::string& key) {
  BOOST_TEST(got.code == errc::none, got.text);
  BOOST_TEST(got.text == "value of " + key);
}

/// All of these keys come from a backend, the asker's own or the successor's.
void check_stand_in(node& asker, const std::vector<std::string>& keys) {
  for (auto& key : keys) {
    auto got = asker.get(key);
    check_value(got, key);
    auto stood_in = got.level == hit_level::backend || got.owner != "c";
    BOOST_TEST(stood_in);
  }
}

/// All of these keys come from their owner.
void check_owner(node& asker, const std::vector<std::string>& keys) {
  for (auto& key : keys) {
    auto got = asker.get(key);
    check_value(got, key);
    BOOST_TEST(got.level == hit_level::peer);
  }
}

/// A key that nobody has asked for yet comes from its owner; eventually,
/// because until its connection stands others answer.
void await_owner(trio& ring, node& asker, const std::string& owner) {
  static int round = 0;
  eventually([&] {
    auto key = ring.keys_of(owner, 1, "round" + std::to_string(++round) + "-");
    auto got = asker.get(key.front());
    check_value(got, key.front());
    return got.level == hit_level::peer;
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(processes)

// CAF's middleman must not be held on to by what dials and probes.
BOOST_AUTO_TEST_CASE(a_system_may_go_before_its_universe_whatever_is_dialled) {
  node other{"other"};
  for (auto listens : {true, false})
    for (auto delay : {0ms, 2ms, 4ms, 6ms, 8ms, 300ms}) {
      config cfg;
      std::optional<caf::actor_system> system;
      system.emplace(cfg);
      universe_options options;
      options.self = "here";
      options.listen = listens ? "caf://127.0.0.1:0" : "";
      options.verbosity = log_level::off;
      universe here{*system, options};
      here.set_peers({{"other", other.uri()}});
      std::this_thread::sleep_for(delay);
      system.reset();
      BOOST_TEST(here.actors_alive() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(three_nodes_load_each_key_once_and_answer_each_other) {
  trio ring;
  node* nodes[] = {&ring.a, &ring.b, ring.c.get()};
  for (auto* owner : nodes) {
    for (auto& key : ring.keys_of(owner->id(), 20, "key")) {
      for (auto* asker : nodes) {
        auto got = asker->get(key);
        check_value(got, key);
        if (got.level != hit_level::main && got.level != hit_level::hot)
          BOOST_TEST(got.owner == owner->id());
      }
      for (auto* each : nodes)
        BOOST_TEST(each->loads_of(key) == (each == owner ? 1u : 0u));
    }
  }
}

BOOST_AUTO_TEST_CASE(gets_of_a_killed_node_are_answered_and_it_is_known_dead) {
  trio ring;
  check_owner(ring.a, ring.keys_of("c", 3, "before"));
  ring.c->kill();
  check_stand_in(ring.a, ring.keys_of("c", 3, "after"));
  for (auto* each : {&ring.a, &ring.b})
    eventually([&] { return each->state_of("c") == "down"; });
  check_stand_in(ring.b, ring.keys_of("c", 3, "later"));
  check_owner(ring.a, ring.keys_of("b", 3, "other"));
  BOOST_TEST(ring.a.log().find("peer c at " + ring.ring[2].uri + " is down: ")
             != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_get_that_waits_for_a_node_survives_its_death) {
  trio ring;
  auto key = ring.keys_of("c", 1, "key").front();
  ring.c->hold();
  ring.a.begin_get(key);
  eventually([&] { return ring.c->held() == 1; });
  ring.c->kill();
  auto got = ring.a.finish_get();
  check_value(got, key);
}

BOOST_AUTO_TEST_CASE(gets_of_a_frozen_node_are_answered_until_it_comes_back) {
  trio ring{temper::nervous};
  ring.c->freeze();
  // Neither before anybody has noticed, nor after.
  check_stand_in(ring.a, ring.keys_of("c", 2, "unnoticed"));
  for (auto* each : {&ring.a, &ring.b})
    eventually([&] { return each->state_of("c") == "down"; });
  check_stand_in(ring.a, ring.keys_of("c", 3, "noticed"));
  auto files = ring.a.open_files();
  ring.c->thaw();
  ring.await_all("up");
  await_owner(ring, ring.a, "c");
  await_owner(ring, *ring.c, "a");
  BOOST_TEST(ring.a.open_files() <= files + 8);
}

BOOST_AUTO_TEST_CASE(trying_to_reach_a_frozen_node_costs_no_files) {
  trio ring{temper::nervous};
  ring.c->freeze();
  eventually([&] { return ring.a.state_of("c") == "down"; });
  auto files = ring.a.open_files();
  // Until CAF has given up the connection, too, and for many attempts more.
  auto until = std::chrono::steady_clock::now() + 5s;
  eventually([&] { return std::chrono::steady_clock::now() > until; });
  BOOST_TEST(ring.a.state_of("c") == "down");
  BOOST_TEST(ring.a.open_files() <= files + 4);
  ring.c->thaw();
  ring.await_all("up");
}

BOOST_AUTO_TEST_CASE(a_node_that_restarts_elsewhere_is_used_once_we_are_told) {
  trio ring;
  ring.c->kill();
  ring.c = std::make_unique<node>("c");
  ring.ring = ring_of({&ring.a, &ring.b, ring.c.get()});
  ring.a.add_peer(ring.ring[2]);
  ring.b.set_peers(ring.ring);
  ring.c->set_peers(ring.ring);
  ring.await_all("up");
  for (auto* each : {&ring.a, &ring.b})
    check_owner(*each, ring.keys_of("c", 3, each->id()));
}

BOOST_AUTO_TEST_CASE(a_node_that_restarts_in_its_place_is_used_again) {
  trio ring;
  check_owner(ring.a, ring.keys_of("c", 3, "before"));
  auto where = ring.c->uri();
  ring.c->kill();
  ring.c = std::make_unique<node>("c", temper::patient, where);
  BOOST_TEST(ring.c->uri() == where);
  ring.c->set_peers(ring.ring);
  ring.await_all("up");
  for (auto* each : {&ring.a, &ring.b})
    check_owner(*each, ring.keys_of("c", 3, each->id()));
}

BOOST_AUTO_TEST_CASE(a_node_that_stops_in_order_is_known_to_be_gone) {
  trio ring;
  check_owner(ring.a, ring.keys_of("c", 3, "before"));
  ring.c->stop();
  check_stand_in(ring.a, ring.keys_of("c", 3, "after"));
  eventually([&] { return ring.a.state_of("c") == "down"; });
  BOOST_TEST(ring.c->leave() == 0);
  check_stand_in(ring.b, ring.keys_of("c", 3, "later"));
  // The others need not be told.
  check_owner(ring.a, ring.keys_of("b", 3, "other"));
}

BOOST_AUTO_TEST_CASE(a_node_restarts_in_its_place_after_stopping_in_order) {
  trio ring;
  auto where = ring.c->uri();
  ring.c->stop();
  BOOST_TEST(ring.c->leave() == 0);
  ring.c = std::make_unique<node>("c", temper::patient, where);
  ring.c->set_peers(ring.ring);
  ring.await_all("up");
  check_owner(ring.a, ring.keys_of("c", 3, "after"));
}

BOOST_AUTO_TEST_CASE(nodes_are_found_by_name_and_by_either_kind_of_address) {
  for (auto* address : {"caf://localhost:0", "caf://[::1]:0"}) {
    no_leftovers watch;
    std::unique_ptr<node> a;
    try {
      a = std::make_unique<node>("a", temper::patient, address);
    } catch (const std::runtime_error&) {
      BOOST_TEST_MESSAGE("this machine has no " << address);
      continue;
    }
    node b{"b", temper::patient, address};
    auto ring = ring_of({a.get(), &b});
    a->set_peers(ring);
    eventually([&] { return a->state_of("b") == "up"; });
    check_owner(*a, fixtures::keys_of(ring, "b", 3));
  }
}

BOOST_AUTO_TEST_CASE(members_may_have_odd_names) {
  no_leftovers watch;
  node a{"a b \xff\xfe %s 'quoted'"};
  node b{std::string(1000, 'b')};
  auto ring = ring_of({&a, &b});
  a.set_peers(ring);
  eventually([&] { return a.state_of(b.id()) == "up"; });
  b.set_peers(ring);
  eventually([&] { return b.state_of(a.id()) == "up"; });
  check_owner(a, fixtures::keys_of(ring, b.id(), 3));
  check_owner(b, fixtures::keys_of(ring, a.id(), 3));
}

BOOST_AUTO_TEST_CASE(nodes_that_start_at_once_find_each_other) {
  // Each pair may connect twice. CAF may then close both connections, one at
  // each end, and lose what was said on them, without saying so.
  for (int round = 0; round < 10; ++round) {
    trio ring{temper::nervous, meeting::all_at_once};
    await_owner(ring, ring.a, "b");
    await_owner(ring, *ring.c, "a");
  }
}

BOOST_AUTO_TEST_SUITE_END()
