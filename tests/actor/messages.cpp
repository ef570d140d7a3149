// What may cross the border of a process does so unharmed, and what comes
// across does no harm.

#include "fixtures/ledger.hpp"

#include "galaxycache/actors/config.hpp"
#include "galaxycache/messages/actors.hpp"
#include "galaxycache/runtime/caf/serialize.hpp"
#include "galaxycache/runtime/random.hpp"

#include <caf/actor_system.hpp>
#include <caf/deep_to_string.hpp>
#include <caf/message.hpp>

#include <boost/test/unit_test.hpp>
#include <sys/resource.h>

#include <limits>
#include <tuple>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

struct rig {
  config cfg;
  caf::actor_system system{cfg};

  template <class T>
  std::string send(const T& x) {
    auto bytes = to_bytes(system, x);
    BOOST_REQUIRE(bytes.has_value());
    return *bytes;
  }

  template <class T>
  std::optional<T> receive(std::string_view bytes) {
    return from_bytes<T>(system, bytes);
  }

  template <class T>
  T pass(const T& x) {
    auto back = receive<T>(send(x));
    BOOST_REQUIRE(back.has_value());
    return *back;
  }
};

// Never to be seen in what CAF writes about messages.
constexpr std::string_view secret = "SECRET";

value secret_value() {
  return value::copy(secret);
}

answer sample_answer() {
  return {secret_value(), wall_time{1s}, hit_level::peer, value::copy("owner")};
}

get_result sample_result() {
  return {sample_answer(), errc::overloaded, "because"};
}

frame sample_frame() {
  return {"header\0\xff", {secret_value(), value{}, secret_value()}};
}

galaxy_stats sample_stats() {
  galaxy_stats x;
  std::uint64_t n = 0;
#define GALAXYCACHE_X(name, text) x.name = ++n;
  GALAXYCACHE_COUNTERS(GALAXYCACHE_X)
#undef GALAXYCACHE_X
  x.maincache = {1, 2, 3};
  x.hotcache = {std::numeric_limits<std::uint64_t>::max(), 5, 6};
  x.candidates = 7;
  x.flights = 8;
  x.waiters = 9;
  return x;
}

/// One of each type that may leave the process, none of them empty.
auto samples() {
  peer_info info{"id \xff", "caf://host:1", 7};
  return std::tuple{
    secret_value(),
    sample_frame(),
    errc::codec_error,
    fetch_mode::peek,
    hit_level::backend,
    peer_state::down,
    get_options{fetch_mode::no_peer_backend, -1ns},
    loaded{secret_value(), wall_time::max()},
    sample_answer(),
    sample_result(),
    info,
    peer_status{info, peer_state::draining},
    cache_stats{1, 2, 3},
    sample_stats(),
    name_list{{"a", "", std::string(100'000, 'x')}},
    std::vector<value>{value{}, secret_value()},
    std::vector<get_result>{sample_result(), get_result{}},
    std::vector<peer_info>{info, info},
    std::vector<peer_status>{{info, peer_state::up}},
  };
}

template <class F>
void for_each_sample(F f) {
  std::apply([&](const auto&... x) { (f(x), ...); }, samples());
}

/// How CAF writes the size of what follows: seven bits to a byte.
std::string size_claim(std::uint64_t size) {
  std::string result;
  for (; size >= 0x80; size >>= 7)
    result += static_cast<char>(size | 0x80);
  return result + static_cast<char>(size);
}

/// The most memory this process has had, in MiB.
long memory_peak() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss / 1024;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(messages, rig)

BOOST_AUTO_TEST_CASE(every_type_that_may_leave_the_process_comes_back) {
  for_each_sample([&](const auto& x) {
    auto bytes = send(x);
    BOOST_TEST((send(pass(x)) == bytes));
  });
}

BOOST_AUTO_TEST_CASE(messages_of_these_types_come_back) {
  for_each_sample([&](const auto& x) {
    using type = std::decay_t<decltype(x)>;
    // CAF makes errors of error codes; those have a test of their own.
    if constexpr (!std::is_same_v<type, errc>) {
      auto message = pass(caf::make_message(x));
      BOOST_REQUIRE(message.template match_elements<type>());
      BOOST_TEST((send(message.template get_as<type>(0)) == send(x)));
    }
  });
}

BOOST_AUTO_TEST_CASE(values_come_back_with_their_bytes) {
  for (std::size_t size : {0, 1, 127, 128, 1 << 20, (5 << 20) + 1}) {
    std::string bytes(size, '\xff');
    BOOST_TEST((pass(value::copy(bytes)).bytes() == bytes));
  }
  auto back = pass(sample_frame());
  BOOST_TEST((back.header == sample_frame().header));
  BOOST_TEST((back.bodies == sample_frame().bodies));
}

BOOST_AUTO_TEST_CASE(answers_come_back_as_they_were) {
  auto x = sample_answer();
  for (auto expiry : {wall_time::min(), wall_time::max(), never_expires}) {
    x.expiry = expiry;
    auto back = pass(x);
    BOOST_TEST((back.data == x.data));
    BOOST_TEST((back.expiry == x.expiry));
    BOOST_TEST((back.owner == x.owner));
    BOOST_TEST(back.level == x.level);
  }
  auto result = pass(sample_result());
  BOOST_TEST(result.error == errc::overloaded);
  BOOST_TEST(result.reason == "because");
  BOOST_TEST((result.content.data == x.data));
}

BOOST_AUTO_TEST_CASE(options_and_members_and_counters_come_back) {
  for (auto timeout :
       {std::chrono::nanoseconds::min(), std::chrono::nanoseconds::max()}) {
    auto back = pass(get_options{fetch_mode::peek, timeout});
    BOOST_TEST((back.mode == fetch_mode::peek));
    BOOST_TEST((back.timeout == timeout));
  }
  peer_info info{"id \xff", "caf://host:1", 7};
  BOOST_TEST((pass(info) == info));
  BOOST_TEST((pass(peer_status{info, peer_state::draining}).info == info));
  BOOST_TEST((pass(sample_stats()) == sample_stats()));
  name_list names{{"a", "", "\xff"}};
  BOOST_TEST((pass(names).names == names.names));
}

BOOST_AUTO_TEST_CASE(errors_come_back_with_their_code_and_reason) {
  for (std::uint8_t code = 1; code <= 15; ++code) {
    auto why = make_error({static_cast<errc>(code), "because \xff"});
    auto back = pass(why);
    BOOST_TEST(code_of(back) == static_cast<errc>(code));
    BOOST_TEST((failure_of(back).reason == "because \xff"));
    BOOST_TEST((describe(back) == describe(why)));
  }
  BOOST_TEST(code_of(pass(make_error({errc::not_found, ""})))
             == errc::not_found);
}

BOOST_AUTO_TEST_CASE(what_is_cut_short_is_refused) {
  for_each_sample([&](const auto& x) {
    using type = std::decay_t<decltype(x)>;
    auto bytes = send(x);
    for (std::size_t size = 0; size < std::min<std::size_t>(bytes.size(), 500);
         ++size)
      BOOST_TEST(!receive<type>(bytes.substr(0, size)));
    BOOST_TEST(!receive<type>(bytes.substr(0, bytes.size() - 1)));
  });
}

BOOST_AUTO_TEST_CASE(a_value_that_claims_to_be_huge_is_refused) {
  auto before = memory_peak();
  for (int i = 0; i < 100; ++i) {
    for (auto size : {std::uint64_t{5}, std::uint64_t{1} << 31,
                      (std::uint64_t{1} << 32) - 1}) {
      auto lie = size_claim(size) + "few";
      BOOST_TEST(!receive<value>(lie));
      BOOST_TEST(!receive<frame>(size_claim(1) + "h" + size_claim(1) + lie));
      BOOST_TEST(!receive<frame>(lie));
      BOOST_TEST(!receive<name_list>(size_claim(1) + lie));
      BOOST_TEST(!receive<std::vector<value>>(size_claim(size)));
      BOOST_TEST(!receive<std::vector<peer_info>>(size_claim(size)));
    }
    // More than CAF counts up to; it sees some other size, of which it then
    // asks whether it is there.
    receive<value>(size_claim(std::uint64_t{1} << 40) + "few");
  }
  // Sanitizers keep for a while what was freed.
  BOOST_TEST(memory_peak() < before + 1024);
}

BOOST_AUTO_TEST_CASE(bytes_with_errors_do_no_harm) {
  random_source random{3};
  for_each_sample([&](const auto& x) {
    using type = std::decay_t<decltype(x)>;
    auto good = send(x);
    if (good.size() > 1000)
      return;
    for (int i = 0; i < 5'000; ++i) {
      auto bytes = good;
      for (auto errors = 1 + random.below(4); errors > 0; --errors)
        bytes[random.below(bytes.size())] = static_cast<char>(random.next());
      // What CAF accepts can be shown, and sent again.
      if (auto back = receive<type>(bytes)) {
        BOOST_REQUIRE(!caf::deep_to_string(*back).empty());
        to_bytes(system, *back);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(what_caf_writes_about_messages_has_no_values_in_it) {
  for_each_sample([&](const auto& x) {
    for (auto& text :
         {caf::deep_to_string(x), to_string(caf::make_message(x))}) {
      BOOST_TEST(!text.empty());
      BOOST_TEST(text.find(secret) == std::string::npos, text);
    }
  });
}

BOOST_AUTO_TEST_SUITE_END()
