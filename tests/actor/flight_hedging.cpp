// An owner that is slow gets company.

#include "fixtures/flight_rig.hpp"
#include "fixtures/scripted_peer.hpp"

#include <boost/test/unit_test.hpp>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

/// A rig whose keys all belong to one peer, which has a successor.
struct three_members {
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>();
  scripted_backend source{backend_kind::actor};
  flight_rig rig;
  scripted_peer owner{rig.system};
  scripted_peer other{rig.system};
  std::string key;

  explicit three_members(bool hedge = true)
    : rig(source, options(hedge), 1 << 20, time) {
    owner->react([](auto, auto&) { return value::take("the owner's"); });
    other->react([](auto, auto&) { return value::take("the other's"); });
    auto view = make_view({{"self", 0},
                           {"owner", 1, owner.handle()},
                           {"other", 1, other.handle()}});
    key = key_owned_by(*view, "owner");
    keys_ = view;
    rig.core->view.set(view);
  }

  static galaxy_options options(bool hedge) {
    galaxy_options result;
    result.hedge = hedge;
    result.promote = make_never_promoter();
    result.shards = 1;
    return result;
  }

  /// Fetches from an owner that takes a millisecond each.
  void get_used_to_it(std::size_t fetches) {
    for (std::size_t i = 0; i < fetches; ++i) {
      owner.hold();
      auto calls = owner->calls();
      rig.ask(key_owned_by(*keys_, "owner", i % 50 + 1));
      eventually([&] { return owner->calls() == calls + 1; });
      time->advance(1ms);
      rig.await_asked();
      owner.release();
      rig.await_answers();
      rig.await_rest();
    }
  }

  /// Asks for the key, of an owner that does not answer.
  void ask_in_vain() {
    owner.hold();
    auto calls = owner->calls();
    rig.ask(key);
    eventually([&] { return owner->calls() == calls + 1; });
    rig.await_asked();
  }

  /// The time passes, and the cache actor has noticed.
  void wait(std::chrono::nanoseconds x) {
    time->advance(x);
    rig.await_asked();
  }

  outcome last() {
    return rig.book->at(rig.book->size() - 1);
  }

  galaxy_stats stats() {
    return rig.shared->stats();
  }

private:
  std::shared_ptr<const ring_view> keys_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(flight_hedging)

BOOST_AUTO_TEST_CASE(the_successor_answers_for_a_slow_owner) {
  three_members all;
  all.get_used_to_it(120);
  BOOST_TEST(all.other->calls() == 0u);
  all.ask_in_vain();
  all.wait(4ms);
  eventually([&] { return all.other->calls() == 1; });
  auto wanted = all.other.last();
  BOOST_TEST(wanted.key == all.key);
  BOOST_TEST(wanted.gutter);
  BOOST_TEST((wanted.mode == fetch_mode::no_peer_backend));
  all.rig.await_answers();
  auto got = all.last().content;
  BOOST_TEST(got.bytes() == "the other's");
  BOOST_TEST(got.owner.bytes() == "other");
  BOOST_TEST((got.level == hit_level::peer));
  BOOST_TEST((got.expiry <= all.time->wall_now() + gutter_ttl_max));
  all.rig.await_rest();
  BOOST_TEST(all.stats().hedged_fetches == 1u);
  BOOST_TEST(all.stats().hedges_won == 1u);
  // The owner's answer comes to nobody.
  all.owner.release();
  BOOST_TEST(all.rig.get(all.key).first.bytes() == "the owner's");
  all.rig.await_rest();
}

BOOST_AUTO_TEST_CASE(an_owner_that_is_fast_after_all_wins) {
  three_members all;
  all.get_used_to_it(120);
  all.other.hold();
  all.ask_in_vain();
  all.wait(4ms);
  eventually([&] { return all.other->calls() == 1; });
  all.owner.release();
  all.rig.await_answers();
  BOOST_TEST(all.last().content.bytes() == "the owner's");
  all.rig.await_rest();
  BOOST_TEST(all.stats().hedged_fetches == 1u);
  BOOST_TEST(all.stats().hedges_won == 0u);
  all.other.release();
}

BOOST_AUTO_TEST_CASE(a_hedge_that_fails_changes_nothing) {
  three_members all;
  all.get_used_to_it(120);
  all.other->react([](auto, auto&) {
    return failure{errc::overloaded, "too many fetches wait"};
  });
  all.ask_in_vain();
  all.wait(4ms);
  eventually([&] { return all.other->calls() == 1; });
  all.rig.await_asked();
  BOOST_TEST(all.stats().waiters == 1u);
  all.owner.release();
  all.rig.await_answers();
  BOOST_TEST(all.last().content.bytes() == "the owner's");
  all.rig.await_rest();
}

BOOST_AUTO_TEST_CASE(an_owner_that_fails_is_made_up_for_though_hedged) {
  three_members all;
  all.get_used_to_it(120);
  all.other.hold();
  all.ask_in_vain();
  all.wait(4ms);
  eventually([&] { return all.other->calls() == 1; });
  all.owner->react([](auto, auto&) {
    return failure{errc::peer_failed, "the connection broke"};
  });
  all.owner.release();
  eventually([&] { return all.other->calls() == 2; }); // by the loader
  all.other.release();
  all.rig.await_answers();
  BOOST_TEST(all.last().content.bytes() == "the other's");
  all.rig.await_rest();
}

BOOST_AUTO_TEST_CASE(one_fetch_in_fifty_is_hedged_at_most) {
  three_members all;
  all.get_used_to_it(120); // allows two
  for (int i = 0; i < 5; ++i) {
    all.ask_in_vain();
    all.wait(4ms);
    all.rig.await_asked();
    all.owner.release();
    all.rig.await_answers();
    all.rig.await_rest();
  }
  BOOST_TEST(all.stats().hedged_fetches == 2u);
}

BOOST_AUTO_TEST_CASE(nobody_is_hedged_unless_told_to) {
  three_members all{false};
  all.get_used_to_it(120);
  all.ask_in_vain();
  all.wait(500ms);
  BOOST_TEST(all.other->calls() == 0u);
  all.owner.release();
  all.rig.await_answers();
  all.rig.await_rest();
}

BOOST_AUTO_TEST_SUITE_END()
