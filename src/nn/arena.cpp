#include "nn/arena.h"

#include <algorithm>

namespace r1 {
namespace {

constexpr size_t kFirstChunk = size_t{1} << 20;
constexpr size_t kFirstBookkeepingChunk = size_t{1} << 16;
constexpr size_t kLargestChunk = size_t{256} << 20;  // that is taken for more than one request

size_t round_up(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

Arena::Arena(DeviceMemory& memory)
    : tensors_(memory, kFirstChunk), bookkeeping_(host_memory(), kFirstBookkeepingChunk) {}

std::byte* Arena::Stack::take(size_t bytes) {
  bytes = round_up(bytes);
  while (mark.chunk < chunks.size() && mark.used + bytes > chunks[mark.chunk].memory.size()) {
    ++mark.chunk;
    mark.used = 0;
  }
  if (mark.chunk == chunks.size()) {
    const size_t wanted =
        std::max({first_chunk, bytes, chunks.empty() ? 0 : 2 * chunks.back().memory.size()});
    // Doubling keeps the number of chunks small, and so what is lost at their ends; the system gives pages
    // only to what is used. The largest requests get just their size.
    const size_t size = bytes > first_chunk ? std::max(bytes, std::min(wanted, kLargestChunk)) : wanted;
    chunks.push_back({DeviceBytes(memory, size, DeviceMemory::Purpose::tensors), reserved_bytes()});
    mark.used = 0;
  }
  std::byte* data = chunks[mark.chunk].memory.get() + mark.used;
  mark.used += bytes;
  peak = std::max(peak, chunks[mark.chunk].before + mark.used);
  return data;
}

size_t Arena::Stack::reserved_bytes() const {
  size_t bytes = 0;
  for (const Chunk& chunk : chunks) bytes += chunk.memory.size();
  return bytes;
}

}  // namespace r1
