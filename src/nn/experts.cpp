#include "nn/experts.h"

#include "nn/elementwise.h"
#include "nn/linear.h"
#include "nn/tape.h"

namespace r1 {
namespace {

void routing_backward(Context& context, Tape& tape, const RouteCall& call) {
  const float* gradient = tape.find(call.weights);
  if (gradient == nullptr) return;
  float* target = tape.add_to_zeroed(context.arena(), call.logits, call.rows * call.rule.experts);
  context.backend().route_backward({call, gradient, target});
}

void expert_sum_backward(Context& context, Tape& tape, const ExpertSumCall& call) {
  const float* gradient = tape.find(call.out);
  if (gradient == nullptr) return;
  const int64_t pairs = call.rows * call.chosen;
  float* results_gradient = tape.add_to(context.arena(), call.results, pairs * call.columns).data;
  float* weights_gradient = tape.add_to(context.arena(), call.weights, pairs).data;
  context.backend().sum_experts_backward({call, gradient, results_gradient, weights_gradient});
  // A shared expert's result lies in the same place: its backward reads the gradient next.
  if (!call.accumulate) tape.forget(call.out, call.rows * call.columns);
}

std::vector<const Linear*> pointers(const std::vector<Linear>& layers) {
  std::vector<const Linear*> out;
  out.reserve(layers.size());
  for (const Linear& layer : layers) out.push_back(&layer);
  return out;
}

}  // namespace

Routing route_by_sigmoid(Context& context, const RoutingRule& rule, const float* logits, const float* bias,
                         int64_t rows) {
  RouteCall call{rule, logits, bias, rows, nullptr, nullptr};
  call.experts = context.arena().allocate<int32_t>(rows * rule.chosen);
  call.weights = context.arena().allocate<float>(rows * rule.chosen);
  context.backend().route(call);
  if (Tape* tape = context.tape()) {
    tape->record([tape, call](Context& later) { routing_backward(later, *tape, call); });
  }
  return {call.experts, call.weights};
}

std::vector<const Linear*> expert_readers(const Experts& experts, const SharedExpert* shared) {
  std::vector<const Linear*> readers = pointers(experts.gate);
  for (const Linear& layer : experts.up) readers.push_back(&layer);
  if (shared != nullptr) {
    readers.push_back(&shared->gate);
    readers.push_back(&shared->up);
  }
  return readers;
}

void expert_feed_forward(Context& context, const Experts& experts, const SharedExpert* shared,
                         const RoutingRule& rule, const Routing& routing, const Activations& input,
                         float* out, ExpertObserver* observer) {
  Arena& arena = context.arena();
  Arena::Scope scope(arena);
  const int64_t rows = input.rows;
  const int64_t pairs = rows * rule.chosen;
  const int64_t width = experts.gate[0].outputs();
  const int64_t hidden = experts.down[0].outputs();
  AssignCall assignment{routing.experts, rule.experts, rows, rule.chosen};
  assignment.begin = arena.allocate<int32_t>(rule.experts + 1);
  assignment.pair_row = arena.allocate<int32_t>(pairs);
  assignment.pair_of = arena.allocate<int32_t>(pairs);
  assignment.observer = observer;
  assignment.layer = &experts;
  context.backend().assign(assignment);

  // Each expert's rows, copied together.
  const Activations gathered = rows == 1 ? input : gather_rows(context, input, assignment.pair_row, pairs);
  float* gate = arena.allocate<float>(pairs * width);
  float* up = arena.allocate<float>(pairs * width);
  const int64_t shared_width = shared != nullptr ? shared->gate.outputs() : 0;
  float* shared_gate = arena.allocate<float>(rows * shared_width);
  float* shared_up = arena.allocate<float>(rows * shared_width);
  const auto group = [&](const std::vector<Linear>& layers, const Activations& from, bool same_row,
                         float* output) {
    return GroupedJob{layers, assignment.begin, pairs, from, same_row, output};
  };
  const GroupedJob inputs[] = {group(experts.gate, gathered, rows == 1, gate),
                               group(experts.up, gathered, rows == 1, up)};
  if (shared != nullptr) {
    const LinearJob jobs[] = {whole_layer(shared->gate, input, shared_gate),
                              whole_layer(shared->up, input, shared_up)};
    run_linear_jobs(context, jobs, inputs);
  } else {
    run_linear_jobs(context, {}, inputs);
  }

  float* results = arena.allocate<float>(pairs * hidden);
  const std::vector<const Linear*> down = pointers(experts.down);
  const Activations middle = swiglu(context, gate, up, pairs, width, {down});
  const GroupedJob outputs[] = {group(experts.down, middle, false, results)};
  if (shared != nullptr) {
    const Linear* shared_down = &shared->down;
    const Activations shared_middle =
        swiglu(context, shared_gate, shared_up, rows, shared_width, {{&shared_down, 1}}, input.row_set);
    const LinearJob job = whole_layer(shared->down, shared_middle, out);
    run_linear_jobs(context, {&job, 1}, outputs);
  } else {
    run_linear_jobs(context, {}, outputs);
  }

  const ExpertSumCall sum{results,     routing.weights, assignment.pair_of, rows,
                          rule.chosen, hidden,          shared != nullptr,  out};
  if (Tape* tape = context.tape()) {
    tape->record([tape, sum](Context& later) { expert_sum_backward(later, *tape, sum); });
  }
  context.backend().sum_experts(sum);
}

}  // namespace r1
