#include "nn/cpu/cpu_backend.h"

#include <algorithm>
#include <cassert>

#include "nn/device_memory.h"

namespace r1 {

std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, const kernels::KernelTable& table,
                                          Arithmetic arithmetic) {
  return std::make_unique<cpu::CpuBackend>(pool, table, arithmetic);
}

namespace cpu {

struct CpuBackend::Scratch {
  struct alignas(64) Part {
    DeviceBytes memory;

    std::byte* take(size_t wanted) {
      if (memory.size() < wanted) {
        memory = {};
        memory = DeviceBytes(host_memory(), wanted, DeviceMemory::Purpose::tensors);
      }
      return memory.get();
    }
  };
  std::vector<Part> threads;
  Part shared;
};

CpuBackend::CpuBackend(ThreadPool& pool, const kernels::KernelTable& table, Arithmetic arithmetic)
    : Backend(host_memory(), arithmetic),
      pool_(&pool),
      table_(&table),
      scratch_(std::make_unique<Scratch>()) {
  scratch_->threads.resize(pool.size());
}

CpuBackend::~CpuBackend() = default;

std::byte* CpuBackend::thread_scratch(int thread, size_t bytes) {
  assert(thread >= 0 && thread < static_cast<int>(scratch_->threads.size()));
  return scratch_->threads[thread].take(bytes);
}

std::byte* CpuBackend::shared_scratch(size_t bytes) {
  return scratch_->shared.take(bytes);
}

size_t CpuBackend::scratch_bytes() const {
  size_t bytes = scratch_->shared.memory.size();
  for (const Scratch::Part& part : scratch_->threads) bytes += part.memory.size();
  return bytes;
}

bool CpuBackend::supports(DType stored) const {
  return stored != DType::i8 && stored != DType::i16 && stored != DType::i32 && stored != DType::i64;
}

}  // namespace cpu
}  // namespace r1
