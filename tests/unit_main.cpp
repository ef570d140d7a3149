// The tests of the runtime, which has no actors: small enough to run under
// every sanitizer.

#define BOOST_TEST_NO_MAIN
#include <boost/test/unit_test.hpp>

namespace {

bool name_suite() {
  boost::unit_test::framework::master_test_suite().p_name.value = "unit";
  return true;
}

} // namespace

int main(int argc, char** argv) {
  return boost::unit_test::unit_test_main(name_suite, argc, argv);
}
