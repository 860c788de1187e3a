// What every op of a forward pass is given: threads, kernels, arithmetic and scratch. Passed, never global.
#pragma once

#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace r1 {

enum class Arithmetic {
  fast,   // quantised weights meet int8 activations
  exact,  // float32 activations and weights decoded exactly: the reference arithmetic
};

/// One forward pass at a time uses a Context. Owns scratch that grows to what was needed and is kept.
class Context {
 public:
  Context(ThreadPool& pool, const kernels::KernelTable& table, Arithmetic arithmetic);
  ~Context();
  Context(const Context&) = delete;

  ThreadPool& pool() const { return *pool_; }
  const kernels::KernelTable& kernels() const { return *table_; }
  Arithmetic arithmetic() const { return arithmetic_; }

  /// 64-byte aligned scratch of at least `bytes` that thread `thread` has to itself until its next call.
  std::byte* thread_scratch(int thread, size_t bytes);

 private:
  struct Scratch;
  ThreadPool* pool_;
  const kernels::KernelTable* table_;
  Arithmetic arithmetic_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace r1
