#include "galaxycache/runtime/chunk_source.hpp"

#include "chunks.hpp"
#include "refused_threads.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

using namespace galaxycache;

namespace {

using source = galaxycache::chunk_source;
using pages = source::pages;

constexpr auto chunk_bytes = source::chunk_bytes;
constexpr auto few = source::ready_from;
constexpr auto many = source::taken_for_more;

bool is_aligned(const void* chunk) {
  return reinterpret_cast<std::uintptr_t>(chunk) % chunk_bytes == 0;
}

void write_to(void* chunk) {
  *static_cast<volatile char*>(chunk) = 1;
}

/// How often this thread had the system find memory.
long faults() {
  rusage used{};
  getrusage(RUSAGE_THREAD, &used);
  return used.ru_minflt;
}

/// Some chunks, all in huge pages, which are given back in the end.
class chunks {
public:
  explicit chunks(source& from) : from_(from) {
    all_.reserve(4 * many);
  }

  chunks(const chunks&) = delete;
  chunks& operator=(const chunks&) = delete;

  ~chunks() {
    give_back(all_.size());
  }

  void take(std::size_t count) {
    for (; count > 0; --count) {
      all_.push_back(from_.take(pages::huge));
      BOOST_TEST_REQUIRE(all_.back() != nullptr);
      BOOST_TEST_REQUIRE(is_aligned(all_.back()));
      write_to(all_.back());
    }
  }

  void give_back(std::size_t count) {
    for (; count > 0; --count) {
      from_.give_back(all_.back(), pages::huge);
      all_.pop_back();
    }
  }

private:
  source& from_;
  std::vector<void*> all_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(chunk_source)

BOOST_AUTO_TEST_CASE(chunks_are_aligned_and_can_be_written_to) {
  for (auto which : {pages::ordinary, pages::huge}) {
    source from;
    auto* const x = from.take(which);
    BOOST_TEST_REQUIRE(x != nullptr);
    BOOST_TEST(is_aligned(x));
    for (std::size_t i = 0; i < chunk_bytes; i += 512)
      write_to(static_cast<char*>(x) + i);
    from.give_back(x, which);
  }
}

BOOST_AUTO_TEST_CASE(of_few_chunks_none_is_ready) {
  source from;
  from.add_arena();
  chunks all{from};
  all.take(few - 1);
  // What was given back does not count.
  for (std::size_t i = 0; i < 2 * few; ++i) {
    all.give_back(1);
    all.take(1);
    BOOST_TEST_REQUIRE(ready_soon(from) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(of_many_the_next_is_touched_before_it_is_taken) {
  source from;
  from.add_arena();
  chunks all{from};
  all.take(few);
  // One that is not would be one more; others are for what the test does.
  long found = 0;
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST_REQUIRE(ready_soon(from) == 1u);
    const auto before = faults();
    all.take(1);
    found += faults() - before;
  }
  BOOST_TEST(found < 10);
  // Who wants ordinary pages gets others.
  BOOST_TEST(ready_soon(from) == 1u);
  auto* const ordinary = from.take(pages::ordinary);
  BOOST_TEST(ready_soon(from) == 1u);
  from.give_back(ordinary, pages::ordinary);
}

BOOST_AUTO_TEST_CASE(more_are_ready_of_many_but_not_more_than_arenas_want) {
  source from;
  from.add_arena();
  chunks all{from};
  all.take(many - 1);
  BOOST_TEST(ready_soon(from) == 1u);
  all.take(2 * many);
  BOOST_TEST(ready_soon(from) == 2u);
  from.add_arena();
  all.take(1);
  BOOST_TEST(ready_soon(from) == 4u);
  from.remove_arena();
  all.take(2);
  BOOST_TEST(ready_soon(from) == 2u);
}

BOOST_AUTO_TEST_CASE(fewer_are_ready_when_chunks_are_given_back) {
  source from;
  from.add_arena();
  from.add_arena();
  chunks all{from};
  all.take(3 * many);
  BOOST_TEST(ready_soon(from) == 4u);
  all.give_back(many);
  BOOST_TEST(ready_soon(from) == 3u);
  all.give_back(2 * many);
  BOOST_TEST(ready_soon(from) == 0u);
}

BOOST_AUTO_TEST_CASE(what_an_arena_keeps_does_not_count) {
  source from;
  from.add_arena();
  from.add_arena();
  std::vector<void*> kept;
  for (std::size_t i = 0; i < 2 * many; ++i)
    kept.push_back(from.take(pages::huge));
  BOOST_TEST(ready_soon(from) == 3u);
  from.remove_arena(kept.size());
  BOOST_TEST(ready_soon(from) == 0u);
  for (auto* x : kept)
    source::unmap(x);
}

BOOST_AUTO_TEST_CASE(a_source_ends_whatever_it_is_doing_and_leaves_nothing) {
  // The first thread is there, as are its stack and what it allocates from.
  const auto run = [](int i) {
    source from;
    from.add_arena();
    chunks all{from};
    all.take(2 * many);
    if (i % 2 == 0)
      BOOST_TEST(ready_soon(from) == 2u);
    if (i % 3 == 0)
      all.give_back(many);
  };
  run(0);
  const auto before = address_bytes();
  for (int i = 0; i < 50; ++i)
    run(i);
  BOOST_TEST(address_bytes() <= before + 8 * chunk_bytes);
}

BOOST_AUTO_TEST_CASE(threads_take_chunks_of_their_own) {
  source from;
  constexpr unsigned threads = 4;
  constexpr unsigned rounds = 200;
  std::atomic<unsigned> wrong{0};
  std::vector<std::thread> takers;
  for (unsigned t = 1; t <= threads; ++t)
    takers.emplace_back([&from, &wrong, t] {
      from.add_arena();
      std::vector<unsigned*> own;
      for (unsigned i = 0; i < rounds; ++i) {
        auto* const x = static_cast<unsigned*>(from.take(pages::huge));
        *x = t * rounds + i;
        own.push_back(x);
        if (own.size() > 10) {
          if (*own.front() != t * rounds + i - 10)
            ++wrong;
          from.give_back(own.front(), pages::huge);
          own.erase(own.begin());
        }
      }
      for (auto* x : own)
        from.give_back(x, pages::huge);
      from.remove_arena();
    });
  for (auto& x : takers)
    x.join();
  BOOST_TEST(wrong == 0u);
  BOOST_TEST(ready_soon(from) == 0u);
}

#ifdef CAN_REFUSE_THREADS
BOOST_AUTO_TEST_CASE(without_a_thread_takers_touch_their_own) {
  source from;
  from.add_arena();
  chunks all{from};
  refuse_threads = true;
  all.take(2 * many);
  BOOST_TEST(from.on_their_way() == 0u);
  BOOST_TEST(from.ready_bytes() == 0u);
  refuse_threads = false;
  all.take(1);
  BOOST_TEST(ready_soon(from) == 2u);
}
#endif

BOOST_AUTO_TEST_SUITE_END()
