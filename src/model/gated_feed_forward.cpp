#include "model/gated_feed_forward.h"

#include "nn/elementwise.h"
#include "nn/linear.h"

namespace r1 {

void GatedFeedForward::run(Context& context, const Activations& normed, float* out) const {
  Arena& arena = context.arena();
  Arena::Scope scope(arena);
  const int64_t columns = gate.outputs();
  float* gates = arena.allocate<float>(normed.rows * columns);
  float* ups = arena.allocate<float>(normed.rows * columns);
  const LinearJob jobs[] = {whole_layer(gate, normed, gates), whole_layer(up, normed, ups)};
  run_linear_jobs(context, jobs);
  const Linear* reader = &down;
  linear(context, down, swiglu(context, gates, ups, normed.rows, columns, {{&reader, 1}}, normed.row_set),
         out);
}

}  // namespace r1
