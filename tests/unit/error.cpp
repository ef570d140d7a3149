#include "galaxycache/runtime/error.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string_view>

using namespace galaxycache;

namespace {

constexpr int codes = 16;

errc code(int number) {
  return static_cast<errc>(number);
}

} // namespace

BOOST_AUTO_TEST_SUITE(error)

// Peers of other versions know the codes by these numbers.
BOOST_AUTO_TEST_CASE(the_numbers_of_codes_never_change) {
  constexpr std::string_view names[codes] = {
    "none",
    "not_found",
    "overloaded",
    "deadline_exceeded",
    "backend_failed",
    "peer_failed",
    "unavailable",
    "draining",
    "internal_error",
    "key_too_long",
    "value_too_large",
    "unknown_galaxy",
    "invalid_argument",
    "address_in_use",
    "incompatible_peer",
    "codec_error",
  };
  for (int i = 0; i < codes; ++i)
    BOOST_TEST(name_of(code(i)) == names[i]);
  BOOST_TEST(static_cast<int>(errc::codec_error) == codes - 1);
}

BOOST_AUTO_TEST_CASE(each_code_has_a_sentence_of_its_own) {
  std::set<std::string_view> seen;
  for (int i = 0; i < codes; ++i) {
    const auto text = describe(code(i));
    BOOST_TEST(!text.empty());
    BOOST_TEST(text.back() != '.');
    BOOST_TEST(seen.insert(text).second);
  }
}

BOOST_AUTO_TEST_CASE(codes_survive_the_way_through_their_number) {
  for (int i = 0; i < codes; ++i)
    BOOST_TEST((errc_from(static_cast<std::uint8_t>(i)) == code(i)));
}

BOOST_AUTO_TEST_CASE(a_code_from_the_future_is_an_internal_error) {
  for (int i = codes; i < 256; ++i) {
    BOOST_TEST(
      (errc_from(static_cast<std::uint8_t>(i)) == errc::internal_error));
    BOOST_TEST(name_of(code(i)) == "internal_error");
    BOOST_TEST(describe(code(i)) == describe(errc::internal_error));
  }
}

BOOST_AUTO_TEST_CASE(answers_are_nobodys_fault) {
  for (int i = 0; i < codes; ++i) {
    const auto answer = code(i) == errc::none || code(i) == errc::not_found;
    BOOST_TEST((fault_of(code(i)) == fault::nobody) == answer);
  }
}

BOOST_AUTO_TEST_CASE(trying_again_never_mends_a_callers_fault) {
  for (int i = 0; i < codes; ++i)
    if (fault_of(code(i)) == fault::caller)
      BOOST_TEST(!retryable(code(i)));
}

BOOST_AUTO_TEST_CASE(trying_again_mends_what_passes) {
  for (auto x :
       {errc::overloaded, errc::deadline_exceeded, errc::backend_failed,
        errc::peer_failed, errc::unavailable, errc::draining})
    BOOST_TEST(retryable(x));
  for (auto x : {errc::none, errc::not_found, errc::value_too_large,
                 errc::incompatible_peer})
    BOOST_TEST(!retryable(x));
}

BOOST_AUTO_TEST_CASE(a_new_failure_is_none) {
  const failure none;
  BOOST_TEST((none.code == errc::none));
  BOOST_TEST(none.reason.empty());
}

BOOST_AUTO_TEST_SUITE_END()
