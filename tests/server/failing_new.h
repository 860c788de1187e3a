// An operator new that fails when it is told to. Include it in one file of a test program only: it replaces the
// program's.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace r1::test {

/// Calls of operator new, of all threads, until one fails; not positive: none fails.
inline std::atomic<int64_t> calls_until_failure{0};
/// That many calls in a row fail then.
inline std::atomic<int64_t> failures_left{0};
inline std::atomic<int64_t> failures{0};  // since it was set to 0

/// From here on call number `call` fails (1: the next), and the `count` - 1 behind it.
inline void fail_at(int64_t call, int64_t count = 1) {
  failures = 0;
  failures_left = count;
  calls_until_failure = call;
}

inline void fail_no_more() {
  calls_until_failure = 0;
  failures_left = 0;
}

inline bool fails_now() {
  if (calls_until_failure.load(std::memory_order_relaxed) <= 0) return false;
  if (calls_until_failure.fetch_sub(1) > 1) return false;
  calls_until_failure = failures_left.fetch_sub(1) > 1 ? 1 : 0;
  ++failures;
  return true;
}

/// As the C++ standard says operator new does it, over malloc.
inline void* allocate(std::size_t bytes, std::size_t alignment) {
  while (true) {
    if (!fails_now()) {
      void* const memory =
          alignment <= alignof(std::max_align_t)
              ? std::malloc(bytes == 0 ? 1 : bytes)
              : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
      if (memory != nullptr) return memory;
    }
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace r1::test

void* operator new(std::size_t bytes) {
  return r1::test::allocate(bytes, 0);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return r1::test::allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
