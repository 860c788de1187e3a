// Backward of causal attention over packed rows. Softmax rows are computed again from queries and keys, 64
// rows at a time, so nothing of size rows × rows is kept:
//   P = softmax(scale · Q Kᵀ)   dV += Pᵀ dO   dP = dO Vᵀ   dS = scale · P ∘ (dP - rowsum(dO ∘ O))
//   dQ = dS K                   dK += dSᵀ Q
// (Dao et al., FlashAttention, 2022, section 3.1 and appendix B.)
#include <algorithm>

#include "nn/attention.h"
#include "nn/cpu/cpu_backend.h"

namespace r1::cpu {
namespace {

constexpr int64_t kQueryRows = 64;
// Heads that share keys are split into parts, so that latent attention, where all share one, has work for all
// threads. Each part sums gradients of keys and values for itself; the sums are added in order. A function of
// the shape alone: the same bits on any number of threads.
constexpr int64_t kParts = 16;  // over all key/value heads

int64_t parts_of_group(int64_t heads, int64_t key_value_heads) {
  return std::clamp<int64_t>(kParts / key_value_heads, 1, heads / key_value_heads);
}

// One sequence and some heads that share their keys and values. Key and value gradients are the part's call.
struct Task {
  const AttentionBackwardCall* call;
  int64_t first_row, rows;
  int64_t key_value_head;
  int64_t head_begin, head_end;
  const float* output_gradient;
  float* query_gradient;
  float* key_gradient;
  float* value_gradient;
};

void run_task(const kernels::KernelTable& table, const Task& task, std::byte* scratch) {
  const AttentionBackwardCall& call = *task.call;
  const kernels::TrainingKernels& training = *table.training;
  const int64_t query_stride = call.heads * call.key_columns;
  const int64_t key_stride = call.key_value_heads * call.key_columns;
  const bool in_keys = call.values == call.keys;  // then both gradients are sums in one place
  const int64_t value_columns = in_keys ? call.key_columns : call.value_columns;  // from head to head
  const int64_t value_stride = call.key_value_heads * value_columns;
  const int64_t output_stride = call.heads * call.value_columns;
  const float* keys = call.keys + task.first_row * key_stride + task.key_value_head * call.key_columns;
  const float* values = call.values + task.first_row * value_stride + task.key_value_head * value_columns;
  float* key_gradient =
      task.key_gradient + task.first_row * key_stride + task.key_value_head * call.key_columns;
  float* value_gradient =
      task.value_gradient + task.first_row * value_stride + task.key_value_head * value_columns;
  auto* probabilities = reinterpret_cast<float*>(scratch + kernels::product_scratch_bytes());
  float* probability_gradient = probabilities + kQueryRows * task.rows;

  for (int64_t head = task.head_begin; head < task.head_end; ++head) {
    for (int64_t first = 0; first < task.rows; first += kQueryRows) {
      const int64_t count = std::min(kQueryRows, task.rows - first);
      const int64_t seen = first + count;  // keys that the last of these rows sees
      const int64_t row = task.first_row + first;
      const float* queries = call.queries + row * query_stride + head * call.key_columns;
      const float* output = call.output + row * output_stride + head * call.value_columns;
      const float* output_gradient = task.output_gradient + row * output_stride + head * call.value_columns;
      float* query_gradient = task.query_gradient + row * query_stride + head * call.key_columns;

      training.product(
          {queries, query_stride, 1, keys, 1, key_stride, probabilities, seen, call.key_columns, false}, 0,
          count, 0, seen, scratch);
      training.product({output_gradient, output_stride, 1, values, 1, value_stride, probability_gradient,
                        seen, call.value_columns, false},
                       0, count, 0, seen, scratch);
      for (int64_t i = 0; i < count; ++i) {
        float* p = probabilities + i * seen;
        const int64_t visible = first + i + 1;
        const int64_t hidden = call.window > 0 ? std::max<int64_t>(0, visible - call.window) : 0;
        std::fill_n(p, hidden, 0.0F);
        const float log_sum = training.log_sum_exp(p + hidden, call.scale, visible - hidden, -1).log_sum;
        training.exponentials(p + hidden, call.scale, log_sum, visible - hidden, seen - hidden);
      }
      training.product({probabilities, 1, seen, output_gradient, output_stride, 1, value_gradient,
                        value_stride, count, true},
                       0, seen, 0, call.value_columns, scratch);
      for (int64_t i = 0; i < count; ++i) {
        const float share =
            training.dot(output_gradient + i * output_stride, output + i * output_stride, call.value_columns);
        training.softmax_backward(probabilities + i * seen, probability_gradient + i * seen, share,
                                  call.scale, seen);
      }
      training.product(
          {probability_gradient, seen, 1, keys, key_stride, 1, query_gradient, query_stride, seen, true}, 0,
          count, 0, call.key_columns, scratch);
      training.product(
          {probability_gradient, 1, seen, queries, query_stride, 1, key_gradient, key_stride, count, true}, 0,
          seen, 0, call.key_columns, scratch);
    }
  }
}

size_t bytes_of_parts(int64_t rows, int64_t heads, int64_t key_value_heads, int64_t columns) {
  return static_cast<size_t>((parts_of_group(heads, key_value_heads) - 1) * rows * key_value_heads *
                             columns) *
         sizeof(float);
}

}  // namespace

void CpuBackend::attention_backward(const AttentionBackwardCall& call) {
  Arena::Scope scope(arena());
  const auto count = static_cast<int64_t>(call.sequences.size());
  int64_t* first_rows = arena().allocate_host<int64_t>(count);
  int64_t rows = 0;
  int64_t most_rows = 0;
  for (int64_t s = 0; s < count; ++s) {
    first_rows[s] = rows;
    rows += call.sequences[s].rows;
    most_rows = std::max(most_rows, call.sequences[s].rows);
  }
  const bool in_keys = call.values == call.keys;
  const int64_t key_count = rows * call.key_value_heads * call.key_columns;
  const int64_t value_count = in_keys ? 0 : rows * call.key_value_heads * call.value_columns;
  const int64_t group = call.heads / call.key_value_heads;
  const int64_t parts = parts_of_group(call.heads, call.key_value_heads);
  // The first part sums in the gradients themselves, others here: keys, then values.
  const int64_t part_count = key_count + value_count;
  auto* others = reinterpret_cast<float*>(
      shared_scratch(bytes_of_parts(rows, call.heads, call.key_value_heads,
                                    in_keys ? call.key_columns : call.key_columns + call.value_columns)));
  parallel_for(parts - 1, true,
               [&](int64_t part, int) { std::fill_n(others + part * part_count, part_count, 0.0F); });
  const size_t bytes =
      kernels::product_scratch_bytes() + static_cast<size_t>(2 * kQueryRows * most_rows) * sizeof(float);
  parallel_for(count * call.key_value_heads * parts, true, [&](int64_t index, int thread) {
    const int64_t part = index % parts;
    const int64_t head = index / parts % call.key_value_heads;
    const int64_t s = index / parts / call.key_value_heads;
    float* sums = others + (part - 1) * part_count;
    float* value_sums = in_keys ? sums : sums + key_count;
    const Task task{&call,
                    first_rows[s],
                    call.sequences[s].rows,
                    head,
                    head * group + group * part / parts,
                    head * group + group * (part + 1) / parts,
                    call.output_gradient,
                    call.query_gradient,
                    part == 0 ? call.key_gradient : sums,
                    part == 0 ? call.value_gradient : value_sums};
    run_task(*table_, task, thread_scratch(thread, bytes));
  });
  constexpr int64_t kPiece = 4096;  // floats of a task
  auto add_parts = [&](float* gradient, const float* first, int64_t length) {
    parallel_for((length + kPiece - 1) / kPiece, length * parts > 4 * kPiece, [&](int64_t task, int) {
      const int64_t begin = task * kPiece;
      for (int64_t part = 0; part < parts - 1; ++part) {
        table_->add(gradient + begin, first + part * part_count + begin, std::min(kPiece, length - begin));
      }
    });
  };
  if (parts > 1) {
    add_parts(call.key_gradient, others, key_count);
    if (!in_keys) add_parts(call.value_gradient, others + key_count, value_count);
  }
}

}  // namespace r1::cpu

namespace r1 {

size_t attention_backward_bytes(int64_t rows, int64_t heads, int64_t key_value_heads, int64_t columns) {
  return cpu::bytes_of_parts(rows, heads, key_value_heads, columns);
}

}  // namespace r1
