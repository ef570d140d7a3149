#pragma once

#include "galaxycache/runtime/chunk_source.hpp"

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <fstream>
#include <thread>

// What tests see of chunks and of what else there is mapped.

/// What this process has mapped.
inline std::size_t address_bytes() {
  std::ifstream in{"/proc/self/statm"};
  std::size_t pages = 0;
  BOOST_TEST_REQUIRE(bool{in >> pages});
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// How many are ready when those are that should be.
inline std::size_t ready_soon(const galaxycache::chunk_source& from) {
  const auto until = std::chrono::steady_clock::now()
                     + std::chrono::seconds{30};
  while (from.on_their_way() > 0) {
    BOOST_TEST_REQUIRE((std::chrono::steady_clock::now() < until));
    std::this_thread::yield();
  }
  return from.ready_bytes() / galaxycache::chunk_source::chunk_bytes;
}
