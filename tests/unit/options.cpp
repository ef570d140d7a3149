#include "galaxycache/runtime/options.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <limits>
#include <string>
#include <string_view>

using namespace galaxycache;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(the_defaults_are_valid) {
  BOOST_TEST(!validate(galaxy_options{}));
  galaxy_options with_peeks;
  with_peeks.peek.emplace();
  BOOST_TEST(!validate(with_peeks));
}

BOOST_AUTO_TEST_CASE(the_defaults_are_galaxycaches) {
  const galaxy_options x;
  BOOST_TEST(x.hot_ratio == 8u);
  BOOST_TEST((x.reset_idle_stats == 1min));
  BOOST_TEST((x.get_ttl.max == 0ns));
  BOOST_TEST(!x.peek);
  BOOST_TEST(!x.peek_ttl.sets_limit());
}

BOOST_AUTO_TEST_CASE(each_option_that_makes_no_sense_is_named) {
  struct row {
    std::string_view name;
    std::function<void(galaxy_options&)> change;
    bool valid;
  };
  const auto peek = [](auto change) {
    return [change](galaxy_options& x) { change(x.peek.emplace()); };
  };
  const row rows[] = {
    {"hot_ratio", [](auto& x) { x.hot_ratio = 0; }, false},
    {"hot_ratio", [](auto& x) { x.hot_ratio = 1; }, true},
    {"default_timeout", [](auto& x) { x.default_timeout = 0ns; }, false},
    {"default_timeout", [](auto& x) { x.default_timeout = -1ns; }, false},
    {"default_timeout", [](auto& x) { x.default_timeout = 1ns; }, true},
    {"load_timeout", [](auto& x) { x.load_timeout = 0ns; }, false},
    {"load_timeout", [](auto& x) { x.load_timeout = 1ns; }, true},
    {"loads_max", [](auto& x) { x.loads_max = 0; }, false},
    {"loads_max", [](auto& x) { x.loads_max = 1; }, true},
    {"waiters_max", [](auto& x) { x.waiters_max = 0; }, false},
    {"waiters_max", [](auto& x) { x.waiters_max = 1; }, true},
    {"value_bytes_max", [](auto& x) { x.value_bytes_max = 0; }, false},
    {"value_bytes_max", [](auto& x) { x.value_bytes_max = 1; }, true},
    {"shards", [](auto& x) { x.shards = 1025; }, false},
    {"shards", [](auto& x) { x.shards = 1024; }, true},
    {"reset_idle_stats", [](auto& x) { x.reset_idle_stats = -1ns; }, false},
    {"reset_idle_stats", [](auto& x) { x.reset_idle_stats = 0ns; }, true},
    {"candidates_max", [](auto& x) { x.candidates_max = 0; }, true},
    {"promote", [](auto& x) { x.promote = make_qps_promoter(); }, true},
    {"get_ttl",
     [](auto& x) {
       x.get_ttl = {-1h, -1h};
     },
     true},
    {"peek.timeout", peek([](auto& x) { x.timeout = 99us; }), false},
    {"peek.timeout", peek([](auto& x) { x.timeout = 100us; }), true},
    {"peek.warm_time", peek([](auto& x) { x.warm_time = -1ns; }), false},
    {"peek.warm_time", peek([](auto& x) { x.warm_time = 0ns; }), true},
  };
  for (const auto& x : rows)
    BOOST_TEST_CONTEXT(x.name) {
      galaxy_options options;
      x.change(options);
      const auto wrong = validate(options);
      BOOST_TEST(wrong.has_value() == !x.valid);
      if (wrong)
        BOOST_TEST(wrong->find(x.name) == 0u);
    }
}

BOOST_AUTO_TEST_CASE(a_galaxys_name_is_printable_and_not_too_long) {
  for (std::string_view name : {"a", "packages", "a b", "~!/%"})
    BOOST_TEST(!validate_galaxy_name(name));
  BOOST_TEST(!validate_galaxy_name(std::string(255, 'x')));
  for (std::string_view name : {"", "a\nb", "\x7f", "caf\xc3\xa9"})
    BOOST_TEST(validate_galaxy_name(name).has_value());
  BOOST_TEST(validate_galaxy_name(std::string(256, 'x')).has_value());
  BOOST_TEST(validate_galaxy_name(std::string(1, '\0')).has_value());
}

BOOST_AUTO_TEST_CASE(there_are_some_shards_per_core_if_memory_allows) {
  constexpr std::size_t mib = 1 << 20;
  constexpr auto plenty = std::size_t{1} << 40;
  const auto shards = [](std::size_t capacity, std::size_t cores) {
    return default_shards({}, capacity, cores);
  };
  BOOST_TEST(shards(plenty, 1) == 4u);
  BOOST_TEST(shards(plenty, 2) == 8u);
  BOOST_TEST(shards(plenty, 3) == 16u);
  BOOST_TEST(shards(plenty, 64) == 256u);
  BOOST_TEST(shards(plenty, 100'000) == 1024u);
  // Unknown: as std::thread::hardware_concurrency may say.
  BOOST_TEST(shards(plenty, 0) == 4u);
  // More than one for each core only if they are large, as values may be.
  BOOST_TEST(shards(1024 * mib - 1, 2) == 2u);
  BOOST_TEST(shards(1024 * mib, 2) == 4u);
  galaxy_options small;
  small.value_bytes_max = 4 * mib;
  BOOST_TEST(default_shards(small, 64 * mib - 1, 2) == 2u);
  BOOST_TEST(default_shards(small, 64 * mib, 2) == 4u);
  small.value_bytes_max = 1;
  BOOST_TEST(default_shards(small, 16 * mib, 2) == 4u);
  // Or if gets may wait in them.
  small.waiters_max = 10'000;
  BOOST_TEST(default_shards(small, plenty, 1) == 2u);
  small.waiters_max = 1;
  BOOST_TEST(default_shards(small, plenty, 1) == 1u);
  BOOST_TEST(default_shards(small, plenty, 8) == 8u);
  BOOST_TEST(shards(0, 64) == 1u);
  BOOST_TEST(shards(2 * mib - 1, 64) == 1u);
  BOOST_TEST(shards(2 * mib, 64) == 2u);
  BOOST_TEST(shards(7 * mib, 64) == 4u);
  BOOST_TEST(shards(std::numeric_limits<std::size_t>::max(), 8) == 32u);
}

BOOST_AUTO_TEST_CASE(the_default_number_of_shards_is_a_valid_option) {
  for (std::size_t cores : {0u, 1u, 7u, 4096u})
    for (std::size_t capacity : {0u, 1u << 20, 1u << 31}) {
      galaxy_options x;
      x.shards = default_shards(x, capacity, cores);
      BOOST_TEST(x.shards >= 1u);
      BOOST_TEST(!validate(x));
    }
}

BOOST_AUTO_TEST_SUITE_END()
