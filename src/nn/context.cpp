#include "nn/context.h"

#include <algorithm>
#include <cassert>
#include <new>

namespace r1 {
namespace {

constexpr std::align_val_t kAlignment{64};
constexpr size_t kFirstChunk = size_t{1} << 20;
constexpr size_t kLargestChunk = size_t{256} << 20;  // that is taken for more than one request

size_t round_up(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

void AlignedDelete::operator()(std::byte* memory) const {
  ::operator delete[](memory, kAlignment);
}

AlignedBytes allocate_aligned(size_t bytes) {
  return AlignedBytes(static_cast<std::byte*>(::operator new[](round_up(bytes), kAlignment)));
}

std::byte* Arena::take(size_t bytes) {
  bytes = round_up(bytes);
  while (chunk_ < chunks_.size() && used_ + bytes > chunks_[chunk_].bytes) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    const size_t wanted = std::max({kFirstChunk, bytes, chunks_.empty() ? 0 : 2 * chunks_.back().bytes});
    // Doubling keeps the number of chunks small, and so what is lost at their ends; the system gives pages
    // only to what is used. The largest requests get just their size.
    const size_t size = bytes > kFirstChunk ? std::max(bytes, std::min(wanted, kLargestChunk)) : wanted;
    chunks_.push_back({allocate_aligned(size), size, reserved_bytes()});
    used_ = 0;
  }
  std::byte* memory = chunks_[chunk_].memory.get() + used_;
  used_ += bytes;
  peak_ = std::max(peak_, chunks_[chunk_].before + used_);
  return memory;
}

void Arena::release(size_t chunk, size_t used) {
  if (holds_ > 0) return;
  chunk_ = chunk;
  used_ = used;
}

size_t Arena::reserved_bytes() const {
  size_t bytes = 0;
  for (const Chunk& chunk : chunks_) bytes += chunk.bytes;
  return bytes;
}

struct Context::Scratch {
  struct alignas(64) Part {
    AlignedBytes memory;
    size_t bytes = 0;

    std::byte* take(size_t wanted) {
      if (bytes < wanted) {
        memory.reset();
        memory = allocate_aligned(wanted);
        bytes = wanted;
      }
      return memory.get();
    }
  };
  std::vector<Part> threads;
  Part shared;
};

Context::Context(ThreadPool& pool, const kernels::KernelTable& table, Arithmetic arithmetic)
    : pool_(&pool), table_(&table), arithmetic_(arithmetic), scratch_(std::make_unique<Scratch>()) {
  scratch_->threads.resize(pool.size());
}

Context::~Context() = default;

std::byte* Context::thread_scratch(int thread, size_t bytes) {
  assert(thread >= 0 && thread < static_cast<int>(scratch_->threads.size()));
  return scratch_->threads[thread].take(bytes);
}

size_t Context::scratch_bytes() const {
  size_t bytes = scratch_->shared.bytes;
  for (const Scratch::Part& part : scratch_->threads) bytes += part.bytes;
  return bytes;
}

std::byte* Context::shared_scratch(size_t bytes) {
  return scratch_->shared.take(bytes);
}

}  // namespace r1
