#include <sys/mman.h>

#include <cstring>
#include <new>

#include "base/error.h"
#include "nn/device_memory.h"

namespace r1 {
namespace {

constexpr std::align_val_t kAlignment{64};

class HostMemory final : public DeviceMemory {
 public:
  bool is_host() const override { return true; }

  std::byte* allocate(size_t bytes, Purpose purpose) override {
    if (bytes == 0) return nullptr;
    if (purpose == Purpose::tensors) {
      return static_cast<std::byte*>(::operator new[]((bytes + 63) / 64 * 64, kAlignment));
    }
    void* data =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
      throw_error(ErrorKind::out_of_memory, "the system refused to reserve {} bytes", bytes);
    }
    // A hint: failure is harmless.
    ::madvise(data, bytes, MADV_HUGEPAGE);
    return static_cast<std::byte*>(data);
  }

  void release(std::byte* data, size_t bytes, Purpose purpose) override {
    if (data == nullptr) return;
    if (purpose == Purpose::tensors) {
      ::operator delete[](data, kAlignment);
    } else {
      ::munmap(data, bytes);
    }
  }

  const std::byte* place(const std::byte* stored, size_t, DeviceBytes&) override { return stored; }
  void upload(void* device, const void* host, size_t bytes) override { copy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) override { copy(host, device, bytes); }
  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void zero(void* device, size_t bytes) override {
    if (bytes > 0) std::memset(device, 0, bytes);
  }
};

}  // namespace

DeviceMemory& host_memory() {
  static HostMemory memory;
  return memory;
}

}  // namespace r1
