// Backward of latent attention's ops. With W the rows of one head in a projection:
//   absorbed = q W       dq = dA Wᵀ   dW += qᵀ dA      values = mixed Wᵀ    dmixed = dV W   dW += dVᵀ mixed
#include <algorithm>

#include "kernels/training.h"
#include "nn/elementwise.h"
#include "nn/latent.h"
#include "nn/product.h"
#include "nn/tape.h"

namespace r1 {
void latent_keys_backward(Context& context, Tape& tape, const LatentKeysRecord& record) {
  const float* gradient = tape.find(record.keys);
  if (gradient == nullptr) return;
  const int64_t columns = record.heads.cached();
  const int64_t latent = record.heads.latent;
  float* target = tape.add_to(context.arena(), record.compressed, record.rows * columns).data;
  context.parallel_for(record.rows, record.rows > 4, [&](int64_t row, int) {
    float* own = target + row * columns;
    std::fill_n(own, latent, 0.0F);
    std::copy_n(gradient + row * columns + latent, record.heads.rotary, own + latent);
    rotate_back(RopeStyle::interleaved, record.table, row, own + latent);
  });
  rms_norm_rows_backward(context, {record.compressed, columns}, record.norm, {gradient, columns}, record.rows,
                         latent, record.epsilon, target, columns, tape.weight_gradient(record.norm));
}

void absorb_backward(Context& context, Tape& tape, const LatentRecord& record) {
  const LatentHeads& heads = record.heads;
  const LatentProjections& own = *record.projections;
  const float* gradient = tape.find(record.outer);
  if (gradient == nullptr) return;
  const int64_t inner_stride = heads.heads * heads.query();
  const int64_t outer_stride = heads.heads * heads.cached();
  float* target = tape.add_to(context.arena(), record.inner, record.rows * inner_stride).data;
  for (int64_t h = 0; h < heads.heads; ++h) {
    const kernels::WeightMatrix& weight = own.apart() ? own.keys[h].weight : own.together.weight;
    const int64_t first = own.apart() ? 0 : h * (heads.plain + heads.value);
    const float* queries = record.inner + h * heads.query();
    const float* from = gradient + h * heads.cached();
    kernels::Product product;
    product.a = from;
    product.a_row = outer_stride;
    set_weights(product, weight, first, !own.apart());  // apart: stored transposed
    product.c = target + h * heads.query();
    product.c_row = inner_stride;
    product.depth = heads.latent;
    run_product(context, product, record.rows, heads.plain);
    float* weight_gradient = tape.weight_gradient(weight.data);
    if (weight_gradient == nullptr) continue;
    if (own.apart()) {
      run_product(
          context,
          {from, 1, outer_stride, queries, inner_stride, 1, weight_gradient, heads.plain, record.rows, true},
          heads.latent, heads.plain);
    } else {
      run_product(context,
                  {queries, 1, inner_stride, from, outer_stride, 1, weight_gradient + first * heads.latent,
                   heads.latent, record.rows, true},
                  heads.plain, heads.latent);
    }
  }
  context.parallel_for(record.rows, record.rows > 1, [&](int64_t row, int) {
    for (int64_t h = 0; h < heads.heads; ++h) {
      float* to = target + row * inner_stride + h * heads.query() + heads.plain;
      std::copy_n(gradient + row * outer_stride + h * heads.cached() + heads.latent, heads.rotary, to);
      rotate_back(RopeStyle::interleaved, record.table, row, to);
    }
  });
}

void expand_backward(Context& context, Tape& tape, const LatentRecord& record) {
  const LatentHeads& heads = record.heads;
  const LatentProjections& own = *record.projections;
  const float* gradient = tape.find(record.outer);
  if (gradient == nullptr) return;
  const int64_t inner_stride = heads.heads * heads.latent;
  const int64_t outer_stride = heads.heads * heads.value;
  float* target = tape.add_to(context.arena(), record.inner, record.rows * inner_stride).data;
  for (int64_t h = 0; h < heads.heads; ++h) {
    const kernels::WeightMatrix& weight = own.apart() ? own.values[h].weight : own.together.weight;
    const int64_t first = own.apart() ? 0 : h * (heads.plain + heads.value) + heads.plain;
    const float* from = gradient + h * heads.value;
    kernels::Product product;
    product.a = from;
    product.a_row = outer_stride;
    set_weights(product, weight, first, false);
    product.c = target + h * heads.latent;
    product.c_row = inner_stride;
    product.depth = heads.value;
    run_product(context, product, record.rows, heads.latent);
    float* weight_gradient = tape.weight_gradient(weight.data);
    if (weight_gradient == nullptr) continue;
    run_product(context,
                {from, 1, outer_stride, record.inner + h * heads.latent, inner_stride, 1,
                 weight_gradient + first * heads.latent, heads.latent, record.rows, true},
                heads.value, heads.latent);
  }
}

}  // namespace r1
