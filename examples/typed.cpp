// Keys and values as C++ types: a pair and a struct. What the types do not fit
// does not compile.

#include "galaxycache/actors/typed_galaxy.hpp"
#include "galaxycache/galaxycache.hpp"

#include <caf/event_based_actor.hpp>

#include <iostream>
#include <map>

using namespace galaxycache;

// A country and a year.
using place_and_time = std::pair<std::string, int>;

struct census {
  std::string source;
  long people = 0;
};

// The number, a space, the source.
template <>
struct galaxycache::codec<census> {
  static value encode(const census& x) {
    return value::take(std::to_string(x.people) + ' ' + x.source);
  }

  static std::optional<census> decode(std::string_view bytes) {
    auto space = bytes.find(' ');
    if (space == bytes.npos)
      return std::nullopt;
    auto people = codec<long>::decode(bytes.substr(0, space));
    if (!people)
      return std::nullopt;
    return census{std::string{bytes.substr(space + 1)}, *people};
  }
};

// What takes long to ask for.
std::optional<census> count_people(const place_and_time& key) {
  static const std::map<place_and_time, census> archive{
    {{"Iceland", 1703}, {"Manntalið 1703", 50'358}},
    {{"Sweden", 1749}, {"Tabellverket", 1'764'724}},
  };
  auto found = archive.find(key);
  if (found == archive.end())
    return std::nullopt; // not found: an answer, not an error
  return found->second;
}

int main() {
  config cfg;
  caf::actor_system system{cfg};
  universe here{system, {.self = "node-1"}};
  auto people = add_typed_galaxy(
    here, "people", 64 << 20,
    typed_backend<place_and_time, census>::function(count_people));
  std::vector<place_and_time> keys{{"Iceland", 1703}, {"Sweden", 1649}};
  system.spawn([people, keys](caf::event_based_actor* self) {
    people.get_many(self, keys)
      .then(
        [keys](const std::vector<typed_get_result<census>>& results) {
          for (std::size_t i = 0; i < keys.size(); ++i) {
            std::cout << keys[i].first << ' ' << keys[i].second << ": ";
            if (auto& found = results[i].content.data)
              std::cout << found->people << " (" << found->source << ")\n";
            else if (results[i].ok())
              std::cout << "nobody counted\n";
            else
              std::cout << results[i].reason << '\n';
          }
        },
        [](const caf::error& why) { std::cout << describe(why) << '\n'; });
  });
  system.await_all_actors_done();
  people.visit({"Iceland", 1703}, [](const typed_answer<census>& x) {
    std::cout << "still here: " << x.data->people << '\n';
  });
}
