#include "galaxycache/runtime/entry_arena.hpp"

#include "chunks.hpp"

#include "galaxycache/runtime/random.hpp"
#include "galaxycache/runtime/value.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using namespace galaxycache;

namespace {

using pool = galaxycache::entry_arena;

/// A block that is filled with something of its own.
struct filled {
  unsigned char* at;
  std::size_t size;
  unsigned char with;

  bool is_whole() const {
    return std::all_of(at, at + size,
                       [this](unsigned char x) { return x == with; });
  }
};

pool::handle open(bool huge_pages) {
  return pool::open(std::make_shared<chunk_source>(huge_pages));
}

filled fill(pool& from, std::size_t size, unsigned number) {
  auto* at = static_cast<unsigned char*>(from.allocate(size));
  BOOST_TEST_REQUIRE(at != nullptr);
  const auto with = static_cast<unsigned char>(number);
  std::memset(at, with, size);
  return {at, size, with};
}

std::vector<filled> fill_many(pool& from, std::size_t count, std::size_t size) {
  std::vector<filled> result;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back(fill(from, size, static_cast<unsigned>(i)));
  return result;
}

std::map<void*, filled> by_place(const std::vector<filled>& blocks) {
  std::map<void*, filled> result;
  for (const auto& x : blocks)
    result.emplace(x.at, x);
  return result;
}

/// Each of which must be as it was filled.
void free_all(const std::map<void*, filled>& blocks) {
  for (const auto& [at, x] : blocks) {
    BOOST_TEST_REQUIRE(x.is_whole());
    pool::free(at);
  }
}

void free_all(pool& of, std::vector<filled>& blocks) {
  for (auto& x : blocks)
    pool::free(x.at);
  blocks.clear();
  of.take_in();
}

std::size_t used_bytes(const pool& x) {
  return x.mapped_bytes() - x.unused_bytes();
}

/// Moves what the arena says, as a shard does, until there is nothing to move;
/// returns how many blocks.
std::size_t move_all(pool& in, std::map<void*, filled>& blocks) {
  std::size_t moves = 0;
  for (int idle = 0; idle < 5'000; in.take_in()) {
    auto* from = in.next_to_move();
    if (!from) {
      ++idle;
      continue;
    }
    idle = 0;
    BOOST_TEST_REQUIRE(++moves < 1'000'000u);
    const auto old = blocks.extract(from).mapped();
    BOOST_TEST_REQUIRE(old.is_whole());
    const auto moved = fill(in, old.size, old.with);
    blocks.emplace(moved.at, moved);
    pool::retire(old.at);
    pool::free(old.at);
  }
  return moves;
}

} // namespace

BOOST_AUTO_TEST_SUITE(entry_arena)

BOOST_AUTO_TEST_CASE(blocks_are_aligned_and_cost_what_others_do) {
  for (auto huge : {false, true}) {
    const auto a = open(huge);
    BOOST_TEST(a->mapped_bytes() == 0u);
    std::vector<filled> blocks;
    std::size_t cost = 0;
    for (std::size_t size = 0; size <= pool::request_bytes_max;
         size += 1 + size / 50) {
      blocks.push_back(fill(*a, size, static_cast<unsigned>(size)));
      BOOST_TEST_REQUIRE(reinterpret_cast<std::uintptr_t>(blocks.back().at) % 16
                         == 0);
      cost += allocated_bytes(size);
      BOOST_TEST_REQUIRE(used_bytes(*a) == cost);
    }
    for (const auto& x : blocks)
      BOOST_TEST_REQUIRE(x.is_whole());
    free_all(*a, blocks);
    BOOST_TEST(used_bytes(*a) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_block_may_not_be_too_large) {
  const auto a = open(true);
  auto* largest = a->allocate(pool::request_bytes_max);
  BOOST_TEST(largest != nullptr);
  BOOST_TEST(a->allocate(pool::request_bytes_max + 1) == nullptr);
  BOOST_TEST(a->allocate(SIZE_MAX) == nullptr);
  pool::free(largest);
}

BOOST_AUTO_TEST_CASE(free_neighbours_become_one_in_any_order) {
  random_source random{1};
  for (int round = 0; round < 3; ++round) {
    const auto a = open(false);
    auto blocks = fill_many(*a, 30'000, 100);
    const auto mapped = a->mapped_bytes();
    BOOST_TEST(mapped == 2 * pool::chunk_bytes);
    if (round == 1)
      std::ranges::reverse(blocks);
    if (round == 2)
      for (std::size_t i = blocks.size() - 1; i > 0; --i)
        std::swap(blocks[i], blocks[random.below(i + 1)]);
    // Some stay, at the ends of chunks or not.
    auto last = blocks.back();
    blocks.pop_back();
    free_all(*a, blocks);
    blocks = fill_many(*a, 240, 14'000);
    BOOST_TEST(a->mapped_bytes() == mapped);
    BOOST_TEST(last.is_whole());
    pool::free(last.at);
    free_all(*a, blocks);
  }
}

BOOST_AUTO_TEST_CASE(a_chunk_that_is_empty_is_kept_and_more_are_given_back) {
  const auto a = open(true);
  auto blocks = fill_many(*a, 100'000, 200);
  BOOST_TEST(a->mapped_bytes() == 10 * pool::chunk_bytes);
  free_all(*a, blocks);
  BOOST_TEST(a->mapped_bytes() == pool::chunk_bytes);
  BOOST_TEST(a->unused_bytes() == pool::chunk_bytes);
}

BOOST_AUTO_TEST_CASE(the_source_knows_what_is_taken) {
  const auto chunks = std::make_shared<chunk_source>();
  constexpr auto enough = (chunk_source::ready_from + 2) * pool::chunk_bytes;
  for (auto keep : {false, true}) {
    auto a = pool::open(chunks);
    auto blocks = fill_many(*a, enough / 10'000, 10'000);
    BOOST_TEST(ready_soon(*chunks) > 0u);
    if (!keep)
      free_all(*a, blocks);
    BOOST_TEST((ready_soon(*chunks) > 0) == keep);
    a.reset();
    BOOST_TEST(ready_soon(*chunks) == 0u);
    for (const auto& x : blocks)
      pool::free(x.at);
    BOOST_TEST(ready_soon(*chunks) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(blocks_outlive_their_arena) {
  auto a = open(true);
  auto blocks = fill_many(*a, 500'000, 100);
  const auto mapped = a->mapped_bytes();
  const auto before = address_bytes();
  // Some come back before, and some of these are taken in.
  for (std::size_t i = 0; i < 100'000; ++i)
    pool::free(std::exchange(blocks[i * 5].at, nullptr));
  a->take_in(1'000);
  a.reset();
  for (const auto& x : blocks)
    if (x.at) {
      BOOST_TEST_REQUIRE(x.is_whole());
      pool::free(x.at);
    }
  // All but what others may have taken meanwhile.
  BOOST_TEST(address_bytes() <= before - mapped + mapped / 4);
  // One that never had a block, and one that has none.
  open(true).reset();
  a = open(true);
  pool::free(a->allocate(100));
}

BOOST_AUTO_TEST_CASE(no_sequence_of_changes_mixes_blocks_up) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    random_source random{seed};
    const auto a = open(seed % 2 == 0);
    std::map<void*, filled> blocks;
    std::set<void*> retired;
    std::size_t cost = 0;
    std::size_t peak = 0;
    const auto give_back = [&](std::map<void*, filled>::iterator i) {
      BOOST_TEST_REQUIRE(i->second.is_whole());
      cost -= allocated_bytes(i->second.size);
      retired.erase(i->first);
      pool::free(i->first);
      blocks.erase(i);
    };
    const auto any = [&] {
      auto i = blocks.lower_bound(reinterpret_cast<void*>(
        reinterpret_cast<std::uintptr_t>(blocks.begin()->first)
        + random.below(16 << 20)));
      return i == blocks.end() ? blocks.begin() : i;
    };
    for (unsigned i = 0; i < 60'000; ++i) {
      // Grows, shrinks, and has other sizes with each phase.
      const auto phase = i / 10'000;
      const auto most = phase % 3 == 0 ? 200u : phase % 3 == 1 ? 2'000u : 600u;
      if (blocks.empty() || random.below(100) < (phase % 2 == 0 ? 60u : 45u)) {
        const auto size = random.below(200) == 0 ? random.below(16'000)
                                                 : random.below(most);
        const auto x = fill(*a, size, i);
        BOOST_TEST_REQUIRE(blocks.emplace(x.at, x).second);
        cost += allocated_bytes(size);
      } else {
        give_back(any());
      }
      if (random.below(8) == 0)
        a->take_in(random.below(50));
      if (random.below(4) == 0)
        if (auto* from = a->next_to_move()) {
          const auto old = blocks.find(from);
          BOOST_TEST_REQUIRE((old != blocks.end()));
          BOOST_TEST_REQUIRE(retired.insert(from).second);
          pool::retire(from);
        }
      if (random.below(4) == 0 && !retired.empty())
        give_back(blocks.find(*retired.begin()));
      peak = std::max(peak, cost);
      BOOST_TEST_REQUIRE(used_bytes(*a) >= cost);
    }
    a->take_in();
    BOOST_TEST(used_bytes(*a) == cost);
    BOOST_TEST(a->mapped_bytes() <= peak + peak / 4 + 2 * pool::chunk_bytes);
    while (!blocks.empty())
      give_back(blocks.begin());
    a->take_in();
    BOOST_TEST(used_bytes(*a) == 0u);
    BOOST_TEST(a->mapped_bytes() <= 2 * pool::chunk_bytes);
  }
}

BOOST_AUTO_TEST_CASE(chunks_that_are_little_used_are_moved_out_of) {
  for (auto huge : {false, true}) {
    random_source random{2};
    const auto a = open(huge);
    auto blocks = by_place(fill_many(*a, 200'000, 100));
    const auto before = a->mapped_bytes();
    for (auto i = blocks.begin(); i != blocks.end();) {
      if (random.below(4) == 0) {
        ++i;
        continue;
      }
      pool::free(i->first);
      i = blocks.erase(i);
    }
    a->take_in();
    BOOST_TEST(a->mapped_bytes() == before);
    move_all(*a, blocks);
    BOOST_TEST(used_bytes(*a) == blocks.size() * allocated_bytes(100));
    BOOST_TEST(a->unused_bytes() <= 2 * pool::chunk_bytes);
    free_all(blocks);
  }
}

BOOST_AUTO_TEST_CASE(moving_ends_though_nothing_fits_the_holes) {
  const auto a = open(false);
  std::map<void*, filled> blocks;
  std::vector<void*> small;
  for (unsigned i = 0; i < 150'000; ++i) {
    const auto x = fill(*a, i % 2 == 0 ? 40 : 150, i);
    if (i % 2 == 0)
      small.push_back(x.at);
    else
      blocks.emplace(x.at, x);
  }
  const auto before = a->mapped_bytes();
  for (auto* x : small)
    pool::free(x);
  a->take_in();
  const auto moves = move_all(*a, blocks);
  BOOST_TEST(moves > 10'000u);
  BOOST_TEST(moves < 3 * blocks.size());
  BOOST_TEST(a->mapped_bytes() < before);
  BOOST_TEST(a->unused_bytes()
             <= std::max(a->mapped_bytes() / 8, 2 * pool::chunk_bytes));
  free_all(blocks);
}

BOOST_AUTO_TEST_CASE(nothing_is_moved_where_most_is_used) {
  random_source random{3};
  const auto a = open(false);
  auto blocks = fill_many(*a, 200'000, 100);
  BOOST_TEST(a->next_to_move() == nullptr);
  for (auto& x : blocks)
    if (random.below(12) == 0)
      pool::free(std::exchange(x.at, nullptr));
  a->take_in();
  for (int i = 0; i < 5'000; ++i)
    BOOST_TEST_REQUIRE(a->next_to_move() == nullptr);
  std::erase_if(blocks, [](const filled& x) { return !x.at; });
  free_all(*a, blocks);
}

BOOST_AUTO_TEST_CASE(only_the_first_chunk_is_given_up_for_huge_pages) {
  for (auto huge : {false, true}) {
    const auto a = open(huge);
    auto blocks = by_place(fill_many(*a, 80'000, 100));
    const auto chunk_of = [](const void* at) {
      return reinterpret_cast<std::uintptr_t>(at) / pool::chunk_bytes;
    };
    std::set<std::uintptr_t> chunks;
    for (const auto& [at, x] : blocks)
      chunks.insert(chunk_of(at));
    BOOST_TEST(chunks.size() == 5u);
    move_all(*a, blocks);
    std::set<std::uintptr_t> later;
    for (const auto& [at, x] : blocks)
      later.insert(chunk_of(at));
    std::vector<std::uintptr_t> left;
    std::ranges::set_difference(chunks, later, std::back_inserter(left));
    BOOST_TEST(left.size() == (huge ? 1u : 0u));
    free_all(blocks);
  }
}

BOOST_AUTO_TEST_CASE(a_chunk_of_which_somebody_keeps_values_is_used_again) {
  const auto a = open(false);
  std::map<void*, filled> blocks;
  std::set<void*> kept;
  const auto many = fill_many(*a, 100'000, 100);
  for (std::size_t i = 0; i < many.size(); ++i) {
    if (i % 10 == 0)
      blocks.emplace(many[i].at, many[i]);
    else if (i % 10 != 5)
      pool::free(many[i].at);
    else
      kept.insert(many[i].at);
  }
  for (auto* x : kept)
    pool::retire(x);
  a->take_in();
  const auto before = a->mapped_bytes();
  move_all(*a, blocks);
  // All of the holes hold something again.
  std::vector<filled> more;
  while (a->mapped_bytes() <= before)
    more.push_back(fill(*a, 100, 1));
  BOOST_TEST(a->unused_bytes() < 2 * pool::chunk_bytes);
  // And if they do not any more, nobody is moved in vain.
  free_all(*a, more);
  BOOST_TEST(a->unused_bytes() > 3 * pool::chunk_bytes);
  move_all(*a, blocks);
  BOOST_TEST(move_all(*a, blocks) == 0u);
  for (const auto& x : many)
    if (kept.contains(x.at)) {
      BOOST_TEST_REQUIRE(x.is_whole());
      pool::free(x.at);
    }
  free_all(blocks);
  a->take_in();
  BOOST_TEST(used_bytes(*a) == 0u);
}

BOOST_AUTO_TEST_CASE(blocks_come_and_go_while_others_move) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    random_source random{seed};
    const auto a = open(seed % 2 == 0);
    std::vector<filled> blocks;
    std::map<void*, std::size_t> where;
    const auto add = [&](std::size_t size, unsigned number) {
      blocks.push_back(fill(*a, size, number));
      where[blocks.back().at] = blocks.size() - 1;
    };
    const auto remove = [&](std::size_t i) {
      BOOST_TEST_REQUIRE(blocks[i].is_whole());
      where.erase(blocks[i].at);
      pool::retire(blocks[i].at);
      pool::free(blocks[i].at);
      blocks[i] = blocks.back();
      blocks.pop_back();
      if (i < blocks.size())
        where[blocks[i].at] = i;
    };
    for (unsigned i = 0; i < 60'000; ++i)
      add(random.below(500), i);
    while (blocks.size() > 20'000)
      remove(random.below(blocks.size()));
    a->take_in();
    std::size_t moves = 0;
    for (unsigned i = 0; i < 200'000; ++i) {
      if (auto* from = a->next_to_move()) {
        BOOST_TEST_REQUIRE(where.contains(from));
        ++moves;
        // Most are moved at once, some leave before, some stay for long.
        if (random.below(4) != 0) {
          const auto at = where.at(from);
          add(blocks[at].size, blocks[at].with);
          remove(at);
        }
      }
      if (random.below(3) == 0 && blocks.size() > 2'000)
        remove(random.below(blocks.size()));
      if (random.below(4) == 0)
        add(random.below(500), i);
      if (random.below(20) == 0)
        a->take_in(random.below(100));
    }
    BOOST_TEST(moves > 1'000u);
    a->take_in();
    std::size_t cost = 0;
    for (const auto& x : blocks)
      cost += allocated_bytes(x.size);
    BOOST_TEST(used_bytes(*a) == cost);
    while (!blocks.empty())
      remove(blocks.size() - 1);
  }
}

BOOST_AUTO_TEST_CASE(threads_give_back_while_one_allocates_and_after_the_end) {
  constexpr std::size_t threads = 3;
  constexpr unsigned rounds = 20'000;
  std::atomic<int> torn{0};
  for (int run = 0; run < 5; ++run) {
    auto a = open(run % 2 == 0);
    std::array<std::atomic<filled*>, threads * 64> places{};
    std::atomic<bool> done{false};
    std::vector<std::thread> others;
    for (std::size_t t = 0; t < threads; ++t)
      others.emplace_back([&, t] {
        random_source random{t};
        const auto look = [&] {
          auto& place = places[t * 64 + random.below(64)];
          if (auto* x = place.exchange(nullptr, std::memory_order_acquire)) {
            torn += !x->is_whole();
            pool::free(x->at);
            delete x;
          }
        };
        while (!done)
          look();
        // The arena may be ending now.
        for (int i = 0; i < 2'000; ++i)
          look();
      });
    random_source random{99};
    for (unsigned i = 0; i < rounds; ++i) {
      auto* x = new filled{fill(*a, random.below(3'000), i)};
      auto& place = places[random.below(places.size())];
      if (auto* old = place.exchange(x, std::memory_order_acq_rel)) {
        torn += !old->is_whole();
        pool::free(old->at);
        delete old;
      }
    }
    done = true;
    a.reset();
    for (auto& t : others)
      t.join();
    for (auto& place : places)
      if (auto* x = place.load()) {
        torn += !x->is_whole();
        pool::free(x->at);
        delete x;
      }
  }
  BOOST_TEST(torn == 0);
}

BOOST_AUTO_TEST_SUITE_END()
