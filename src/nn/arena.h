// Memory of one forward pass: tensors in a device's memory, and beside them what the host keeps to run ops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "nn/device_memory.h"

namespace r1 {

/// Two stacks of arrays that are emptied, not freed, so that a pass like the one before allocates nothing.
/// Arrays are 64-byte aligned, not initialised and valid until the enclosing scope's end. One thread.
class Arena {
 public:
  explicit Arena(DeviceMemory& memory = host_memory());

  DeviceMemory& memory() { return tensors_.memory; }

  /// In the device's memory: elements of tensors.
  template <typename T>
  T* allocate(int64_t count) {
    static_assert(std::is_arithmetic_v<T> || std::is_same_v<T, std::byte>, "bookkeeping belongs on the host");
    return reinterpret_cast<T*>(tensors_.take(static_cast<size_t>(count) * sizeof(T)));
  }

  /// In the host's memory: lists of jobs, of rows, of pieces.
  template <typename T>
  T* allocate_host(int64_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return reinterpret_cast<T*>(bookkeeping_.take(static_cast<size_t>(count) * sizeof(T)));
  }

  struct Mark {
    size_t chunk = 0, used = 0;
  };

  /// What was allocated within the scope is given back at its end. Scopes nest.
  class Scope {
   public:
    explicit Scope(Arena& arena)
        : arena_(arena), tensors_(arena.tensors_.mark), bookkeeping_(arena.bookkeeping_.mark) {}
    ~Scope() {
      if (arena_.holds_ == 0) arena_.release(tensors_, bookkeeping_);
    }
    Scope(const Scope&) = delete;

   private:
    Arena& arena_;
    Mark tensors_, bookkeeping_;
  };

  /// While one lives, scopes that end give nothing back: a tape points at their memory. What was allocated
  /// within the hold is given back at its end. Holds nest.
  class Hold {
   public:
    explicit Hold(Arena& arena)
        : arena_(arena), tensors_(arena.tensors_.mark), bookkeeping_(arena.bookkeeping_.mark) {
      ++arena_.holds_;
    }
    ~Hold() {
      --arena_.holds_;
      arena_.release(tensors_, bookkeeping_);
    }
    Hold(const Hold&) = delete;

   private:
    Arena& arena_;
    Mark tensors_, bookkeeping_;
  };

  /// Of both stacks.
  size_t reserved_bytes() const { return tensors_.reserved_bytes() + bookkeeping_.reserved_bytes(); }
  /// Of the reserved bytes, those that were ever in use, ends of chunks that were passed over included.
  size_t peak_bytes() const { return tensors_.peak + bookkeeping_.peak; }

 private:
  struct Stack {
    struct Chunk {
      DeviceBytes memory;
      size_t before = 0;  // bytes of the chunks before this one
    };
    Stack(DeviceMemory& memory_in, size_t first_chunk_in) : memory(memory_in), first_chunk(first_chunk_in) {}
    std::byte* take(size_t bytes);
    size_t reserved_bytes() const;

    DeviceMemory& memory;
    size_t first_chunk;  // bytes
    std::vector<Chunk> chunks;
    Mark mark;  // the chunk in use, and bytes of it
    size_t peak = 0;
  };
  void release(Mark tensors, Mark bookkeeping) {
    tensors_.mark = tensors;
    bookkeeping_.mark = bookkeeping;
  }

  Stack tensors_, bookkeeping_;
  int holds_ = 0;
};

}  // namespace r1
