#include "nn/tape.h"

#include <stdexcept>

#include <fmt/format.h>

#include "nn/context.h"

namespace r1 {

void Tape::run_backwards(Context& context) {
  while (!entries_.empty()) {
    const std::function<void(Context&)> backward = std::move(entries_.back());
    entries_.pop_back();
    backward(context);
  }
}

Tape::Buffer* Tape::buffer_of(const float* values, int64_t* offset) {
  auto found = buffers_.upper_bound(values);
  if (found == buffers_.begin()) return nullptr;
  --found;
  *offset = values - found->first;
  return *offset < found->second.count ? &found->second : nullptr;
}

float* Tape::find(const float* values) const {
  int64_t offset = 0;
  const Buffer* buffer = const_cast<Tape*>(this)->buffer_of(values, &offset);
  return buffer == nullptr || !buffer->written ? nullptr : buffer->gradient + offset;
}

Tape::Target Tape::add_to(Arena& arena, const float* values, int64_t count) {
  int64_t offset = 0;
  Buffer* buffer = buffer_of(values, &offset);
  if (buffer == nullptr) {
    offset = 0;
    buffer = &buffers_.emplace(values, Buffer{count, arena.allocate<float>(count), false}).first->second;
  }
  if (offset + count > buffer->count || (!buffer->written && count != buffer->count)) {
    throw std::logic_error(
        fmt::format("tape: a gradient of {} floats (written: {}) was written at {} with {}", buffer->count,
                    buffer->written, offset, count));
  }
  const Target target{buffer->gradient + offset, buffer->written};
  buffer->written = true;
  return target;
}

float* Tape::add_to_zeroed(Arena& arena, const float* values, int64_t count) {
  const Target target = add_to(arena, values, count);
  if (!target.accumulate) arena.memory().zero(target.data, static_cast<size_t>(count) * sizeof(float));
  return target.data;
}

void Tape::forget(const float* values, int64_t count) {
  int64_t offset = 0;
  Buffer* buffer = buffer_of(values, &offset);
  if (buffer != nullptr && offset == 0 && count >= buffer->count) buffer->written = false;
}

}  // namespace r1
