#include "base/memory_reserve.h"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <exception>
#include <new>

namespace r1 {
namespace {

constexpr std::size_t kParts = 32, kUnwindingParts = 4;

// A process has one new-handler, so it has one reserve: this is that state.
std::array<std::atomic<void*>, kParts> parts;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
std::atomic<std::size_t> part_bytes{0};        // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
std::atomic<int> missing{0};                   // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
thread_local bool took = false;                // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

/// Not by malloc: what is given back must leave the process, or an allocation of another size could not have it.
void* map(std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

/// True: nothing is missing any more.
bool refill() {
  const std::size_t bytes = part_bytes;
  if (bytes == 0) return true;
  for (std::atomic<void*>& part : parts) {
    if (part != nullptr) continue;
    void* const memory = map(bytes);
    if (memory == nullptr) return false;
    void* empty = nullptr;
    if (part.compare_exchange_strong(empty, memory)) {
      --missing;
    } else {
      munmap(memory, bytes);
    }
  }
  return true;
}

void on_exhausted() {
  const std::size_t first = std::uncaught_exceptions() > 0 ? 0 : kUnwindingParts;
  for (std::size_t index = kParts; index-- > first;) {
    void* const memory = parts[index].exchange(nullptr);
    if (memory == nullptr) continue;
    munmap(memory, part_bytes);
    ++missing;
    took = true;
    return;
  }
  refill();  // one allocation that is larger than all of it takes nothing away
  throw std::bad_alloc();
}

}  // namespace

MemoryReserve::MemoryReserve(std::size_t bytes) {
  part_bytes = bytes / kParts;
  missing = static_cast<int>(kParts);
  if (!refill()) {
    this->~MemoryReserve();
    throw std::bad_alloc();
  }
  std::set_new_handler(on_exhausted);
}

MemoryReserve::~MemoryReserve() {
  std::set_new_handler(nullptr);
  const std::size_t bytes = part_bytes.exchange(0);
  for (std::atomic<void*>& part : parts) {
    if (void* const memory = part.exchange(nullptr)) munmap(memory, bytes);
  }
  missing = 0;
  took = false;
}

void begin_memory_check() {
  if (took) refill();
  took = false;
}

void check_memory() {
  if (!took) return;
  took = false;
  refill();
  throw std::bad_alloc();
}

bool memory_is_whole() {
  return missing == 0 || refill();
}

}  // namespace r1
