#include "nn/cross_entropy.h"

#include <algorithm>

#include "kernels/training.h"
#include "nn/log_probability.h"
#include "nn/tape.h"

namespace r1 {
namespace {

constexpr int64_t kMostRows = 256, kFewestRows = 64;
constexpr int64_t kChunkLogits = 20 << 20;

// Calls body(rows, hidden, targets, logits, places) for chunks of the rows that have a target, gathered.
template <typename Body>
void for_each_chunk(Context& context, const Linear& output, const float* hidden,
                    std::span<const int32_t> targets, const Body& body) {
  Arena::Scope scope(context.arena());
  const int64_t columns = output.inputs();
  const auto rows = static_cast<int64_t>(targets.size());
  const int64_t at_once = logit_chunk_rows(output.outputs());
  float* gathered = context.arena().allocate<float>(at_once * columns);
  float* logits = context.arena().allocate<float>(at_once * output.outputs());
  int64_t places[kMostRows];
  int64_t next = 0;
  while (next < rows) {
    int64_t count = 0;
    for (; next < rows && count < at_once; ++next) {
      if (targets[next] >= 0) places[count++] = next;
    }
    if (count == 0) break;
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(hidden + places[i] * columns, columns, gathered + i * columns);
    }
    Tape* tape = context.tape();
    context.set_tape(nullptr);  // its backward is written out here
    linear(context, output, {gathered, count, columns, columns, {}, false}, logits);
    context.set_tape(tape);
    body(count, gathered, logits, places);
  }
}

}  // namespace

int64_t logit_chunk_rows(int64_t vocabulary) {
  // A multiple of 32, the blocks in which products add rows: so the bits do not depend on it.
  return std::clamp(kChunkLogits / std::max<int64_t>(vocabulary, 1) / 32 * 32, kFewestRows, kMostRows);
}

void token_log_probs(Context& context, const Linear& output, const float* hidden,
                     std::span<const int32_t> targets, float* log_probs) {
  std::fill_n(log_probs, targets.size(), 0.0F);
  for_each_chunk(context, output, hidden, targets,
                 [&](int64_t count, const float*, const float* logits, const int64_t* places) {
                   context.parallel_for(count, true, [&](int64_t i, int) {
                     const std::span<const float> row(logits + i * output.outputs(),
                                                      static_cast<size_t>(output.outputs()));
                     log_probs[places[i]] = log_softmax(context.kernels(), row)(row[targets[places[i]]]);
                   });
                 });
}

void token_log_probs_backward(Context& context, Tape& tape, const Linear& output, const float* hidden,
                              std::span<const int32_t> targets, const float* coefficients, float* log_probs) {
  const kernels::TrainingKernels& training = *context.kernels().training;
  const auto rows = static_cast<int64_t>(targets.size());
  const int64_t columns = output.inputs();
  const int64_t vocabulary = output.outputs();
  if (log_probs != nullptr) std::fill_n(log_probs, rows, 0.0F);
  float* hidden_gradient = tape.add_to_zeroed(context.arena(), hidden, rows * columns);
  float* weight_gradient = tape.weight_gradient(output.weight.data);
  Arena::Scope scope(context.arena());
  float* chunk_gradient = context.arena().allocate<float>(logit_chunk_rows(vocabulary) * columns);
  for_each_chunk(
      context, output, hidden, targets,
      [&](int64_t count, const float* gathered, float* logits, const int64_t* places) {
        // Logits become the loss's gradient by them: coefficient · (one-hot - softmax).
        context.parallel_for(count, true, [&](int64_t i, int) {
          float* own = logits + i * vocabulary;
          const int32_t target = targets[places[i]];
          const LogSoftmax softmax = log_softmax(context.kernels(), {own, static_cast<size_t>(vocabulary)});
          if (log_probs != nullptr) log_probs[places[i]] = softmax(own[target]);
          training.exponentials(own, 1.0F, softmax.log_sum, vocabulary, vocabulary);
          training.scale(own, -coefficients[places[i]], vocabulary);
          own[target] += coefficients[places[i]];
        });
        multiply_by_weights(context, output.weight, logits, count, vocabulary, chunk_gradient, false);
        if (weight_gradient != nullptr) {
          add_weight_gradient(context, logits, vocabulary, vocabulary, gathered, columns, columns, count,
                              weight_gradient);
        }
        for (int64_t i = 0; i < count; ++i) {
          context.kernels().add(hidden_gradient + places[i] * columns, chunk_gradient + i * columns, columns);
        }
      });
}

}  // namespace r1
