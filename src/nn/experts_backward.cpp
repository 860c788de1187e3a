// Backward of routing and of the sum over experts. The choice of experts itself has no gradient.
#include <algorithm>
#include <cmath>

#include "kernels/training.h"
#include "nn/experts.h"
#include "nn/tape.h"

namespace r1 {

// w_k = scale · s_k / Σ s:  ds_k = scale / Σ s · (dw_k - Σ_j dw_j s_j / Σ s), and s = sigmoid(logit).
void routing_backward(Context& context, Tape& tape, const RoutingRecord& record) {
  const float* gradient = tape.find(record.routing.weights);
  if (gradient == nullptr) return;
  const RoutingRule& rule = record.rule;
  float* target = tape.add_to_zeroed(context.arena(), record.logits, record.rows * rule.experts);
  for (int64_t row = 0; row < record.rows; ++row) {
    const int32_t* experts = record.routing.experts + row * rule.chosen;
    const float* own = gradient + row * rule.chosen;
    auto score = [&](int64_t k) {
      return 1 / (1 + std::exp(-static_cast<double>(record.logits[row * rule.experts + experts[k]])));
    };
    double sum = 0, mean = 0;
    for (int64_t k = 0; k < rule.chosen; ++k) {
      sum += score(k);
      mean += own[k] * score(k);
    }
    for (int64_t k = 0; k < rule.chosen; ++k) {
      const double slope = rule.normalise ? rule.scale / sum * (own[k] - mean / sum) : rule.scale * own[k];
      target[row * rule.experts + experts[k]] += static_cast<float>(slope * score(k) * (1 - score(k)));
    }
  }
}

void expert_sum_backward(Context& context, Tape& tape, const ExpertSumRecord& record) {
  const float* gradient = tape.find(record.out);
  if (gradient == nullptr) return;
  const int64_t pairs = record.rows * record.chosen;
  Arena& arena = context.arena();
  float* results_gradient = tape.add_to(arena, record.results, pairs * record.hidden).data;
  float* weights_gradient = tape.add_to(arena, record.weights, pairs).data;
  context.parallel_for(record.rows, pairs * record.hidden > 16384, [&](int64_t row, int) {
    const float* own = gradient + row * record.hidden;
    for (int64_t k = 0; k < record.chosen; ++k) {
      const int64_t p = row * record.chosen + k;
      const int64_t at = record.pair_of[p] * record.hidden;
      weights_gradient[p] = context.kernels().training->dot(own, record.results + at, record.hidden);
      std::copy_n(own, record.hidden, results_gradient + at);
      context.kernels().training->scale(results_gradient + at, record.weights[p], record.hidden);
    }
  });
  // A shared expert's result lies in the same place: its backward reads the gradient next.
  if (!record.has_shared) tape.forget(record.out, record.rows * record.hidden);
}

}  // namespace r1
