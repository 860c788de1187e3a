// What every op of a forward pass is given: a backend, and what is recorded or added beside it. Passed, never
// global.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "nn/backend.h"

namespace r1 {

class Tape;
struct AdapterRows;

/// One forward pass at a time uses a Context. It has the host's threads and, for each device, a backend.
class Context {
 public:
  /// Computes on the CPU.
  Context(ThreadPool& pool, const kernels::KernelTable& table, Arithmetic arithmetic);
  /// Computes on the given backend; pool and kernels are for what the host does beside it.
  Context(ThreadPool& pool, const kernels::KernelTable& table, std::unique_ptr<Backend> backend);
  ~Context();
  Context(const Context&) = delete;

  ThreadPool& pool() const { return *pool_; }
  const kernels::KernelTable& kernels() const { return *table_; }

  /// The backend that ops use: the first one, but for a DeviceScope.
  Backend& backend() { return *current_; }
  Arithmetic arithmetic() const { return current_->arithmetic(); }
  Arena& arena() { return current_->arena(); }

  /// A further device, for models with layers on it.
  void add_backend(std::unique_ptr<Backend> backend);

  /// Where ops record their backward (nn/tape.h); null: inference.
  Tape* tape() const { return tape_; }
  /// The adapters of the rows of the batch at hand (nn/adapter.h); null: none has one.
  const AdapterRows* adapters() const { return adapters_; }

  /// For all threads of the CPU's backend.
  size_t scratch_bytes() const;

  /// parallel_for of the host's threads without a copy of `body` (std::function would allocate for large
  /// captures). With `worth` false the loop runs on the caller: for loops of less than some microseconds.
  template <typename Body>
  void parallel_for(int64_t count, bool worth, const Body& body) {
    if (!worth) {
      for (int64_t index = 0; index < count; ++index) body(index, 0);
      return;
    }
    pool_->parallel_for(count, std::cref(body));
  }

 private:
  friend class TapeScope;
  friend class AdapterScope;
  friend class DeviceScope;

  ThreadPool* pool_;
  const kernels::KernelTable* table_;
  std::vector<std::unique_ptr<Backend>> backends_;
  Backend* current_;
  Tape* tape_ = nullptr;
  const AdapterRows* adapters_ = nullptr;
};

/// While it lives, ops record on the tape (null: they do not). What was there before comes back at its end.
class TapeScope {
 public:
  TapeScope(Context& context, Tape* tape) : context_(context), before_(context.tape_) {
    context.tape_ = tape;
  }
  ~TapeScope() { context_.tape_ = before_; }
  TapeScope(const TapeScope&) = delete;

 private:
  Context& context_;
  Tape* before_;
};

/// While it lives, linear layers add the adapters of these rows (null: none). Scopes nest.
class AdapterScope {
 public:
  AdapterScope(Context& context, const AdapterRows* rows) : context_(context), before_(context.adapters_) {
    context.adapters_ = rows;
  }
  ~AdapterScope() { context_.adapters_ = before_; }
  AdapterScope(const AdapterScope&) = delete;

 private:
  Context& context_;
  const AdapterRows* before_;
};

/// While it lives, ops run on the device with this memory. Error(invalid_argument) where the context has no
/// such device.
class DeviceScope {
 public:
  DeviceScope(Context& context, const DeviceMemory& memory);
  ~DeviceScope() { context_.current_ = before_; }
  DeviceScope(const DeviceScope&) = delete;

 private:
  Context& context_;
  Backend* before_;
};

}  // namespace r1
