#include "galaxycache/actors/typed_galaxy.hpp"

#include <caf/scoped_actor.hpp>

using namespace galaxycache;

struct user {
  std::string name;
};

template <>
struct galaxycache::codec<user> {
  static value encode(const user& x) {
    return value::copy(x.name);
  }

  static std::optional<user> decode(std::string_view bytes) {
    return user{std::string{bytes}};
  }
};

// Of all there is in this file, this has neither codec nor key codec.
struct stranger {};

using users = typed_galaxy<int, user>;
using user_backend = typed_backend<int, user>;
using tags = typed_galaxy<std::pair<std::string, int>, std::string>;

users add_users(universe& home) {
#ifdef WRONG_BACKEND // the backend of a typed galaxy is a typed_backend of the
                     // same key and value types
  using source = typed_backend<int, std::string>;
  auto find = [](int) { return std::string{}; };
#else
  using source = user_backend;
  auto find = [](int) { return user{}; };
#endif
  return add_typed_galaxy<int, user>(home, "users", 1 << 20,
                                     source::function(find));
}

#ifdef WRONG_BACKEND_KEY // a typed backend function takes a const Key& and
                         // returns a Value
auto wrong_key
  = user_backend::function([](const std::string&) { return user{}; });
#endif
#ifdef WRONG_BACKEND_VALUE // a typed backend function takes a const Key& and
                           // returns a Value
auto wrong_value = user_backend::in_place([](int) { return std::string{}; });
#endif

void get(const users& g, const tags& t, caf::scoped_actor& self) {
  auto on_user = [](const typed_answer<user>&) {};
  auto on_error = [](const caf::error&) {};
  g.get(self, 1).receive(on_user, on_error);
  g.get(self, 1L).receive(on_user, on_error);
  t.get(self, {"tag", 1}).receive([](const auto&) {}, on_error);
#ifdef WRONG_KEY // this key is not of the key type of the galaxy
  g.get(self, "1").receive(on_user, on_error);
#endif
#ifdef KEY_WITH_A_FRACTION // this key is not of the key type of the galaxy
  g.find(1.5);
#endif
#ifdef WRONG_PART_OF_A_KEY // this key is not of the key type of the galaxy
  t.find(std::pair{"tag", 1.5});
#endif
#ifdef WRONG_HANDLER // this handler does not take the answer of the galaxy
  g.get(self, 1).receive([](const typed_answer<std::string>&) {}, on_error);
#endif
#ifdef UNTYPED_HANDLER // this handler does not take the answer of the galaxy
  g.get(self, 1).receive([](const answer&) {}, on_error);
#endif
#ifdef WRONG_ERROR_HANDLER // the handler of errors takes a const caf::error&
  g.get(self, 1).receive(on_user, [](const std::string&) {});
#endif
}

#ifdef VALUE_WITHOUT_CODEC // the value type has no codec: specialise
                           // galaxycache::codec
template class galaxycache::typed_galaxy<int, stranger>;
#endif
#ifdef KEY_WITHOUT_CODEC // the key type has no key codec: specialise
                         // galaxycache::key_codec
template class galaxycache::typed_galaxy<stranger, user>;
#endif
