#include "galaxycache/runtime/galaxy_memory.hpp"

#include "chunks.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace galaxycache;
using namespace std::chrono_literals;

namespace {

using memory = galaxycache::galaxy_memory;

struct rig {
  explicit rig(std::size_t shards = 4) : memory(settings(), shards, time) {
    // nop
  }

  static shard::settings settings() {
    shard::settings result;
    result.capacity_bytes = 1 << 20;
    result.candidates_max = 100;
    result.promote = make_always_promoter();
    result.hash_seed = 7;
    return result;
  }

  shard& shard_of(std::string_view key) {
    return memory.at(memory.shard_of(memory.hash_of(key)));
  }

  /// What a key is read as; "none" if it is not there.
  std::string read(std::string_view key,
                   read_outcome otherwise = read_outcome::goes_on) {
    std::string result = "none";
    memory.read(key, otherwise, [&](const entry& x) { result = x.data(); });
    return result;
  }

  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>();
  galaxycache::galaxy_memory memory;
};

} // namespace

BOOST_AUTO_TEST_SUITE(galaxy_memory)

BOOST_AUTO_TEST_CASE(shards_have_their_memory_from_one_source) {
  auto each = rig::settings();
  each.capacity_bytes = 64 << 20;
  const auto time = std::make_shared<manual_clock>();
  const memory m{each, 2, time};
  BOOST_TEST(m.ready_bytes() == 0u);
  // Neither has enough chunks for one to be ready, but both together have.
  const auto data = value::copy(std::string(200, 'v'));
  const auto count = 5 * chunk_source::chunk_bytes / data.size();
  for (std::size_t i = 0; i < m.size(); ++i)
    for (std::size_t n = 0; n < count; ++n)
      BOOST_TEST_REQUIRE(
        m.at(i).put_main(std::to_string(n), data, never_expires, *time));
  BOOST_TEST(ready_soon(*each.chunks) == 1u);
  BOOST_TEST(m.ready_bytes() == chunk_source::chunk_bytes);
}

BOOST_AUTO_TEST_CASE(what_is_put_into_a_keys_shard_is_read) {
  rig r;
  for (int i = 0; i < 1'000; ++i) {
    const auto key = std::to_string(i);
    BOOST_TEST_REQUIRE(
      r.shard_of(key).put_main(key, value::copy(key), never_expires, *r.time));
  }
  for (int i = 0; i < 1'000; ++i)
    BOOST_TEST_REQUIRE(r.read(std::to_string(i)) == std::to_string(i));
  BOOST_TEST(r.read("nobody") == "none");
}

BOOST_AUTO_TEST_CASE(a_memory_and_its_shards_hash_alike) {
  rig r;
  for (std::size_t i = 0; i < r.memory.size(); ++i)
    BOOST_TEST(r.memory.hash_of("key") == r.memory.at(i).hash_of("key"));
}

BOOST_AUTO_TEST_CASE(keys_are_spread_evenly_over_the_shards) {
  for (std::size_t shards : {1u, 2u, 3u, 16u, 100u}) {
    rig r{shards};
    BOOST_TEST(r.memory.size() == shards);
    std::vector<int> count(shards);
    for (int i = 0; i < 200 * static_cast<int>(shards); ++i)
      ++count.at(r.memory.shard_of(r.memory.hash_of(std::to_string(i))));
    BOOST_TEST(*std::min_element(count.begin(), count.end()) > 130);
    BOOST_TEST(*std::max_element(count.begin(), count.end()) < 270);
  }
}

BOOST_AUTO_TEST_CASE(every_read_is_counted_by_what_came_of_it) {
  rig r;
  r.shard_of("main").put_main("main", value::copy("1"), never_expires, *r.time);
  r.shard_of("hot").offer_hot("hot", value::copy("2"), never_expires, 1,
                              *r.time);
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(r.read("main") == "1");
  for (int i = 0; i < 2; ++i)
    BOOST_TEST(r.read("hot") == "2");
  for (int i = 0; i < 4; ++i)
    BOOST_TEST(r.read("nobody") == "none");
  for (int i = 0; i < 5; ++i)
    BOOST_TEST(r.read("nobody", read_outcome::absent) == "none");
  const auto& reads = r.memory.reads();
  BOOST_TEST(reads.get(read_outcome::main_hit) == 3u);
  BOOST_TEST(reads.get(read_outcome::hot_hit) == 2u);
  BOOST_TEST(reads.get(read_outcome::goes_on) == 4u);
  BOOST_TEST(reads.get(read_outcome::absent) == 5u);
}

BOOST_AUTO_TEST_CASE(what_has_expired_is_not_read) {
  rig r;
  r.shard_of("key").put_main("key", value::copy("1"), r.time->wall_now() + 1h,
                             *r.time);
  r.time->advance(1h - 1ns);
  BOOST_TEST(r.read("key") == "1");
  r.time->advance(1ns);
  BOOST_TEST(r.read("key") == "none");
  BOOST_TEST(r.memory.reads().get(read_outcome::main_hit) == 1u);
  BOOST_TEST(r.memory.reads().get(read_outcome::goes_on) == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_being_read_stays_as_it_is) {
  rig r{1};
  auto& s = r.memory.at(0);
  s.put_main("key", value::copy("old"), never_expires, *r.time);
  int reads = 0;
  const auto found
    = r.memory.read("key", read_outcome::goes_on, [&](const entry& x) {
        s.put_main("key", value::copy("new"), never_expires, *r.time);
        BOOST_TEST(r.read("key") == "new");
        s.clear();
        for (int i = 0; i < 1'000; ++i)
          s.put_main(std::to_string(i), value::copy("more"), never_expires,
                     *r.time);
        BOOST_TEST(x.key() == "key");
        BOOST_TEST(x.data() == "old");
        ++reads;
      });
  BOOST_TEST(found);
  BOOST_TEST(reads == 1);
  BOOST_TEST(r.read("key") == "none");
}

BOOST_AUTO_TEST_SUITE_END()
