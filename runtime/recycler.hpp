#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>
#include <new>

namespace galaxycache {

/// Memory for nodes that one actor makes and drops all the time. Keeps some of
/// what it is given back: what an actor allocates on one thread and frees on
/// another makes both wait for a lock of the allocator's. Not thread-safe.
class recycler final : public std::pmr::memory_resource {
public:
  /// Larger blocks come from the allocator, and return to it.
  static constexpr std::size_t block_bytes_max = 512;
  /// Of each size.
  static constexpr std::size_t blocks_kept_max = 128;

  recycler() = default;

  ~recycler() override {
    for (auto& kept : kept_)
      while (auto* block = kept.take())
        ::operator delete(block);
  }

private:
  static constexpr std::size_t step = 64;

  struct block {
    block* next;
  };

  /// Blocks of one size.
  struct stack {
    block* first = nullptr;
    std::size_t size = 0;

    void* take() noexcept {
      auto* result = first;
      if (result) {
        first = result->next;
        --size;
      }
      return result;
    }

    void put(void* memory) noexcept {
      first = new (memory) block{first};
      ++size;
    }
  };

  static std::size_t which(std::size_t bytes) noexcept {
    return (bytes + step - 1) / step;
  }

  static bool recycles(std::size_t bytes, std::size_t alignment) noexcept {
    return bytes > 0 && bytes <= block_bytes_max
           && alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
  }

  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (!recycles(bytes, alignment))
      return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    auto n = which(bytes);
    auto* known = kept_[n].take();
    return known ? known : ::operator new(n* step);
  }

  void do_deallocate(void* memory, std::size_t bytes,
                     std::size_t alignment) override {
    if (!recycles(bytes, alignment))
      return std::pmr::new_delete_resource()->deallocate(memory, bytes,
                                                         alignment);
    auto& kept = kept_[which(bytes)];
    if (kept.size < blocks_kept_max)
      kept.put(memory);
    else
      ::operator delete(memory);
  }

  bool do_is_equal(const memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::array<stack, block_bytes_max / step + 1> kept_;
};

} // namespace galaxycache
