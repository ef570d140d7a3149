#include "galaxycache/runtime/chunk_source.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
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
constexpr auto more = source::taken_for_more;

/// Whether its first page is there without a touch of ours.
bool is_touched(void* chunk) {
  unsigned char result = 0;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  BOOST_TEST_REQUIRE(mincore(chunk, page, &result) == 0);
  return (result & 1) != 0;
}

bool is_aligned(const void* chunk) {
  return reinterpret_cast<std::uintptr_t>(chunk) % chunk_bytes == 0;
}

void await_ready(const source& from, std::size_t count) {
  const auto until = std::chrono::steady_clock::now()
                     + std::chrono::seconds{30};
  while (from.ready_bytes() < count * chunk_bytes) {
    BOOST_TEST_REQUIRE((std::chrono::steady_clock::now() < until));
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

/// Time enough for a chunk that should not be touched.
void let_it_touch() {
  std::this_thread::sleep_for(std::chrono::milliseconds{50});
}

std::vector<void*> take_many(source& from, std::size_t count) {
  std::vector<void*> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(from.take(pages::huge));
    BOOST_TEST_REQUIRE(result.back() != nullptr);
  }
  return result;
}

void give_back_all(source& to, const std::vector<void*>& chunks) {
  for (auto* x : chunks)
    to.give_back(x);
}

} // namespace

BOOST_AUTO_TEST_SUITE(chunk_source)

BOOST_AUTO_TEST_CASE(chunks_are_aligned_and_can_be_given_back) {
  for (auto huge : {false, true}) {
    source from{huge};
    BOOST_TEST(from.has_huge_pages() == huge);
    for (auto which : {pages::ordinary, pages::huge}) {
      auto* const x = from.take(which);
      BOOST_TEST_REQUIRE(x != nullptr);
      BOOST_TEST(is_aligned(x));
      *static_cast<char*>(x) = 1;
      from.give_back(x);
    }
  }
}

BOOST_AUTO_TEST_CASE(of_few_chunks_none_is_ready) {
  source from;
  from.add_arena();
  auto chunks = take_many(from, few - 1);
  // What was given back does not count.
  for (std::size_t i = 0; i < 2 * few; ++i) {
    from.give_back(chunks.back());
    chunks.back() = from.take(pages::huge);
  }
  let_it_touch();
  BOOST_TEST(from.ready_bytes() == 0u);
  give_back_all(from, chunks);
}

BOOST_AUTO_TEST_CASE(of_many_the_next_is_touched_before_it_is_taken) {
  source from;
  from.add_arena();
  auto chunks = take_many(from, few);
  for (int i = 0; i < 20; ++i) {
    await_ready(from, 1);
    BOOST_TEST(from.ready_bytes() == chunk_bytes);
    chunks.push_back(from.take(pages::huge));
    BOOST_TEST_REQUIRE(is_touched(chunks.back()));
    BOOST_TEST(is_aligned(chunks.back()));
  }
  // Who wants ordinary pages gets others.
  await_ready(from, 1);
  auto* const ordinary = from.take(pages::ordinary);
  BOOST_TEST(!is_touched(ordinary));
  BOOST_TEST(from.ready_bytes() == chunk_bytes);
  chunks.push_back(ordinary);
  // Who has few gets what there is, and no more is made ready.
  give_back_all(from, chunks);
  auto* const last = from.take(pages::huge);
  let_it_touch();
  BOOST_TEST(from.ready_bytes() == 0u);
  from.give_back(last);
}

BOOST_AUTO_TEST_CASE(more_are_ready_of_many_but_not_more_than_arenas_want) {
  source from;
  from.add_arena();
  auto chunks = take_many(from, more - 1);
  await_ready(from, 1);
  let_it_touch();
  BOOST_TEST(from.ready_bytes() == chunk_bytes);
  for (auto* x : take_many(from, 2 * more))
    chunks.push_back(x);
  await_ready(from, 2);
  let_it_touch();
  BOOST_TEST(from.ready_bytes() == 2 * chunk_bytes);
  from.add_arena();
  chunks.push_back(from.take(pages::huge));
  await_ready(from, 4);
  from.remove_arena();
  for (auto* x : take_many(from, 2))
    chunks.push_back(x);
  let_it_touch();
  BOOST_TEST(from.ready_bytes() == 2 * chunk_bytes);
  give_back_all(from, chunks);
}

BOOST_AUTO_TEST_CASE(without_huge_pages_nothing_is_touched) {
  source from{false};
  from.add_arena();
  const auto chunks = take_many(from, 2 * more);
  let_it_touch();
  BOOST_TEST(from.ready_bytes() == 0u);
  for (auto* x : chunks)
    BOOST_TEST(!is_touched(x));
  give_back_all(from, chunks);
}

BOOST_AUTO_TEST_CASE(a_source_ends_whatever_it_is_doing) {
  for (int i = 0; i < 50; ++i) {
    auto from = std::make_unique<source>();
    from->add_arena();
    from->add_arena();
    const auto chunks = take_many(*from, 2 * more);
    if (i % 2 == 0)
      await_ready(*from, 1);
    from->remove_arena();
    from->remove_arena();
    from.reset();
    for (auto* x : chunks)
      source::unmap(x);
  }
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
          from.give_back(own.front());
          own.erase(own.begin());
        }
      }
      for (auto* x : own)
        from.give_back(x);
      from.remove_arena();
    });
  for (auto& x : takers)
    x.join();
  BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
