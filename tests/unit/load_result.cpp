#include "galaxycache/runtime/load_result.hpp"

#include <boost/test/unit_test.hpp>

#include <utility>

using namespace galaxycache;

namespace {

using result = galaxycache::load_result;

} // namespace

BOOST_AUTO_TEST_SUITE(load_result)

BOOST_AUTO_TEST_CASE(a_result_never_set_is_a_failure) {
  const result x;
  BOOST_TEST(x.failed());
  BOOST_TEST(!x.found());
  BOOST_TEST(!x.not_found());
  BOOST_TEST((x.error().code == errc::internal_error));
  BOOST_TEST(!x.error().reason.empty());
}

BOOST_AUTO_TEST_CASE(a_value_is_found) {
  const auto data = value::copy("data");
  const wall_time expiry{std::chrono::hours{1}};
  const result x = loaded{data, expiry};
  BOOST_TEST(x.found());
  BOOST_TEST(!x.failed());
  BOOST_TEST(!x.not_found());
  BOOST_TEST((x.error().code == errc::none));
  BOOST_TEST(x.content().data.shares_bytes_with(data));
  BOOST_TEST((x.content().expiry == expiry));
}

BOOST_AUTO_TEST_CASE(a_bare_value_never_expires) {
  const result x = value::copy("data");
  BOOST_TEST(x.found());
  BOOST_TEST((x.content().expiry == never_expires));
}

BOOST_AUTO_TEST_CASE(an_empty_value_is_a_value) {
  const result x = value{};
  BOOST_TEST(x.found());
  BOOST_TEST(x.content().data.empty());
}

BOOST_AUTO_TEST_CASE(not_found_is_no_failure) {
  for (const auto& x : {result{errc::not_found},
                        result{failure{errc::not_found, "no such row"}}}) {
    BOOST_TEST(x.not_found());
    BOOST_TEST(!x.found());
    BOOST_TEST(!x.failed());
  }
}

BOOST_AUTO_TEST_CASE(a_failure_keeps_its_code_and_reason) {
  const result x = failure{errc::backend_failed, "no disk"};
  BOOST_TEST(x.failed());
  BOOST_TEST(!x.found());
  BOOST_TEST((x.error().code == errc::backend_failed));
  BOOST_TEST(x.error().reason == "no disk");
  BOOST_TEST(x.content().data.empty());
  const result bare = errc::overloaded;
  BOOST_TEST(bare.failed());
  BOOST_TEST((bare.error().code == errc::overloaded));
}

BOOST_AUTO_TEST_CASE(no_error_alone_does_not_make_a_value) {
  for (const auto& x : {result{errc::none}, result{failure{}}}) {
    BOOST_TEST(x.failed());
    BOOST_TEST(!x.found());
    BOOST_TEST((x.error().code == errc::internal_error));
  }
}

BOOST_AUTO_TEST_CASE(the_value_can_be_taken_out) {
  result x = value::copy("data");
  const auto data = std::move(x.content().data);
  BOOST_TEST(data.bytes() == "data");
}

BOOST_AUTO_TEST_CASE(nobody_asks_a_new_load_to_stop) {
  const load_context context;
  BOOST_TEST(!context.stop.stop_requested());
}

BOOST_AUTO_TEST_SUITE_END()
