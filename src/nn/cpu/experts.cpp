// Choosing experts, sorting rows by them, and the sum of what they gave.
#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/cpu/cpu_backend.h"

namespace r1::cpu {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Index of the largest value; the first of equal ones. Values that are no numbers lose, but something is
// always returned.
int64_t largest(const float* values, int64_t count) {
  int64_t best = 0;
  for (int64_t i = 1; i < count; ++i) {
    if (values[i] > values[best] || std::isnan(values[best])) best = i;
  }
  return best;
}

// Sets all but the best groups to kNever. A group counts as the sum of its two best (of one: as that).
void keep_best_groups(const RoutingRule& rule, float* choice, float* group_scores) {
  const int64_t size = rule.experts / rule.groups;
  for (int64_t g = 0; g < rule.groups; ++g) {
    float best = kNever;
    float second = kNever;
    for (int64_t i = g * size; i < (g + 1) * size; ++i) {
      if (choice[i] > best) {
        second = best;
        best = choice[i];
      } else if (choice[i] > second) {
        second = choice[i];
      }
    }
    group_scores[g] = size > 1 ? best + second : best;
  }
  for (int64_t kept = 0; kept < rule.chosen_groups; ++kept) {
    group_scores[largest(group_scores, rule.groups)] = std::numeric_limits<float>::quiet_NaN();
  }
  for (int64_t g = 0; g < rule.groups; ++g) {
    if (!std::isnan(group_scores[g])) std::fill_n(choice + g * size, size, kNever);
  }
}

void route_row(const RoutingRule& rule, const float* logits, const float* bias, float* scores, float* choice,
               float* group_scores, int32_t* experts, float* weights) {
  for (int64_t i = 0; i < rule.experts; ++i) {
    scores[i] = 1.0F / (1.0F + std::exp(-logits[i]));
    choice[i] = bias != nullptr ? scores[i] + bias[i] : scores[i];
  }
  if (rule.groups > 1) keep_best_groups(rule, choice, group_scores);
  for (int64_t k = 0; k < rule.chosen; ++k) {
    const int64_t expert = largest(choice, rule.experts);
    experts[k] = static_cast<int32_t>(expert);
    choice[expert] = std::numeric_limits<float>::quiet_NaN();
  }
  std::sort(experts, experts + rule.chosen);
  float sum = 0;
  for (int64_t k = 0; k < rule.chosen; ++k) {
    weights[k] = scores[experts[k]];
    sum += weights[k];
  }
  for (int64_t k = 0; k < rule.chosen; ++k) {
    if (rule.normalise) weights[k] /= sum;
    weights[k] *= rule.scale;
  }
}

}  // namespace

void CpuBackend::route(const RouteCall& call) {
  const RoutingRule& rule = call.rule;
  parallel_for(call.rows, call.rows > 4, [&](int64_t row, int thread) {
    const size_t bytes = static_cast<size_t>(2 * rule.experts + rule.groups) * sizeof(float);
    auto* scratch = reinterpret_cast<float*>(thread_scratch(thread, bytes));
    route_row(rule, call.logits + row * rule.experts, call.bias, scratch, scratch + rule.experts,
              scratch + 2 * rule.experts, call.experts + row * rule.chosen, call.weights + row * rule.chosen);
  });
}

// w_k = scale · s_k / Σ s:  ds_k = scale / Σ s · (dw_k - Σ_j dw_j s_j / Σ s), and s = sigmoid(logit). The
// choice of experts itself has no gradient.
void CpuBackend::route_backward(const RouteBackwardCall& back) {
  const RouteCall& call = back.call;
  const RoutingRule& rule = call.rule;
  for (int64_t row = 0; row < call.rows; ++row) {
    const int32_t* experts = call.experts + row * rule.chosen;
    const float* gradient = back.weights_gradient + row * rule.chosen;
    auto score = [&](int64_t k) {
      return 1 / (1 + std::exp(-static_cast<double>(call.logits[row * rule.experts + experts[k]])));
    };
    double sum = 0, mean = 0;
    for (int64_t k = 0; k < rule.chosen; ++k) {
      sum += score(k);
      mean += gradient[k] * score(k);
    }
    for (int64_t k = 0; k < rule.chosen; ++k) {
      const double slope =
          rule.normalise ? rule.scale / sum * (gradient[k] - mean / sum) : rule.scale * gradient[k];
      back.logits_gradient[row * rule.experts + experts[k]] +=
          static_cast<float>(slope * score(k) * (1 - score(k)));
    }
  }
}

void CpuBackend::assign(const AssignCall& call) {
  Arena::Scope scope(arena());
  const int64_t pairs = call.rows * call.chosen;
  if (call.observer != nullptr) {
    call.observer->use(*call.layer, {call.experts, static_cast<size_t>(pairs)});
  }
  int32_t* next = arena().allocate_host<int32_t>(call.expert_count);
  std::fill_n(call.begin, call.expert_count + 1, 0);
  for (int64_t p = 0; p < pairs; ++p) ++call.begin[call.experts[p] + 1];
  for (int64_t e = 0; e < call.expert_count; ++e) {
    call.begin[e + 1] += call.begin[e];
    next[e] = call.begin[e];
  }
  for (int64_t p = 0; p < pairs; ++p) {
    const int32_t place = next[call.experts[p]]++;
    call.pair_row[place] = static_cast<int32_t>(p / call.chosen);
    call.pair_of[p] = place;
  }
}

void CpuBackend::sum_experts(const ExpertSumCall& call) {
  const int64_t columns = call.columns;
  parallel_for(call.rows, call.rows * call.chosen * columns > kSmallLoop, [&](int64_t row, int) {
    float* out = call.out + row * columns;
    if (!call.accumulate) std::fill_n(out, columns, 0.0F);
    for (int64_t k = 0; k < call.chosen; ++k) {
      const int64_t pair = call.pair_of[row * call.chosen + k];
      table_->add_scaled(out, call.results + pair * columns, call.weights[row * call.chosen + k], columns);
    }
  });
}

void CpuBackend::sum_experts_backward(const ExpertSumBackwardCall& back) {
  const ExpertSumCall& call = back.call;
  const int64_t columns = call.columns;
  parallel_for(call.rows, call.rows * call.chosen * columns > kSmallLoop, [&](int64_t row, int) {
    const float* gradient = back.out_gradient + row * columns;
    for (int64_t k = 0; k < call.chosen; ++k) {
      const int64_t p = row * call.chosen + k;
      const int64_t at = call.pair_of[p] * columns;
      back.weights_gradient[p] = table_->training->dot(gradient, call.results + at, columns);
      std::copy_n(gradient, columns, back.results_gradient + at);
      table_->training->scale(back.results_gradient + at, call.weights[p], columns);
    }
  });
}

}  // namespace r1::cpu
