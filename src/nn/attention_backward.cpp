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
// Heads that share keys are split into parts, so that latent attention, where all share one, has work for all
// threads. Each part sums gradients of keys and values for itself; the sums are added in order. A function of
// the shape alone: the same bits on any number of threads.
constexpr int64_t kParts = 16;  // over all key/value heads

int64_t parts_of_group(int64_t heads, int64_t key_value_heads) {
  return std::clamp<int64_t>(kParts / key_value_heads, 1, heads / key_value_heads);
}

// One sequence and some heads that share their keys and values. Key and value gradients are the part's own.
struct Task {
  const PackedAttention* record;
  int64_t first_row, rows;
  int64_t key_value_head;
  int64_t head_begin, head_end;
  const float* output_gradient;
  float* query_gradient;
  float* key_gradient;
  float* value_gradient;
};

void run_task(const kernels::KernelTable& table, const Task& task, std::byte* scratch) {
  const PackedAttention& own = *task.record;
  const kernels::TrainingKernels& training = *table.training;
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

  for (int64_t head = task.head_begin; head < task.head_end; ++head) {
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

size_t attention_backward_bytes(int64_t rows, int64_t heads, int64_t key_value_heads, int64_t columns) {
  return static_cast<size_t>((parts_of_group(heads, key_value_heads) - 1) * rows * key_value_heads *
                             columns) *
         sizeof(float);
}

void attention_backward(Context& context, Tape& tape, const PackedAttention& record) {
  const float* output_gradient = tape.find(record.output);
  if (output_gradient == nullptr) return;
  Arena& arena = context.arena();
  const bool in_keys = record.values == record.keys;
  const int64_t key_count = record.rows * record.key_value_heads * record.key_columns;
  const int64_t value_count = in_keys ? 0 : record.rows * record.key_value_heads * record.value_columns;
  float* query_gradient =
      tape.add_to_zeroed(arena, record.queries, record.rows * record.heads * record.key_columns);
  float* key_gradient = tape.add_to_zeroed(arena, record.keys, key_count);
  float* value_gradient = in_keys ? key_gradient : tape.add_to_zeroed(arena, record.values, value_count);
  const auto slices = static_cast<int64_t>(record.slices.size());
  int64_t* first_rows = arena.allocate<int64_t>(slices);
  int64_t row = 0;
  int64_t most_rows = 0;
  for (int64_t s = 0; s < slices; ++s) {
    first_rows[s] = row;
    row += record.slices[s].rows;
    most_rows = std::max(most_rows, record.slices[s].rows);
  }
  const int64_t group = record.heads / record.key_value_heads;
  const int64_t parts = parts_of_group(record.heads, record.key_value_heads);
  // The first part sums in the gradients themselves, others here: keys, then values.
  const int64_t part_count = key_count + value_count;
  auto* others = reinterpret_cast<float*>(context.shared_scratch(
      attention_backward_bytes(record.rows, record.heads, record.key_value_heads,
                               in_keys ? record.key_columns : record.key_columns + record.value_columns)));
  context.parallel_for(parts - 1, true,
                       [&](int64_t part, int) { std::fill_n(others + part * part_count, part_count, 0.0F); });
  const size_t bytes =
      kernels::product_scratch_bytes() + static_cast<size_t>(2 * kQueryRows * most_rows) * sizeof(float);
  context.parallel_for(slices * record.key_value_heads * parts, true, [&](int64_t index, int thread) {
    const int64_t part = index % parts;
    const int64_t head = index / parts % record.key_value_heads;
    const int64_t s = index / parts / record.key_value_heads;
    float* own = others + (part - 1) * part_count;
    const Task task{&record,
                    first_rows[s],
                    record.slices[s].rows,
                    head,
                    head * group + group * part / parts,
                    head * group + group * (part + 1) / parts,
                    output_gradient,
                    query_gradient,
                    part == 0 ? key_gradient : own,
                    part == 0 ? value_gradient
                    : in_keys ? own
                              : own + key_count};
    run_task(context.kernels(), task, context.thread_scratch(thread, bytes));
  });
  constexpr int64_t kPiece = 4096;  // floats of a task
  auto add_parts = [&](float* gradient, const float* first, int64_t count) {
    context.parallel_for((count + kPiece - 1) / kPiece, count * parts > 4 * kPiece, [&](int64_t task, int) {
      const int64_t begin = task * kPiece;
      for (int64_t part = 0; part < parts - 1; ++part) {
        context.kernels().add(gradient + begin, first + part * part_count + begin,
                              std::min(kPiece, count - begin));
      }
    });
  };
  if (parts > 1) {
    add_parts(key_gradient, others, key_count);
    if (!in_keys) add_parts(value_gradient, others + key_count, value_count);
  }
  tape.forget(record.output, record.rows * record.heads * record.value_columns);
}

}  // namespace r1
