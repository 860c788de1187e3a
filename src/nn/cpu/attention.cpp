// Attention over slices × heads × chunks of rows, and over segments of keys where these are too few for all
// threads.
#include <algorithm>

#include "nn/cpu/cpu_backend.h"

namespace r1::cpu {
namespace {

constexpr int64_t kRowsPerTask = 64;
constexpr int64_t kMaxHeadsPerTask = 16;
constexpr int64_t kMaxPartialFloats = int64_t{1} << 22;  // 16 MiB

kernels::AttentionShape shape_of(const AttentionCall& call) {
  kernels::AttentionShape shape;
  shape.heads = call.heads;
  shape.key_value_heads = call.key_value_heads;
  shape.key_columns = call.key_columns;
  shape.value_columns = call.value_columns;
  shape.query_stride = call.heads * call.key_columns;
  shape.output_stride = call.heads * call.value_columns;
  shape.scale = call.scale;
  shape.window = call.window;
  shape.block_tokens = call.block_tokens;
  shape.key_dtype = call.keys.dtype;
  shape.value_dtype = call.values.dtype;
  shape.keys = call.keys.data;
  shape.key_block_bytes = call.keys.block_stride;
  shape.key_token_bytes = call.keys.token_bytes;
  shape.key_head_bytes = call.keys.head_bytes;
  shape.values = call.values.data;
  shape.value_block_bytes = call.values.block_stride;
  shape.value_token_bytes = call.values.token_bytes;
  shape.value_head_bytes = call.values.head_bytes;
  return shape;
}

// The next smaller divisor.
int64_t smaller_divisor(int64_t value, int64_t below) {
  for (int64_t divisor = below - 1; divisor > 1; --divisor) {
    if (value % divisor == 0) return divisor;
  }
  return 1;
}

}  // namespace

// A few long sequences have fewer (chunk of rows, group of heads) pairs than there are threads: their keys
// are split too, in the segments that the sums are made of anyway, so that no bit depends on it.
struct CpuBackend::SplitChunk {
  int64_t slice = 0;
  int64_t row = 0, rows = 0;
  int64_t segments = 0;
  int64_t tasks_before = 0;  // of the chunks before this one
};

void CpuBackend::attend_in_segments(const kernels::AttentionShape& shape,
                                    std::span<const kernels::AttentionSlice> slices,
                                    std::span<SplitChunk> chunks, int64_t heads,
                                    std::span<float* const> partials, size_t scratch_bytes) {
  const int64_t head_tasks = shape.heads / heads;
  int64_t tasks = 0;
  for (SplitChunk& chunk : chunks) {
    chunk.tasks_before = tasks;
    tasks += chunk.segments * head_tasks;
  }
  const auto segments_of = [&](int64_t slice) {
    return (slices[slice].first_position + slices[slice].rows - 1) / kernels::kSegmentTokens + 1;
  };
  parallel_for(tasks, true, [&](int64_t task, int thread) {
    const SplitChunk& chunk =
        *(std::upper_bound(chunks.begin(), chunks.end(), task,
                           [](int64_t t, const SplitChunk& c) { return t < c.tasks_before; }) -
          1);
    // A thread's range of tasks is one group's keys in the order of memory.
    const int64_t within = task - chunk.tasks_before;
    const int64_t head = within / chunk.segments * heads;
    table_->attention_segment(shape, slices[chunk.slice], chunk.row, chunk.row + chunk.rows, head,
                              head + heads, within % chunk.segments, segments_of(chunk.slice),
                              partials[chunk.slice], thread_scratch(thread, scratch_bytes));
  });
  int64_t rows = 0;
  for (const kernels::AttentionSlice& slice : slices) rows += slice.rows;
  parallel_for(rows, rows * shape.heads > 8, [&](int64_t row, int) {
    int64_t s = 0;
    for (; row >= slices[s].rows; ++s) row -= slices[s].rows;
    for (int64_t head = 0; head < shape.heads; ++head) {
      table_->merge_attention(shape, slices[s], row, head, segments_of(s), partials[s]);
    }
  });
}

void CpuBackend::attention(const AttentionCall& call) {
  Arena::Scope scope(arena());
  const kernels::AttentionShape shape = shape_of(call);
  const auto count = static_cast<int64_t>(call.sequences.size());
  auto* first_slice = arena().allocate_host<kernels::AttentionSlice>(count);
  int64_t before = 0;
  for (int64_t s = 0; s < count; ++s) {
    const SequenceRows& sequence = call.sequences[s];
    first_slice[s] = {call.queries + before * shape.query_stride, call.output + before * shape.output_stride,
                      sequence.rows, sequence.first_position, sequence.blocks};
    before += sequence.rows;
  }
  const std::span<const kernels::AttentionSlice> slices{first_slice, static_cast<size_t>(count)};
  // Chunks of rows before each slice.
  int64_t* chunks_before = arena().allocate_host<int64_t>(count + 1);
  chunks_before[0] = 0;
  int64_t work = 0;  // (row, key) pairs of one head
  int64_t most_rows = 0;
  int64_t partial_floats = 0, most_segments = 0;
  for (int64_t s = 0; s < count; ++s) {
    const int64_t rows = slices[s].rows;
    chunks_before[s + 1] = chunks_before[s] + (rows + kRowsPerTask - 1) / kRowsPerTask;
    work += rows * (slices[s].first_position + rows);
    most_rows = std::max(most_rows, std::min(rows, kRowsPerTask));
    const int64_t segments = (slices[s].first_position + rows - 1) / kernels::kSegmentTokens + 1;
    partial_floats += rows * shape.heads * segments * kernels::attention_partial_floats(shape);
    most_segments = std::max(most_segments, segments);
  }
  const int64_t chunks = chunks_before[count];
  const int threads = pool_->size();
  const int64_t group = shape.heads / shape.key_value_heads;
  int64_t heads = group <= kMaxHeadsPerTask ? group : smaller_divisor(group, kMaxHeadsPerTask + 1);
  const size_t scratch_bytes = kernels::attention_scratch_bytes(shape, most_rows);

  if (threads > 1 && most_segments > 1 && chunks * (shape.heads / heads) < 4 * threads &&
      partial_floats <= kMaxPartialFloats) {
    auto* split = arena().allocate_host<SplitChunk>(chunks);
    auto* partials = arena().allocate_host<float*>(count);
    int64_t chunk = 0;
    for (int64_t s = 0; s < count; ++s) {
      const kernels::AttentionSlice& slice = slices[s];
      const int64_t segments = (slice.first_position + slice.rows - 1) / kernels::kSegmentTokens + 1;
      partials[s] = arena().allocate<float>(slice.rows * shape.heads * segments *
                                            kernels::attention_partial_floats(shape));
      for (int64_t row = 0; row < slice.rows; row += kRowsPerTask) {
        const int64_t rows = std::min(kRowsPerTask, slice.rows - row);
        split[chunk++] = {s, row, rows, (slice.first_position + row + rows - 1) / kernels::kSegmentTokens + 1,
                          0};
      }
    }
    attend_in_segments(shape, slices, {split, static_cast<size_t>(chunks)}, heads,
                       {partials, static_cast<size_t>(count)}, scratch_bytes);
    return;
  }

  // Heads that share keys stay together as long as there are tasks enough for all threads.
  while (heads > 1 && threads > 1 && chunks * (shape.heads / heads) < 2 * threads) {
    const int64_t fewer = smaller_divisor(group, heads);
    if (chunks * (shape.heads / heads) >= threads && chunks * (shape.heads / fewer) > 4 * threads) break;
    heads = fewer;
  }
  const int64_t head_tasks = shape.heads / heads;
  const bool worth = work * shape.heads * (shape.key_columns + shape.value_columns) > 32768;
  parallel_for(chunks * head_tasks, worth, [&](int64_t task, int thread) {
    // The last rows of a slice see most keys: begin with them.
    const int64_t chunk = chunks - 1 - task / head_tasks;
    const int64_t head = task % head_tasks * heads;
    const int64_t s = std::upper_bound(chunks_before, chunks_before + count + 1, chunk) - chunks_before - 1;
    const int64_t row = (chunk - chunks_before[s]) * kRowsPerTask;
    table_->attention(shape, slices[s], row, std::min(row + kRowsPerTask, slices[s].rows), head, head + heads,
                      thread_scratch(thread, scratch_bytes));
  });
}

}  // namespace r1::cpu
