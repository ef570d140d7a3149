// The tests of actors and clusters. Run as `actor_tests --node ...`, it is one
// process of a cluster that a test has started instead.

#define BOOST_TEST_NO_MAIN
#include <galaxycache/messages/init.hpp>

#include <boost/test/unit_test.hpp>
#if __has_include(<fixtures/node.hpp>)
#  include <fixtures/node.hpp>
#  define HAVE_TEST_NODE
#endif

#include <string_view>

namespace {

bool name_suite() {
  boost::unit_test::framework::master_test_suite().p_name.value = "actor";
  return true;
}

} // namespace

// CAF 0.17 forgets its broker at times when a system with a middleman goes.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:basp_broker\nleak:libcaf_io\nleak:caf::make_node_id\n"
         "leak:std::vector<caf::behavior\n";
}

int main(int argc, char** argv) {
  galaxycache::init();
#ifdef HAVE_TEST_NODE
  if (argc > 1 && std::string_view{argv[1]} == "--node")
    return galaxycache_test_node(argc, argv);
#endif
  return boost::unit_test::unit_test_main(name_suite, argc, argv);
}
