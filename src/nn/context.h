// What every op of a forward pass is given: threads, kernels, arithmetic and memory. Passed, never global.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace r1 {

enum class Arithmetic {
  fast,   // quantised weights meet int8 activations
  exact,  // float32 activations and weights decoded exactly: the reference arithmetic
  mixed,  // training: exact, but products with weights of other types than float32 in block floating point
};

/// 64-byte aligned memory, not initialised.
struct AlignedDelete {
  void operator()(std::byte* memory) const;
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;
AlignedBytes allocate_aligned(size_t bytes);

/// Memory of one forward pass: a stack of arrays that is emptied, not freed, so that a pass like the one
/// before allocates nothing. One thread.
class Arena {
 public:
  /// 64-byte aligned, not initialised, valid until the enclosing scope's end. T is trivially destructible.
  template <typename T>
  T* allocate(int64_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return reinterpret_cast<T*>(take(static_cast<size_t>(count) * sizeof(T)));
  }

  /// What was allocated within the scope is given back at its end. Scopes nest.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), chunk_(arena.chunk_), used_(arena.used_) {}
    ~Scope() { arena_.release(chunk_, used_); }
    Scope(const Scope&) = delete;

   private:
    Arena& arena_;
    size_t chunk_, used_;
  };

  /// While one lives, scopes that end give nothing back: a tape points at their memory. What was allocated
  /// within the hold is given back at its end. Holds nest.
  class Hold {
   public:
    explicit Hold(Arena& arena) : arena_(arena), chunk_(arena.chunk_), used_(arena.used_) { ++arena_.holds_; }
    ~Hold() {
      --arena_.holds_;
      arena_.chunk_ = chunk_;
      arena_.used_ = used_;
    }
    Hold(const Hold&) = delete;

   private:
    Arena& arena_;
    size_t chunk_, used_;
  };

  size_t reserved_bytes() const;
  /// Of the reserved bytes, those that were ever in use, ends of chunks that were passed over included.
  size_t peak_bytes() const { return peak_; }

 private:
  struct Chunk {
    AlignedBytes memory;
    size_t bytes = 0;
    size_t before = 0;  // bytes of the chunks before this one
  };
  std::byte* take(size_t bytes);
  void release(size_t chunk, size_t used);

  std::vector<Chunk> chunks_;
  size_t chunk_ = 0;  // the one in use
  size_t used_ = 0;   // bytes of it
  size_t peak_ = 0;
  int holds_ = 0;
};

class Tape;
struct AdapterRows;

/// One forward pass at a time uses a Context. Owns scratch that grows to what was needed and is kept.
class Context {
 public:
  Context(ThreadPool& pool, const kernels::KernelTable& table, Arithmetic arithmetic);
  ~Context();
  Context(const Context&) = delete;

  ThreadPool& pool() const { return *pool_; }
  const kernels::KernelTable& kernels() const { return *table_; }
  Arithmetic arithmetic() const { return arithmetic_; }
  Arena& arena() { return arena_; }

  /// Where ops record their backward (nn/tape.h); null: inference. Not owned.
  Tape* tape() const { return tape_; }
  void set_tape(Tape* tape) { tape_ = tape; }

  /// The adapters of the rows of the batch at hand (nn/adapter.h); null: none has one. Not owned.
  const AdapterRows* adapters() const { return adapters_; }
  void set_adapters(const AdapterRows* adapters) { adapters_ = adapters; }

  /// 64-byte aligned scratch of at least `bytes` for all threads together, until the next call.
  std::byte* shared_scratch(size_t bytes);

  /// 64-byte aligned scratch of at least `bytes` that thread `thread` has to itself until its next call.
  std::byte* thread_scratch(int thread, size_t bytes);

  /// Of both kinds of scratch, for all threads.
  size_t scratch_bytes() const;

  /// parallel_for of the pool without a copy of `body` (std::function would allocate for large captures).
  /// With `worth` false the loop runs on the caller: for loops of less than some microseconds.
  template <typename Body>
  void parallel_for(int64_t count, bool worth, const Body& body) {
    if (!worth) {
      for (int64_t index = 0; index < count; ++index) body(index, 0);
      return;
    }
    pool_->parallel_for(count, std::cref(body));
  }

 private:
  struct Scratch;
  ThreadPool* pool_;
  const kernels::KernelTable* table_;
  Arithmetic arithmetic_;
  Tape* tape_ = nullptr;
  const AdapterRows* adapters_ = nullptr;
  Arena arena_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace r1
