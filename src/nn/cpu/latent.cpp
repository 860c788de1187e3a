// Latent attention's own calls, forward and backward. With W the rows of one head in a projection:
//   absorbed = q W          dq = dA Wᵀ         dW += qᵀ dA
//   values = attended Wᵀ    dattended = dV W   dW += dVᵀ attended
#include <algorithm>

#include "nn/cpu/cpu_backend.h"

namespace r1::cpu {

void CpuBackend::latent_keys(const LatentKeysCall& call) {
  const LatentHeads& heads = call.heads;
  const int64_t columns = heads.cached();
  parallel_for(call.rows, call.rows > 4, [&](int64_t row, int) {
    const float* from = call.compressed + row * columns;
    float* to = call.keys + row * columns;
    if (to != from) std::copy_n(from + heads.latent, heads.rotary, to + heads.latent);
    table_->rms_norm(from, call.norm, heads.latent, call.epsilon, to);
    rotate_head(RopeStyle::interleaved, call.table, row, false, to + heads.latent);
  });
}

void CpuBackend::absorb_queries(const LatentCall& call) {
  Arena::Scope scope(arena());
  const LatentHeads& heads = call.heads;
  const LatentProjections& projections = *call.projections;
  const int64_t count = heads.heads, stride = count * heads.query();
  if (call.rows > 0 && !projections.apart()) {
    const kernels::WeightMatrix weight = matrix_of(projections.together.weight);
    parallel_for(count, true, [&](int64_t h, int thread) {
      table_->matmul_transposed(weight, h * (heads.plain + heads.value), heads.plain,
                                call.input + h * heads.query(), stride, call.rows,
                                call.output + h * heads.cached(), count * heads.cached(),
                                thread_scratch(thread, kernels::transposed_scratch_bytes()));
    });
  } else if (projections.apart()) {
    auto* jobs = arena().allocate_host<LinearJob>(count);
    const std::span<Activations> inputs =
        prepare_pieces(call.input, call.rows, heads.plain, stride, heads.query(), count,
                       takes_int8(projections.keys[0].weight));
    for (int64_t h = 0; h < count; ++h) {
      const Linear& layer = projections.keys[h];
      jobs[h] = {&layer,          inputs[h], call.output + h * heads.cached(), count * heads.cached(), 0,
                 layer.outputs(), false};
    }
    run_jobs({jobs, static_cast<size_t>(count)});
  }
  parallel_for(call.rows, call.rows > 1, [&](int64_t index, int) {
    const int64_t row = call.table_rows == nullptr ? index : call.table_rows[index];
    for (int64_t h = 0; h < count; ++h) {
      const float* from = call.input + (index * count + h) * heads.query() + heads.plain;
      float* to = call.output + (index * count + h) * heads.cached() + heads.latent;
      std::copy_n(from, heads.rotary, to);
      rotate_head(RopeStyle::interleaved, call.table, row, false, to);
    }
  });
}

void CpuBackend::expand_values(const LatentCall& call) {
  Arena::Scope scope(arena());
  const LatentHeads& heads = call.heads;
  const LatentProjections& projections = *call.projections;
  const int64_t count = heads.heads;
  const bool apart = projections.apart();
  auto* jobs = arena().allocate_host<LinearJob>(count);
  const std::span<Activations> inputs =
      prepare_pieces(call.input, call.rows, heads.latent, count * heads.latent, heads.latent, count,
                     takes_int8(apart ? projections.values[0].weight : projections.together.weight));
  for (int64_t h = 0; h < count; ++h) {
    const Linear& layer = apart ? projections.values[h] : projections.together;
    const int64_t begin = apart ? 0 : h * (heads.plain + heads.value) + heads.plain;
    jobs[h] = {
        &layer, inputs[h], call.output + h * heads.value, count * heads.value, begin, begin + heads.value,
        false};
  }
  run_jobs({jobs, static_cast<size_t>(count)});
}

// Inputs that are beside each other in each row (the heads of an attention's result): piece p of row r at
// values + r · stride + p · columns_apart.
std::span<Activations> CpuBackend::prepare_pieces(const float* values, int64_t rows, int64_t columns,
                                                  int64_t stride, int64_t columns_apart, int64_t pieces,
                                                  bool int8) {
  const std::span<Activations> out{arena().allocate_host<Activations>(pieces), static_cast<size_t>(pieces)};
  Activations all;
  all.columns = columns;
  all.stride = stride;
  all.prepared = allocate_rows(int8 ? kInt8 : kFloats, rows * pieces, columns);
  for (int64_t p = 0; p < pieces; ++p) {
    out[p] = all.slice(p * rows, rows);
    out[p].values = values + p * columns_apart;
  }
  if (!int8) return out;
  parallel_for(pieces, rows * pieces * columns > kSmallLoop, [&](int64_t p, int) {
    table_->quantise_rows(out[p].values, rows, columns, stride, quantised_rows(out[p].prepared, columns));
  });
  return out;
}

void CpuBackend::latent_keys_backward(const LatentKeysCall& call, const float* keys_gradient,
                                      float* compressed_gradient, float* norm_gradient) {
  const int64_t columns = call.heads.cached();
  const int64_t latent = call.heads.latent;
  parallel_for(call.rows, call.rows > 4, [&](int64_t row, int) {
    float* target = compressed_gradient + row * columns;
    std::fill_n(target, latent, 0.0F);
    std::copy_n(keys_gradient + row * columns + latent, call.heads.rotary, target + latent);
    rotate_head(RopeStyle::interleaved, call.table, row, true, target + latent);
  });
  rms_norm_backward({call.compressed, columns, call.norm, keys_gradient, columns, call.rows, latent,
                     call.epsilon, compressed_gradient, columns, norm_gradient});
}

void CpuBackend::absorb_backward(const LatentBackwardCall& back) {
  const LatentCall& call = back.call;
  const LatentHeads& heads = call.heads;
  const LatentProjections& projections = *call.projections;
  const int64_t inner_stride = heads.heads * heads.query();
  const int64_t outer_stride = heads.heads * heads.cached();
  for (int64_t h = 0; h < heads.heads; ++h) {
    const bool apart = projections.apart();
    const Weight& weight = apart ? projections.keys[h].weight : projections.together.weight;
    const int64_t first = apart ? 0 : h * (heads.plain + heads.value);
    const float* queries = call.input + h * heads.query();
    const float* from = back.output_gradient + h * heads.cached();
    Product input;
    input.a = from;
    input.a_row = outer_stride;
    input.weights = &weight;
    input.first_weight_row = first;
    input.transposed = !apart;  // apart: stored transposed
    input.c = back.input_gradient + h * heads.query();
    input.c_row = inner_stride;
    input.depth = heads.latent;
    product(input, call.rows, heads.plain);
    float* weight_gradient = apart ? back.head_gradients[h] : back.together_gradient;
    if (weight_gradient == nullptr) continue;
    if (apart) {
      product(
          {from, 1, outer_stride, queries, inner_stride, 1, weight_gradient, heads.plain, call.rows, true},
          heads.latent, heads.plain);
    } else {
      product({queries, 1, inner_stride, from, outer_stride, 1, weight_gradient + first * heads.latent,
               heads.latent, call.rows, true},
              heads.plain, heads.latent);
    }
  }
  parallel_for(call.rows, call.rows > 1, [&](int64_t row, int) {
    for (int64_t h = 0; h < heads.heads; ++h) {
      float* to = back.input_gradient + row * inner_stride + h * heads.query() + heads.plain;
      std::copy_n(back.output_gradient + row * outer_stride + h * heads.cached() + heads.latent, heads.rotary,
                  to);
      rotate_head(RopeStyle::interleaved, call.table, row, true, to);
    }
  });
}

void CpuBackend::expand_backward(const LatentBackwardCall& back) {
  const LatentCall& call = back.call;
  const LatentHeads& heads = call.heads;
  const LatentProjections& projections = *call.projections;
  const int64_t inner_stride = heads.heads * heads.latent;
  const int64_t outer_stride = heads.heads * heads.value;
  for (int64_t h = 0; h < heads.heads; ++h) {
    const bool apart = projections.apart();
    const Weight& weight = apart ? projections.values[h].weight : projections.together.weight;
    const int64_t first = apart ? 0 : h * (heads.plain + heads.value) + heads.plain;
    const float* from = back.output_gradient + h * heads.value;
    Product input;
    input.a = from;
    input.a_row = outer_stride;
    input.weights = &weight;
    input.first_weight_row = first;
    input.c = back.input_gradient + h * heads.latent;
    input.c_row = inner_stride;
    input.depth = heads.value;
    product(input, call.rows, heads.latent);
    float* weight_gradient = apart ? back.head_gradients[h] : back.together_gradient;
    if (weight_gradient == nullptr) continue;
    product({from, 1, outer_stride, call.input + h * heads.latent, inner_stride, 1,
             weight_gradient + first * heads.latent, heads.latent, call.rows, true},
            heads.value, heads.latent);
  }
}

}  // namespace r1::cpu
