#include "nn/context.h"

#include "base/error.h"
#include "nn/cpu/cpu_backend.h"

namespace r1 {

Context::Context(ThreadPool& pool, const kernels::KernelTable& table, Arithmetic arithmetic)
    : Context(pool, table, make_cpu_backend(pool, table, arithmetic)) {}

Context::Context(ThreadPool& pool, const kernels::KernelTable& table, std::unique_ptr<Backend> backend)
    : pool_(&pool), table_(&table), current_(backend.get()) {
  backends_.push_back(std::move(backend));
}

Context::~Context() = default;

void Context::add_backend(std::unique_ptr<Backend> backend) {
  backends_.push_back(std::move(backend));
}

size_t Context::scratch_bytes() const {
  size_t bytes = 0;
  for (const std::unique_ptr<Backend>& backend : backends_) bytes += backend->scratch_bytes();
  return bytes;
}

DeviceScope::DeviceScope(Context& context, const DeviceMemory& memory)
    : context_(context), before_(context.current_) {
  for (const std::unique_ptr<Backend>& backend : context.backends_) {
    if (&backend->memory() != &memory) continue;
    context.current_ = backend.get();
    return;
  }
  throw_error(ErrorKind::invalid_argument, "the model has layers on a device that the context does not have");
}

}  // namespace r1
