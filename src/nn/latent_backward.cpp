// Backward of latent attention's ops. With W the rows of one head in a projection:
//   absorbed = q W       dq = dA Wᵀ   dW += qᵀ dA      values = mixed Wᵀ    dmixed = dV W   dW += dVᵀ mixed
#include <algorithm>

#include "kernels/training.h"
#include "nn/elementwise.h"
#include "nn/latent.h"
#include "nn/product.h"
#include "nn/tape.h"

namespace r1 {
namespace {

// Rows [first, first + count) of a stored weight as floats. Memory from the arena.
const float* decode_rows(Context& context, const kernels::WeightMatrix& weight, int64_t first,
                         int64_t count) {
  float* decoded = context.arena().allocate<float>(count * weight.inputs);
  context.parallel_for(count, count * weight.inputs > 16384, [&](int64_t row, int) {
    decode_weight_row(weight, first + row,
                      {decoded + row * weight.inputs, static_cast<size_t>(weight.inputs)});
  });
  return decoded;
}

}  // namespace

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
    Arena::Scope scope(context.arena());
    const kernels::WeightMatrix& weight = own.apart() ? own.keys[h].weight : own.together.weight;
    const int64_t first = own.apart() ? 0 : h * (heads.plain + heads.value);
    const float* rows = decode_rows(context, weight, first, own.apart() ? heads.latent : heads.plain);
    const float* queries = record.inner + h * heads.query();
    const float* from = gradient + h * heads.cached();
    kernels::Product product{
        from,         outer_stride, 1,    rows, 1, heads.latent, target + h * heads.query(),
        inner_stride, heads.latent, false};
    if (own.apart()) {  // stored transposed
      product.b_depth = heads.plain;
      product.b_column = 1;
    }
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
    Arena::Scope scope(context.arena());
    const kernels::WeightMatrix& weight = own.apart() ? own.values[h].weight : own.together.weight;
    const int64_t first = own.apart() ? 0 : h * (heads.plain + heads.value) + heads.plain;
    const float* rows = decode_rows(context, weight, first, heads.value);
    const float* from = gradient + h * heads.value;
    run_product(context,
                {from, outer_stride, 1, rows, heads.latent, 1, target + h * heads.latent, inner_stride,
                 heads.value, false},
                record.rows, heads.latent);
    float* weight_gradient = tape.weight_gradient(weight.data);
    if (weight_gradient == nullptr) continue;
    run_product(context,
                {from, 1, outer_stride, record.inner + h * heads.latent, inner_stride, 1,
                 weight_gradient + first * heads.latent, heads.latent, record.rows, true},
                heads.value, heads.latent);
  }
}

}  // namespace r1
