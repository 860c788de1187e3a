#include "nn/attention.h"

#include <algorithm>

namespace r1 {
namespace {

constexpr int64_t kRowsPerTask = 64;
constexpr int64_t kMostHeadsPerTask = 16;

// The next smaller divisor.
int64_t smaller_divisor(int64_t value, int64_t below) {
  for (int64_t divisor = below - 1; divisor > 1; --divisor) {
    if (value % divisor == 0) return divisor;
  }
  return 1;
}

}  // namespace

void paged_attention(Context& context, const kernels::AttentionShape& shape,
                     std::span<const kernels::AttentionSlice> slices) {
  Arena::Scope scope(context.arena());
  const auto count = static_cast<int64_t>(slices.size());
  // Chunks of rows before each slice.
  int64_t* chunks_before = context.arena().allocate<int64_t>(count + 1);
  chunks_before[0] = 0;
  int64_t work = 0;  // (row, key) pairs of one head
  int64_t most_rows = 0;
  for (int64_t s = 0; s < count; ++s) {
    const int64_t rows = slices[s].rows;
    chunks_before[s + 1] = chunks_before[s] + (rows + kRowsPerTask - 1) / kRowsPerTask;
    work += rows * (slices[s].first_position + rows);
    most_rows = std::max(most_rows, std::min(rows, kRowsPerTask));
  }
  const int64_t chunks = chunks_before[count];
  // Heads that share keys stay together as long as there are tasks enough for all threads.
  const int threads = context.pool().size();
  const int64_t group = shape.heads / shape.key_value_heads;
  int64_t heads = group <= kMostHeadsPerTask ? group : smaller_divisor(group, kMostHeadsPerTask + 1);
  while (heads > 1 && threads > 1 && chunks * (shape.heads / heads) < 2 * threads) {
    const int64_t fewer = smaller_divisor(group, heads);
    if (chunks * (shape.heads / heads) >= threads && chunks * (shape.heads / fewer) > 4 * threads) break;
    heads = fewer;
  }
  const int64_t head_tasks = shape.heads / heads;
  const size_t scratch_bytes = kernels::attention_scratch_bytes(shape, most_rows);
  const bool worth = work * shape.heads * (shape.key_columns + shape.value_columns) > 32768;
  context.parallel_for(chunks * head_tasks, worth, [&](int64_t task, int thread) {
    // The last rows of a slice see most keys: begin with them.
    const int64_t chunk = chunks - 1 - task / head_tasks;
    const int64_t head = task % head_tasks * heads;
    const int64_t s = std::upper_bound(chunks_before, chunks_before + count + 1, chunk) - chunks_before - 1;
    const int64_t row = (chunk - chunks_before[s]) * kRowsPerTask;
    context.kernels().attention(shape, slices[s], row, std::min(row + kRowsPerTask, slices[s].rows), head,
                                head + heads, context.thread_scratch(thread, scratch_bytes));
  });
}

}  // namespace r1
