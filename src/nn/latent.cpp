#include "nn/latent.h"

#include <stdexcept>
#include <vector>

#include "nn/tape.h"

namespace r1 {
namespace {

void latent_keys_backward(Context& context, Tape& tape, const LatentKeysCall& call,
                          const WeightVector& norm) {
  const float* gradient = tape.find(call.keys);
  if (gradient == nullptr) return;
  float* target = tape.add_to(context.arena(), call.compressed, call.rows * call.heads.cached()).data;
  context.backend().latent_keys_backward(call, gradient, target, tape.weight_gradient(norm.id));
}

// Of absorb_queries or expand_values, whose input has rows of `columns` floats.
template <typename Run>
void projection_backward(Context& context, Tape& tape, const LatentCall& call, int64_t columns,
                         const std::vector<Linear>& heads, const Run& run) {
  LatentBackwardCall back;
  back.call = call;
  back.output_gradient = tape.find(call.output);
  if (back.output_gradient == nullptr) return;
  back.input_gradient = tape.add_to(context.arena(), call.input, call.rows * columns).data;
  std::vector<float*> gradients;
  gradients.reserve(heads.size());
  for (const Linear& head : heads) gradients.push_back(tape.weight_gradient(head.weight.id));
  if (!call.projections->apart()) {
    back.together_gradient = tape.weight_gradient(call.projections->together.weight.id);
  }
  back.head_gradients = gradients;
  run(back);
}

}  // namespace

float* finish_latent_keys(Context& context, const LatentHeads& heads, const WeightVector& norm, float epsilon,
                          const RopeTable& table, int64_t rows, float* compressed) {
  LatentKeysCall call{heads, norm.values, epsilon, table, rows, compressed, compressed};
  if (Tape* tape = context.tape()) {
    call.keys = context.arena().allocate<float>(rows * heads.cached());
    tape->record([=](Context& later) { latent_keys_backward(later, *tape, call, norm); });
  }
  context.backend().latent_keys(call);
  return call.keys;
}

void absorb_queries(Context& context, const LatentHeads& heads, const LatentProjections& projections,
                    const RopeTable& table, const int32_t* table_rows, const float* queries, int64_t rows,
                    float* absorbed) {
  const LatentCall call{heads, &projections, table, table_rows, queries, rows, absorbed};
  if (Tape* tape = context.tape()) {
    if (table_rows != nullptr) throw std::logic_error("absorb_queries: a tape records whole batches only");
    tape->record([tape, call](Context& later) {
      projection_backward(later, *tape, call, call.heads.heads * call.heads.query(), call.projections->keys,
                          [&](const LatentBackwardCall& back) { later.backend().absorb_backward(back); });
    });
  }
  context.backend().absorb_queries(call);
}

void expand_values(Context& context, const LatentHeads& heads, const LatentProjections& projections,
                   const float* attended, int64_t rows, float* values) {
  const LatentCall call{heads, &projections, {}, nullptr, attended, rows, values};
  if (Tape* tape = context.tape()) {
    tape->record([tape, call](Context& later) {
      projection_backward(later, *tape, call, call.heads.heads * call.heads.latent, call.projections->values,
                          [&](const LatentBackwardCall& back) { later.backend().expand_backward(back); });
    });
  }
  context.backend().expand_values(call);
}

}  // namespace r1
