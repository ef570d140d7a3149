#include "galaxycache/runtime/recycler.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <list>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

using namespace galaxycache;

BOOST_AUTO_TEST_SUITE(recycler)

BOOST_AUTO_TEST_CASE(what_is_given_back_is_given_out_again) {
  galaxycache::recycler nodes;
  auto* first = nodes.allocate(100);
  nodes.deallocate(first, 100);
  // Sizes are rounded up.
  auto* again = nodes.allocate(128);
  BOOST_TEST(again == first);
  auto* other = nodes.allocate(100);
  BOOST_TEST(other != first);
  nodes.deallocate(again, 128);
  nodes.deallocate(other, 100);
}

BOOST_AUTO_TEST_CASE(blocks_of_all_sizes_have_all_their_bytes) {
  galaxycache::recycler nodes;
  for (int round = 0; round < 2; ++round) {
    std::vector<std::pair<void*, std::size_t>> blocks;
    std::set<void*> distinct;
    for (std::size_t size = 1;
         size <= 2 * galaxycache::recycler::block_bytes_max; ++size) {
      auto* block = nodes.allocate(size, 16);
      std::memset(block, static_cast<int>(size), size);
      blocks.emplace_back(block, size);
      distinct.insert(block);
    }
    BOOST_TEST(distinct.size() == blocks.size());
    for (auto [block, size] : blocks) {
      const std::string expected(size, static_cast<char>(size));
      BOOST_REQUIRE(std::memcmp(block, expected.data(), size) == 0);
      nodes.deallocate(block, size, 16);
    }
  }
}

BOOST_AUTO_TEST_CASE(strange_alignments_are_honoured) {
  galaxycache::recycler nodes;
  auto* block = nodes.allocate(64, 256);
  BOOST_TEST(reinterpret_cast<std::uintptr_t>(block) % 256 == 0u);
  nodes.deallocate(block, 64, 256);
}

BOOST_AUTO_TEST_CASE(more_than_it_keeps_may_be_given_back) {
  galaxycache::recycler nodes;
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < 2 * galaxycache::recycler::blocks_kept_max; ++i)
    blocks.push_back(nodes.allocate(64));
  for (auto* block : blocks)
    nodes.deallocate(block, 64);
  const std::set<void*> known(blocks.begin(), blocks.end());
  std::vector<void*> again;
  for (std::size_t i = 0; i < galaxycache::recycler::blocks_kept_max; ++i) {
    again.push_back(nodes.allocate(64));
    BOOST_REQUIRE(known.contains(again.back()));
  }
  for (auto* block : again)
    nodes.deallocate(block, 64);
}

BOOST_AUTO_TEST_CASE(containers_live_in_it) {
  galaxycache::recycler nodes;
  std::pmr::unordered_map<std::string, std::pmr::list<int>> all{&nodes};
  for (int i = 0; i < 1000; ++i)
    all[std::to_string(i % 100)].push_back(i);
  BOOST_TEST(all.size() == 100u);
  BOOST_TEST(all["7"].front() == 7);
  BOOST_TEST(all["7"].back() == 907);
  all.clear();
  BOOST_TEST(all.empty());
}

BOOST_AUTO_TEST_SUITE_END()
