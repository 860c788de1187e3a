// Backward of causal attention over packed rows. Softmax rows are computed again from queries and keys, 64
// rows at a time, so nothing of size rows × rows is kept:
//   P = softmax(scale · Q Kᵀ)   dV += Pᵀ dO   dP = dO Vᵀ   dS = scale · P ∘ (dP - rowsum(dO ∘ O))
//   dQ = dS K                   dK += dSᵀ Q
// (Dao et al., FlashAttention, 2022, section 3.1 and appendix B.)
#include <algorithm>

#include "kernels/training.h"
#include "nn/attention.h"
#include "nn/tape.h"

namespace r1 {
namespace {

constexpr int64_t kQueryRows = 64;

// One sequence and one key/value head: all gradients that only this pair writes.
struct Task {
  const PackedAttention* record;
  int64_t first_row, rows;
  int64_t key_value_head;
  const float* output_gradient;
  float* query_gradient;
  float* key_gradient;
  float* value_gradient;
};

void run_task(const kernels::KernelTable& table, const Task& task, std::byte* scratch) {
  const PackedAttention& own = *task.record;
  const kernels::TrainingKernels& training = *table.training;
  const int64_t group = own.heads / own.key_value_heads;
  const int64_t query_stride = own.heads * own.key_columns;
  const int64_t key_stride = own.key_value_heads * own.key_columns;
  const bool in_keys = own.values == own.keys;  // then both gradients are sums in one place
  const int64_t value_columns = in_keys ? own.key_columns : own.value_columns;  // from head to head
  const int64_t value_stride = own.key_value_heads * value_columns;
  const int64_t output_stride = own.heads * own.value_columns;
  const float* keys = own.keys + task.first_row * key_stride + task.key_value_head * own.key_columns;
  const float* values = own.values + task.first_row * value_stride + task.key_value_head * value_columns;
  float* key_gradient =
      task.key_gradient + task.first_row * key_stride + task.key_value_head * own.key_columns;
  float* value_gradient =
      task.value_gradient + task.first_row * value_stride + task.key_value_head * value_columns;
  auto* chances = reinterpret_cast<float*>(scratch + kernels::product_scratch_bytes());
  float* chance_gradient = chances + kQueryRows * task.rows;

  for (int64_t head = task.key_value_head * group; head < (task.key_value_head + 1) * group; ++head) {
    for (int64_t first = 0; first < task.rows; first += kQueryRows) {
      const int64_t count = std::min(kQueryRows, task.rows - first);
      const int64_t seen = first + count;  // keys that the last of these rows sees
      const int64_t row = task.first_row + first;
      const float* queries = own.queries + row * query_stride + head * own.key_columns;
      const float* output = own.output + row * output_stride + head * own.value_columns;
      const float* output_gradient = task.output_gradient + row * output_stride + head * own.value_columns;
      float* query_gradient = task.query_gradient + row * query_stride + head * own.key_columns;

      training.product({queries, query_stride, 1, keys, 1, key_stride, chances, seen, own.key_columns, false},
                       0, count, 0, seen, scratch);
      training.product({output_gradient, output_stride, 1, values, 1, value_stride, chance_gradient, seen,
                        own.value_columns, false},
                       0, count, 0, seen, scratch);
      for (int64_t i = 0; i < count; ++i) {
        float* p = chances + i * seen;
        const int64_t visible = first + i + 1;
        const float log_sum = training.log_sum_exp(p, own.scale, visible, -1).log_sum;
        training.exponentials(p, own.scale, log_sum, visible, seen);
      }
      training.product(
          {chances, 1, seen, output_gradient, output_stride, 1, value_gradient, value_stride, count, true}, 0,
          seen, 0, own.value_columns, scratch);
      for (int64_t i = 0; i < count; ++i) {
        const float share =
            training.dot(output_gradient + i * output_stride, output + i * output_stride, own.value_columns);
        training.softmax_backward(chances + i * seen, chance_gradient + i * seen, share, own.scale, seen);
      }
      training.product(
          {chance_gradient, seen, 1, keys, key_stride, 1, query_gradient, query_stride, seen, true}, 0, count,
          0, own.key_columns, scratch);
      training.product(
          {chance_gradient, 1, seen, queries, query_stride, 1, key_gradient, key_stride, count, true}, 0,
          seen, 0, own.key_columns, scratch);
    }
  }
}

}  // namespace

void attention_backward(Context& context, Tape& tape, const PackedAttention& record) {
  const float* output_gradient = tape.find(record.output);
  if (output_gradient == nullptr) return;
  Arena& arena = context.arena();
  float* query_gradient =
      tape.add_to_zeroed(arena, record.queries, record.rows * record.heads * record.key_columns);
  float* key_gradient =
      tape.add_to_zeroed(arena, record.keys, record.rows * record.key_value_heads * record.key_columns);
  float* value_gradient =
      record.values == record.keys
          ? key_gradient
          : tape.add_to_zeroed(arena, record.values,
                               record.rows * record.key_value_heads * record.value_columns);
  const auto slices = static_cast<int64_t>(record.slices.size());
  int64_t* first_rows = arena.allocate<int64_t>(slices);
  int64_t row = 0;
  int64_t most_rows = 0;
  for (int64_t s = 0; s < slices; ++s) {
    first_rows[s] = row;
    row += record.slices[s].rows;
    most_rows = std::max(most_rows, record.slices[s].rows);
  }
  const size_t bytes =
      kernels::product_scratch_bytes() + static_cast<size_t>(2 * kQueryRows * most_rows) * sizeof(float);
  context.parallel_for(slices * record.key_value_heads, true, [&](int64_t index, int thread) {
    const int64_t s = index / record.key_value_heads;
    const Task task{&record,         first_rows[s],  record.slices[s].rows, index % record.key_value_heads,
                    output_gradient, query_gradient, key_gradient,          value_gradient};
    run_task(context.kernels(), task, context.thread_scratch(thread, bytes));
  });
  tape.forget(record.output, record.rows * record.heads * record.value_columns);
}

}  // namespace r1
