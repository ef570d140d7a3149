// Keys and values as C++ types: what codecs do, and what comes of it when they
// do not.

#include "galaxycache/actors/typed_galaxy.hpp"

#include "fixtures/ledger.hpp"
#include "fixtures/waiting.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/network.hpp"
#include "galaxycache/runtime/protobuf_codec.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include <atomic>
#include <future>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

enum class form { function, in_place };

constexpr form both_forms[] = {form::function, form::in_place};

std::ostream& operator<<(std::ostream& out, form x) {
  return out << (x == form::function ? "function" : "in place");
}

/// A name. Its codec throws where it finds "throw", and refuses "refuse".
struct name {
  std::string text;

  friend bool operator==(const name&, const name&) = default;
};

/// The same of a key.
struct label {
  std::string text;
};

std::optional<std::string> checked(std::string_view text) {
  if (text.find("throw") != text.npos)
    throw std::runtime_error{"no thanks"};
  if (text.find("refuse") != text.npos)
    return std::nullopt;
  return std::string{text};
}

/// Has no default and cannot be copied.
struct heavy {
  explicit heavy(int x) : number(std::make_unique<int>(x)) {
    // nop
  }

  std::unique_ptr<int> number;
};

} // namespace

template <>
struct galaxycache::codec<name> {
  static value encode(name x) {
    return value::take(std::move(checked(x.text).value()));
  }

  static std::optional<name> decode(std::string_view bytes) {
    auto text = checked(bytes);
    return text ? std::optional{name{*text}} : std::nullopt;
  }
};

template <>
struct galaxycache::key_codec<label> {
  static std::string encode(const label& x) {
    return checked(x.text).value();
  }

  static std::optional<label> decode(std::string_view key) {
    return label{std::string{key}};
  }
};

template <>
struct galaxycache::codec<heavy> {
  static value encode(const heavy& x) {
    return codec<int>::encode(*x.number);
  }

  static std::optional<heavy> decode(std::string_view bytes) {
    auto number = codec<int>::decode(bytes);
    return number ? std::optional{heavy{*number}} : std::nullopt;
  }
};

namespace {

struct rig {
  rig() {
    options.self = "here";
    options.verbosity = log_level::off;
    here.emplace(system, options);
  }

  /// A galaxy of this function, run in this form.
  template <class Key, class Value, class F>
  typed_galaxy<Key, Value> add(form how, F f) {
    using source = typed_backend<Key, Value>;
    auto counted = [this, f](const Key& key) {
      ++loads;
      return f(key);
    };
    return add_typed_galaxy(*here, "things", 1 << 20,
                            how == form::function ? source::function(counted)
                                                  : source::in_place(counted));
  }

  /// Gets from a blocking actor.
  template <class Value, class Galaxy, class Key>
  typed_get_result<Value> get_from(const Galaxy& g, const Key& key) {
    typed_get_result<Value> result;
    result.error = errc::internal_error;
    caf::scoped_actor self{system};
    g.get(self, key).receive(
      [&](const typed_answer<Value>& x) {
        result.content = x;
        result.error = errc::none;
      },
      [&](const caf::error& why) {
        result.error = code_of(why);
        result.reason = describe(why);
      });
    return result;
  }

  template <class Key, class Value>
  typed_get_result<Value>
  get(const typed_galaxy<Key, Value>& g, const std::type_identity_t<Key>& key) {
    return get_from<Value>(g, key);
  }

  template <class Key, class Value>
  std::vector<typed_get_result<Value>>
  get_many(const typed_galaxy<Key, Value>& g, const std::vector<Key>& keys) {
    std::vector<typed_get_result<Value>> result;
    caf::scoped_actor self{system};
    g.get_many(self, keys)
      .receive(
        [&](const std::vector<typed_get_result<Value>>& xs) { result = xs; },
        [](const caf::error& why) { BOOST_FAIL(describe(why)); });
    return result;
  }

  config cfg;
  caf::actor_system system{cfg};
  universe_options options;
  std::atomic<int> loads = 0;
  std::optional<universe> here;
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(typed_galaxy)

BOOST_DATA_TEST_CASE(a_get_is_answered_with_a_typed_value, both_forms, how) {
  rig r;
  auto squares = r.add<int, long>(how, [](int key) -> std::optional<long> {
    if (key < 0)
      return std::nullopt;
    return long{key} * key;
  });
  BOOST_TEST(squares.name() == "things");
  auto got = r.get(squares, 12);
  BOOST_TEST(got.error == errc::none);
  BOOST_TEST(got.content.found());
  BOOST_TEST(got.content.data.value() == 144);
  BOOST_TEST(got.content.level == hit_level::backend);
  BOOST_TEST((got.content.expiry == never_expires));
  BOOST_TEST(got.content.owner.bytes() == "here");
  got = r.get(squares, 12);
  BOOST_TEST(got.content.data.value() == 144);
  BOOST_TEST(got.content.level == hit_level::main);
  got = r.get(squares, -1);
  BOOST_TEST(got.error == errc::none);
  BOOST_TEST(!got.content.found());
  BOOST_TEST(r.loads == 2);
}

BOOST_DATA_TEST_CASE(a_backend_may_say_all_that_an_untyped_one_may, both_forms,
                     how) {
  rig r;
  const wall_time expiry{std::chrono::hours{24 * 365 * 200}};
  auto names = r.add<std::string, name>(
    how, [expiry](const std::string& key) -> typed_load_result<name> {
      if (key == "nobody")
        return errc::not_found;
      if (key == "none")
        return std::nullopt;
      if (key == "no disk")
        return failure{errc::backend_failed, "no disk"};
      if (key == "exception")
        throw std::runtime_error{"thrown"};
      if (key == "mortal")
        return typed_loaded<name>{{"Socrates"}, expiry};
      return name{key};
    });
  BOOST_TEST(r.get(names, "Ada").content.data->text == "Ada");
  auto mortal = r.get(names, "mortal").content;
  BOOST_TEST(mortal.data->text == "Socrates");
  BOOST_TEST((mortal.expiry == expiry));
  for (auto key : {"nobody", "none"}) {
    auto got = r.get(names, key);
    BOOST_TEST(got.error == errc::none);
    BOOST_TEST(!got.content.found());
  }
  for (auto key : {"no disk", "exception"})
    BOOST_TEST(r.get(names, key).error == errc::backend_failed);
}

BOOST_AUTO_TEST_CASE(a_backend_may_ask_for_the_context_of_the_load) {
  rig r;
  auto g = add_typed_galaxy(*r.here, "things", 1 << 20,
                            typed_backend<int, int>::function(
                              [](const int& key, const load_context& context) {
                                return context.stop.stop_requested() ? -1 : key;
                              }));
  BOOST_TEST(r.get(g, 7).content.data.value() == 7);
}

BOOST_AUTO_TEST_CASE(event_based_actors_get_typed_values) {
  rig r;
  auto g = r.add<int, name>(form::function, [](int) { return name{"Ada"}; });
  auto seen = std::make_shared<std::promise<std::string>>();
  auto text = seen->get_future();
  r.system.spawn([g, seen](caf::event_based_actor* self) {
    g.get(self, 1).then(
      [=](const typed_answer<name>& first) {
        // From memory now, and so in place.
        auto told = std::make_shared<std::string>(first.data->text);
        g.get(self, 1).then(
          [told](const typed_answer<name>& x) { *told += x.data->text; },
          [](const caf::error&) {});
        seen->set_value(*told);
      },
      [=](const caf::error& why) { seen->set_value(describe(why)); });
  });
  BOOST_REQUIRE((text.wait_for(patience) == std::future_status::ready));
  BOOST_TEST(text.get() == "AdaAda");
}

BOOST_AUTO_TEST_CASE(keys_convert_as_far_as_they_lose_nothing) {
  rig r;
  using key = std::pair<std::string, std::uint64_t>;
  auto g = r.add<key, std::string>(form::in_place, [](const key& x) {
    return x.first + std::to_string(x.second);
  });
  caf::scoped_actor self{r.system};
  auto on_error = [](const caf::error& why) { BOOST_FAIL(describe(why)); };
  auto on_answer = [](const typed_answer<std::string>& x) {
    BOOST_TEST(x.data.value() == "de42");
  };
  g.get(self, {"de", 42}).receive(on_answer, on_error);
  g.get(self, std::pair{"de", 42}).receive(on_answer, on_error);
  g.get(self, std::pair{std::string_view{"de"}, 42L})
    .receive(on_answer, on_error);
  BOOST_TEST(g.visit({"de", 42}, on_answer));
  BOOST_TEST(g.find({"de", 42})->data.value() == "de42");
  BOOST_TEST(!g.find({"de", 43}));
  BOOST_TEST(!g.visit({"de", 43}, on_answer));
  BOOST_TEST(r.loads == 1);
}

BOOST_AUTO_TEST_CASE(others_may_ask_with_the_bytes_of_the_key) {
  rig r;
  auto g = r.add<std::pair<int, int>, int>(form::in_place, [](auto& key) {
    return key.first * key.second;
  });
  BOOST_TEST(r.get(g, {6, 7}).content.data.value() == 42);
  auto held = g.untyped().find(std::string_view{"\x06\0\x07\0", 4});
  BOOST_REQUIRE(held);
  BOOST_TEST(held->bytes() == "42");
  // What is not a key of this galaxy cannot be loaded.
  std::string why;
  caf::scoped_actor self{r.system};
  g.untyped()
    .get(self, "six")
    .receive([](const answer&) {},
             [&](const caf::error& x) { why = describe(x); });
  BOOST_TEST(contains(why, "a key of 3 bytes is not of the expected type"));
  BOOST_TEST(r.loads == 1);
}

BOOST_AUTO_TEST_CASE(values_need_neither_copies_nor_a_default) {
  rig r;
  auto g = r.add<int, heavy>(form::function, [](int x) { return heavy{x}; });
  caf::scoped_actor self{r.system};
  int seen = 0;
  for (int i = 0; i < 2; ++i)
    g.get(self, 3).receive(
      [&](const typed_answer<heavy>& x) { seen += *x.data->number; },
      [](const caf::error& why) { BOOST_FAIL(describe(why)); });
  BOOST_TEST(seen == 6);
  BOOST_TEST(*g.find(3)->data->number == 3);
}

BOOST_AUTO_TEST_CASE(handlers_need_no_copies) {
  rig r;
  auto g = r.add<int, name>(form::function, [](int key) {
    return name{key == 1 ? "Ada" : "unfit"};
  });
  struct raw {};
  auto results = std::make_shared<std::promise<int>>();
  auto sum = results->get_future();
  r.system.spawn([g, results](caf::event_based_actor* self) {
    auto count = std::make_shared<int>(0);
    auto add = [=](int x) {
      *count += x;
      if (*count == 101)
        results->set_value(*count);
    };
    g.get(self, 1).then(
      [add, one = std::make_unique<int>(1)](const typed_answer<name>&) {
        add(*one);
      },
      [add, bad = std::make_unique<int>(-1)](const caf::error&) { add(*bad); });
    // The value of this galaxy is no number.
    galaxycache::typed_galaxy<int, heavy> other{g.untyped()};
    other.get(self, 2).then([add, bad = std::make_unique<int>(-1)](
                              const typed_answer<heavy>&) { add(*bad); },
                            [add, many = std::make_unique<int>(100)](
                              const caf::error&) { add(*many); });
  });
  BOOST_REQUIRE((sum.wait_for(patience) == std::future_status::ready));
  BOOST_TEST(sum.get() == 101);
}

// -- codecs that fail ---------------------------------------------------------

BOOST_DATA_TEST_CASE(a_value_that_does_not_decode_stays_cached_for_others,
                     both_forms, how) {
  rig r;
  auto g = r.add<std::string, std::string>(how, [](const std::string& key) {
    return key;
  });
  galaxycache::typed_galaxy<std::string, name> names{g.untyped()};
  for (int round = 0; round < 2; ++round) {
    auto thrown = r.get(names, "throw");
    BOOST_TEST(thrown.error == errc::codec_error);
    BOOST_TEST(contains(thrown.reason, "no thanks"));
    auto refused = r.get(names, "refuse");
    BOOST_TEST(refused.error == errc::codec_error);
    BOOST_TEST(contains(refused.reason, "6 bytes"));
    for (auto key : {"throw", "refuse"}) {
      BOOST_TEST(!names.find(key));
      BOOST_TEST(!names.visit(key, [](auto&) { BOOST_FAIL("visited"); }));
      auto got = r.get(g, key);
      BOOST_TEST(got.content.data.value() == key);
      BOOST_TEST(got.content.level == hit_level::main);
    }
  }
  BOOST_TEST(r.loads == 2);
  BOOST_TEST(g.untyped().stats().maincache.entries == 2u);
}

BOOST_AUTO_TEST_CASE(waiters_of_one_load_do_not_share_a_codec_error) {
  rig r;
  std::promise<void> open;
  auto opened = open.get_future().share();
  auto g = r.add<std::string, std::string>(form::function, [=](auto& key) {
    opened.wait();
    return key;
  });
  galaxycache::typed_galaxy<std::string, name> names{g.untyped()};
  std::atomic<int> codec_errors = 0;
  std::atomic<int> values = 0;
  for (int i = 0; i < 10; ++i) {
    r.system.spawn([&, names](caf::event_based_actor* self) {
      names.get(self, "throw")
        .then([](const typed_answer<name>&) {},
              [&](const caf::error& why) {
                codec_errors += code_of(why) == errc::codec_error;
              });
    });
    r.system.spawn([&, g](caf::event_based_actor* self) {
      g.get(self, "throw")
        .then([&](const typed_answer<std::string>&) { ++values; },
              [](const caf::error&) {});
    });
  }
  eventually([&] { return g.untyped().stats().waiters == 20; });
  open.set_value();
  eventually([&] { return codec_errors == 10 && values == 10; });
  BOOST_TEST(r.loads == 1);
}

BOOST_DATA_TEST_CASE(a_value_that_does_not_encode_is_not_cached, both_forms,
                     how) {
  rig r;
  auto g = r.add<std::string, name>(how, [](const std::string& key) {
    return name{key};
  });
  for (int round = 1; round <= 2; ++round) {
    auto got = r.get(g, "throw");
    BOOST_TEST(got.error == errc::codec_error);
    BOOST_TEST(contains(got.reason, "a value did not encode: no thanks"));
    BOOST_TEST(r.loads == round);
  }
  BOOST_TEST(r.get(g, "Ada").content.data->text == "Ada");
  BOOST_TEST(g.untyped().stats().maincache.entries == 1u);
}

BOOST_AUTO_TEST_CASE(a_key_that_does_not_encode_is_not_asked_for) {
  rig r;
  auto g = r.add<label, std::string>(form::in_place,
                                     [](auto& key) { return key.text; });
  auto got = r.get(g, label{"throw"});
  BOOST_TEST(got.error == errc::codec_error);
  BOOST_TEST(contains(got.reason, "a key did not encode: no thanks"));
  BOOST_TEST(!g.find(label{"throw"}));
  BOOST_TEST(r.loads == 0);
  BOOST_TEST(g.untyped().stats().gets == 0u);
  BOOST_TEST(r.get(g, label{"Ada"}).content.data.value() == "Ada");
}

// -- many keys ----------------------------------------------------------------

BOOST_DATA_TEST_CASE(some_of_many_keys_may_fail, both_forms, how) {
  rig r;
  auto g = r.add<label, std::string>(
    how, [](const label& key) -> typed_load_result<std::string> {
      if (key.text == "nobody")
        return errc::not_found;
      if (key.text == "no disk")
        return failure{errc::backend_failed, "no disk"};
      return key.text == "odd" ? "refuse" : key.text;
    });
  galaxycache::typed_galaxy<label, name> names{g.untyped()};
  using labels = std::vector<label>;
  auto results = r.get_many(names, labels{{"throw"},
                                          {"Ada"},
                                          {"nobody"},
                                          {"throw"},
                                          {"odd"},
                                          {"no disk"},
                                          {"Ada"},
                                          {"throw"}});
  BOOST_REQUIRE(results.size() == 8u);
  for (auto place : {1, 6}) {
    BOOST_TEST(results[place].ok());
    BOOST_TEST(results[place].content.data->text == "Ada");
    BOOST_TEST(results[place].content.level == hit_level::backend);
  }
  BOOST_TEST(results[2].ok());
  BOOST_TEST(!results[2].content.found());
  for (auto place : {0, 3, 7}) {
    BOOST_TEST(results[place].error == errc::codec_error);
    BOOST_TEST(results[place].reason == "a key did not encode: no thanks");
  }
  BOOST_TEST(results[4].error == errc::codec_error);
  BOOST_TEST(contains(results[4].reason, "6 bytes"));
  BOOST_TEST(!results[4].content.found());
  BOOST_TEST(results[5].error == errc::backend_failed);
  BOOST_TEST(results[5].reason == "no disk");
  BOOST_TEST(r.loads == 4);
  // Others read what this one could not.
  BOOST_TEST(g.find(label{"odd"})->data.value() == "refuse");
}

BOOST_AUTO_TEST_CASE(many_keys_may_be_none) {
  rig r;
  auto g = r.add<label, std::string>(form::in_place,
                                     [](auto& key) { return key.text; });
  BOOST_TEST(r.get_many(g, {}).empty());
  auto results = r.get_many(g, {label{"throw"}});
  BOOST_REQUIRE(results.size() == 1u);
  BOOST_TEST(results[0].error == errc::codec_error);
  BOOST_TEST(r.loads == 0);
}

// -- peers --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_owner_of_a_key_decodes_it) {
  config cfg;
  caf::actor_system system{cfg};
  network net{system};
  using key = std::pair<std::string, int>;
  std::vector<universe> homes;
  std::vector<galaxycache::typed_galaxy<key, name>> galaxies;
  std::vector<peer_info> members;
  for (std::string id : {"a", "b"}) {
    universe_options options;
    options.self = id;
    options.listen = "inproc://" + id;
    options.transports = {net.join(id)};
    options.verbosity = log_level::off;
    auto& home = homes.emplace_back(system, options);
    members.push_back({id, home.uri()});
    galaxies.push_back(add_typed_galaxy(
      home, "names", 1 << 20,
      typed_backend<key, name>::in_place([id](const key& x) {
        return name{id + ": " + x.first + std::to_string(x.second)};
      })));
  }
  for (auto& home : homes)
    home.set_peers(members);
  eventually([&] {
    for (auto& home : homes)
      for (auto& peer : home.peers())
        if (peer.state != peer_state::self && peer.state != peer_state::up)
          return false;
    return true;
  });
  std::map<hit_level, int> levels;
  caf::scoped_actor self{system};
  for (int i = 0; i < 64; ++i)
    galaxies[0]
      .get(self, {"n", i})
      .receive(
        [&](const typed_answer<name>& x) {
          ++levels[x.level];
          BOOST_TEST(x.data->text
                     == std::string{x.owner.bytes()} + ": n"
                          + std::to_string(i));
        },
        [](const caf::error& why) { BOOST_FAIL(describe(why)); });
  BOOST_TEST(levels[hit_level::peer] > 0);
  BOOST_TEST(levels[hit_level::backend] > 0);
}

// -- Protobuf -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(protobuf_messages_are_values) {
  using google::protobuf::StringValue;
  rig r;
  auto g = r.add<int, StringValue>(form::function, [](int key) {
    StringValue result;
    result.set_value("number " + std::to_string(key));
    return result;
  });
  BOOST_TEST(r.get(g, 12).content.data->value() == "number 12");
  BOOST_TEST(g.untyped().find("12")->bytes() == "\n\tnumber 12");
  // Text is no message.
  galaxycache::typed_galaxy<int, std::string> texts{g.untyped()};
  BOOST_TEST(r.get(texts, 12).content.data.value() == "\n\tnumber 12");
}

BOOST_AUTO_TEST_CASE(protobuf_messages_need_their_required_fields) {
  using part = google::protobuf::UninterpretedOption_NamePart;
  static_assert(has_codec<part>);
  auto failed = std::get<1>(try_encode<part>(part{}));
  BOOST_TEST(failed.code == errc::codec_error);
  BOOST_TEST(contains(failed.reason, "name_part, is_extension"));
  auto refused = try_decode<part>(value::copy("\n\1x"));
  BOOST_TEST(contains(std::get<1>(refused).reason, "missing: is_extension"));
  refused = try_decode<part>(value::copy("\n\7x"));
  BOOST_TEST(contains(std::get<1>(refused).reason, "3 bytes"));
  part whole;
  whole.set_name_part("x");
  whole.set_is_extension(true);
  auto bytes = try_encode<part>(whole);
  auto back = try_decode<part>(std::get<0>(bytes));
  BOOST_TEST(std::get<0>(back).name_part() == "x");
}

BOOST_AUTO_TEST_SUITE_END()
