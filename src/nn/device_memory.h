// The memory of one device. Addresses in it are handles: the host computes with them (rows, slices) but only
// the device reads and writes what they point at. On the CPU both are the same.
#pragma once

#include <cstddef>
#include <utility>

namespace r1 {

/// Where tensors live: the host's main memory, or a card's. Safe from several threads. Copies are complete
/// when they return, and see all that the device was given to do before.
class DeviceMemory {
 public:
  enum class Purpose {
    tensors,  // written soon
    cache,    // reserved now, touched as it is used
  };

  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  virtual ~DeviceMemory() = default;

  /// Whether the host may read and write it.
  virtual bool is_host() const { return false; }

  /// 64-byte aligned, not initialised. Error(out_of_memory) when there is no more. 0 bytes: null.
  virtual std::byte* allocate(size_t bytes, Purpose purpose) = 0;
  virtual void release(std::byte* data, size_t bytes, Purpose purpose) = 0;

  /// Stored weights that lie in the host's memory (or in this one): where ops of this device find them. The
  /// CPU takes them as they lie; others copy them once and keep the copy in `owner`.
  class Bytes;
  virtual const std::byte* place(const std::byte* stored, size_t bytes, Bytes& owner) = 0;

  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  virtual void download(void* host, const void* device, size_t bytes) = 0;
  virtual void copy(void* to, const void* from, size_t bytes) = 0;  // both of this device
  virtual void zero(void* device, size_t bytes) = 0;
};

/// Owned memory of a device.
class DeviceMemory::Bytes {
 public:
  Bytes() = default;
  Bytes(DeviceMemory& memory, size_t size, Purpose purpose)
      : memory_(&memory), data_(memory.allocate(size, purpose)), bytes_(size), purpose_(purpose) {}
  Bytes(Bytes&& other) noexcept { swap(other); }
  Bytes& operator=(Bytes&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Bytes() {
    if (data_ != nullptr) memory_->release(data_, bytes_, purpose_);
  }

  std::byte* get() const { return data_; }
  size_t size() const { return bytes_; }

 private:
  void swap(Bytes& other) {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(purpose_, other.purpose_);
  }

  DeviceMemory* memory_ = nullptr;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
  Purpose purpose_ = Purpose::tensors;
};
using DeviceBytes = DeviceMemory::Bytes;

/// The host's main memory, where the CPU computes.
DeviceMemory& host_memory();

/// 64-byte aligned memory of the host, not initialised.
using AlignedBytes = DeviceBytes;
inline AlignedBytes allocate_aligned(size_t bytes) {
  return {host_memory(), bytes, DeviceMemory::Purpose::tensors};
}

}  // namespace r1
