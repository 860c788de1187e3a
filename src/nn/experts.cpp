#include "nn/experts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/elementwise.h"
#include "nn/tape.h"

namespace r1 {
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

// Rows sorted by expert: pairs [begin[e], begin[e + 1]) are expert e's, pair p is row pair_row[p], and
// pair_of[row · chosen + k] finds them again.
struct Assignment {
  int64_t* begin;
  int32_t* pair_row;
  int32_t* pair_of;
};

Assignment sort_by_expert(Context& context, const RoutingRule& rule, const Routing& routing, int64_t rows) {
  Arena& arena = context.arena();
  const int64_t pairs = rows * rule.chosen;
  Assignment out{arena.allocate<int64_t>(rule.experts + 1), arena.allocate<int32_t>(pairs),
                 arena.allocate<int32_t>(pairs)};
  int64_t* next = arena.allocate<int64_t>(rule.experts);
  std::fill_n(out.begin, rule.experts + 1, 0);
  for (int64_t p = 0; p < pairs; ++p) ++out.begin[routing.experts[p] + 1];
  for (int64_t e = 0; e < rule.experts; ++e) {
    out.begin[e + 1] += out.begin[e];
    next[e] = out.begin[e];
  }
  for (int64_t p = 0; p < pairs; ++p) {
    const int64_t place = next[routing.experts[p]]++;
    out.pair_row[place] = static_cast<int32_t>(p / rule.chosen);
    out.pair_of[p] = static_cast<int32_t>(place);
  }
  return out;
}

// The jobs recorded before this one are about rows of `values`, a few each: their gradients are parts of one.
void record_whole(Context& context, const float* values, int64_t count) {
  if (Tape* tape = context.tape()) {
    tape->record([=](Context& own) { tape->add_to_zeroed(own.arena(), values, count); });
  }
}

}  // namespace

Routing route_by_sigmoid(Context& context, const RoutingRule& rule, const float* logits, const float* bias,
                         int64_t rows) {
  int32_t* experts = context.arena().allocate<int32_t>(rows * rule.chosen);
  float* weights = context.arena().allocate<float>(rows * rule.chosen);
  context.parallel_for(rows, rows > 4, [&](int64_t row, int thread) {
    const size_t bytes = static_cast<size_t>(2 * rule.experts + rule.groups) * sizeof(float);
    auto* scratch = reinterpret_cast<float*>(context.thread_scratch(thread, bytes));
    route_row(rule, logits + row * rule.experts, bias, scratch, scratch + rule.experts,
              scratch + 2 * rule.experts, experts + row * rule.chosen, weights + row * rule.chosen);
  });
  const Routing routing{experts, weights};
  if (Tape* tape = context.tape()) {
    const RoutingRecord record{rule, routing, logits, rows};
    tape->record([tape, record](Context& own) { routing_backward(own, *tape, record); });
  }
  return routing;
}

void expert_feed_forward(Context& context, const Experts& experts, const SharedExpert* shared,
                         const RoutingRule& rule, const Routing& routing, const Activations& input,
                         float* out) {
  Arena& arena = context.arena();
  Arena::Scope scope(arena);
  const int64_t rows = input.rows;
  const int64_t pairs = rows * rule.chosen;
  const int64_t width = experts.gate[0].outputs();
  const int64_t hidden = experts.down[0].outputs();
  const Assignment assignment = sort_by_expert(context, rule, routing, rows);

  // Each expert's rows, copied together.
  const Activations gathered =
      rows == 1 ? input : gather_rows(context, input, {assignment.pair_row, static_cast<size_t>(pairs)});
  auto input_of = [&](int64_t expert) {
    const int64_t count = assignment.begin[expert + 1] - assignment.begin[expert];
    return rows == 1 ? input : gathered.slice(assignment.begin[expert], count);
  };

  float* gate = arena.allocate<float>(pairs * width);
  float* up = arena.allocate<float>(pairs * width);
  const int64_t shared_width = shared != nullptr ? shared->gate.outputs() : 0;
  float* shared_gate = arena.allocate<float>(rows * shared_width);
  float* shared_up = arena.allocate<float>(rows * shared_width);
  const int64_t most_jobs = 2 * (std::min(rule.experts, pairs) + 1);
  LinearJob* jobs = arena.allocate<LinearJob>(most_jobs);
  int64_t count = 0;
  for (int64_t e = 0; e < rule.experts; ++e) {
    const int64_t begin = assignment.begin[e];
    if (begin == assignment.begin[e + 1]) continue;
    jobs[count++] = whole_layer(experts.gate[e], input_of(e), gate + begin * width);
    jobs[count++] = whole_layer(experts.up[e], input_of(e), up + begin * width);
  }
  if (shared != nullptr) {
    jobs[count++] = whole_layer(shared->gate, input, shared_gate);
    jobs[count++] = whole_layer(shared->up, input, shared_up);
  }
  run_linear_jobs(context, {jobs, static_cast<size_t>(count)});
  if (rows > 1) record_whole(context, gathered.values, pairs * input.columns);

  WantedForms wanted{false, false};
  for (int64_t e = 0; e < rule.experts; ++e) {
    if (assignment.begin[e] == assignment.begin[e + 1]) continue;
    (takes_quantised(context, experts.down[e].weight) ? wanted.quantised : wanted.floats) = true;
  }
  const Activations middle = swiglu(context, gate, up, pairs, width, wanted);
  float* results = arena.allocate<float>(pairs * hidden);
  count = 0;
  for (int64_t e = 0; e < rule.experts; ++e) {
    const int64_t begin = assignment.begin[e];
    const int64_t end = assignment.begin[e + 1];
    if (begin == end) continue;
    jobs[count++] = whole_layer(experts.down[e], middle.slice(begin, end - begin), results + begin * hidden);
  }
  if (shared != nullptr) {
    const Linear* down = &shared->down;
    const Activations shared_middle =
        swiglu(context, shared_gate, shared_up, rows, shared_width, WantedForms::of(context, {&down, 1}));
    jobs[count++] = whole_layer(shared->down, shared_middle, out);
  }
  run_linear_jobs(context, {jobs, static_cast<size_t>(count)});
  record_whole(context, middle.values, pairs * width);
  if (Tape* tape = context.tape()) {
    const ExpertSumRecord record{out,  results,     routing.weights, assignment.pair_of,
                                 rows, rule.chosen, hidden,          shared != nullptr};
    tape->record([tape, record](Context& own) { expert_sum_backward(own, *tape, record); });
  }

  context.parallel_for(rows, pairs * hidden > 16384, [&](int64_t row, int) {
    float* own = out + row * hidden;
    if (shared == nullptr) std::fill_n(own, hidden, 0.0F);
    for (int64_t k = 0; k < rule.chosen; ++k) {
      const int64_t pair = assignment.pair_of[row * rule.chosen + k];
      context.kernels().add_scaled(own, results + pair * hidden, routing.weights[row * rule.chosen + k],
                                   hidden);
    }
  });
}

}  // namespace r1
