// Memory of a device that the host must not touch: its addresses are no addresses of this process, so that a
// read or write outside of the device faults, and the device checks that what it is given is its own.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

#include "nn/device_memory.h"

namespace r1::test {

class FencedMemory final : public DeviceMemory {
 public:
  std::byte* allocate(size_t bytes, Purpose) override {
    if (bytes == 0) return nullptr;
    const size_t rounded = (bytes + 63) / 64 * 64;
    auto* data = static_cast<std::byte*>(std::aligned_alloc(64, rounded));
    std::memset(data, 0xff, rounded);  // floats: NaN
    std::lock_guard lock(mutex_);
    allocations_[data] = bytes;
    return data + kFence;
  }

  void release(std::byte* data, size_t, Purpose) override {
    if (data == nullptr) return;
    std::lock_guard lock(mutex_);
    if (allocations_.erase(data - kFence) != 1) throw std::logic_error("released twice");
    std::free(data - kFence);
  }

  const std::byte* place(const std::byte* stored, size_t bytes, DeviceBytes& owner) override {
    if (is_fenced(stored)) return stored;
    owner = DeviceBytes(*this, bytes, Purpose::tensors);
    upload(owner.get(), stored, bytes);
    return owner.get();
  }

  void upload(void* device, const void* host, size_t bytes) override {
    if (bytes > 0) std::memcpy(here(static_cast<std::byte*>(device), bytes), host, bytes);
  }
  void download(void* host, const void* device, size_t bytes) override {
    if (bytes > 0) std::memcpy(host, here(static_cast<const std::byte*>(device), bytes), bytes);
  }
  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes == 0) return;
    std::memcpy(here(static_cast<std::byte*>(to), bytes), here(static_cast<const std::byte*>(from), bytes),
                bytes);
  }
  void zero(void* device, size_t bytes) override {
    if (bytes > 0) std::memset(here(static_cast<std::byte*>(device), bytes), 0, bytes);
  }

  /// Where the device itself finds `count` elements. std::logic_error for an address of the host's or a range
  /// that is not inside of one allocation.
  template <typename T>
  T* here(T* fenced, int64_t count) const {
    const auto* address = reinterpret_cast<const std::byte*>(fenced);
    if (!is_fenced(address)) throw std::logic_error("the device was given an address of the host");
    const std::byte* data = address - kFence;
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    std::lock_guard lock(mutex_);
    auto found = allocations_.upper_bound(data);
    if (found == allocations_.begin()) throw std::logic_error("the device was given an address of nothing");
    --found;
    if (data + bytes > found->first + found->second) {
      throw std::logic_error("a call goes " + std::to_string(data + bytes - found->first - found->second) +
                             " bytes past the end of its memory");
    }
    return reinterpret_cast<T*>(const_cast<std::byte*>(data));
  }

 private:
  // User addresses have 47 bits: with this added the processor refuses them.
  static constexpr ptrdiff_t kFence = ptrdiff_t{1} << 61;
  static bool is_fenced(const std::byte* address) {
    return reinterpret_cast<uintptr_t>(address) >= static_cast<uintptr_t>(kFence);
  }

  mutable std::mutex mutex_;
  std::map<const std::byte*, size_t> allocations_;
};

}  // namespace r1::test
