// Values that travel in pieces, between two nodes with a real network.

#include "fixtures/certificates.hpp"
#include "fixtures/ledger.hpp"
#include "fixtures/waiting.hpp"

#include "galaxycache/actors/backend.hpp"
#include "galaxycache/actors/config.hpp"
#include "galaxycache/actors/universe.hpp"
#include "galaxycache/runtime/assembly.hpp"
#include "galaxycache/runtime/caf/tls_options.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <charconv>
#include <optional>
#include <string>
#include <vector>

using namespace galaxycache;
using namespace galaxycache::fixtures;

namespace {

universe_options options_of(std::string id, bool encrypted) {
  universe_options result;
  result.self = std::move(id);
  result.listen = encrypted ? "cafs://127.0.0.1:0" : "caf://127.0.0.1:0";
  result.verbosity = log_level::off;
  return result;
}

/// The value of a key that begins with its size: no two pieces are alike.
std::string bytes_of(std::string_view key) {
  std::size_t size = 0;
  std::from_chars(key.data(), key.data() + key.size(), size);
  std::string result(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    result[i] = static_cast<char>((i * 31 + (i >> 8) + key.back()) % 256);
  return result;
}

/// One of two nodes, which owns no key.
struct pair_rig {
  explicit pair_rig(bool encrypted) {
    if (encrypted) {
      set_tls_files(asker_cfg, folder.issue("ring", "asker"));
      set_tls_files(owner_cfg, folder.issue("ring", "owner"));
    }
    asker_system.emplace(asker_cfg);
    owner_system.emplace(owner_cfg);
    asker.emplace(*asker_system, options_of("asker", encrypted));
    owner.emplace(*owner_system, options_of("owner", encrypted));
    auto source = backend::in_place([](std::string_view key) -> load_result {
      return value::copy(bytes_of(key));
    });
    galaxy_options no_hot;
    no_hot.promote = make_never_promoter();
    here.emplace(asker->add_galaxy("things", 256 << 20, source, no_hot));
    there.emplace(owner->add_galaxy("things", 256 << 20, source));
    owner->set_peers({{"owner", owner->uri()}});
    asker->set_peers({{"owner", owner->uri()}});
    eventually([&] { return asker->peers().at(0).state == peer_state::up; });
  }

  certificate_folder folder;
  config asker_cfg;
  config owner_cfg;
  std::optional<caf::actor_system> asker_system;
  std::optional<caf::actor_system> owner_system;
  std::optional<universe> asker;
  std::optional<universe> owner;
  std::optional<galaxy> here;
  std::optional<galaxy> there;

  static std::vector<get_result> get_all(caf::actor_system& system,
                                         const galaxy& from,
                                         const std::vector<std::string>& keys) {
    caf::scoped_actor self{system};
    std::vector<get_result> results;
    from.get_many(self, keys)
      .receive([&](const std::vector<get_result>& all) { results = all; },
               [](const caf::error& why) { BOOST_ERROR(describe(why)); });
    return results;
  }

  /// Asks for all at once, which the owner has by then.
  void check(const std::vector<std::string>& keys) {
    get_all(*owner_system, *there, keys);
    auto results = get_all(*asker_system, *here, keys);
    BOOST_REQUIRE(results.size() == keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      BOOST_TEST_REQUIRE(results[i].ok(), results[i].reason);
      BOOST_TEST((results[i].content.level == hit_level::peer));
      BOOST_TEST((results[i].content.bytes() == bytes_of(keys[i])));
    }
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(large_values)

BOOST_AUTO_TEST_CASE(each_byte_of_them_is_copied_once) {
  for (auto encrypted : {false, true}) {
    pair_rig all{encrypted};
    std::vector<std::string> keys;
    std::size_t bytes = 0;
    for (auto size : {270'000u, 300'000u, 1'048'576u, 2'000'000u})
      for (auto name : {'a', 'b', 'c', 'd', 'e'}) {
        keys.push_back(std::to_string(size) + name);
        bytes += size;
      }
    const auto before = assembly::counted();
    all.check(keys);
    const auto after = assembly::counted();
    BOOST_TEST(after.placed - before.placed == bytes);
    BOOST_TEST(after.moved == before.moved);
  }
}

BOOST_AUTO_TEST_CASE(small_ones_and_huge_ones_go_together) {
  pair_rig all{false};
  std::vector<std::string> keys{"8388608x"};
  for (auto size : {1u, 100u, 65'536u, 65'537u, 262'144u})
    keys.push_back(std::to_string(size) + "y");
  keys.push_back("8388608z");
  all.check(keys);
}

BOOST_AUTO_TEST_SUITE_END()
