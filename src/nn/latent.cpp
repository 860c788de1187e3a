#include "nn/latent.h"

#include <algorithm>
#include <stdexcept>

#include "nn/tape.h"

namespace r1 {

float* finish_latent_keys(Context& context, const LatentHeads& heads, const float* norm, float epsilon,
                          const RopeTable& table, int64_t rows, float* compressed) {
  const int64_t columns = heads.cached();
  float* keys = compressed;
  if (Tape* tape = context.tape()) {
    keys = context.arena().allocate<float>(rows * columns);
    const LatentKeysRecord record{heads, norm, epsilon, table, rows, compressed, keys};
    tape->record([tape, record](Context& own) { latent_keys_backward(own, *tape, record); });
  }
  context.parallel_for(rows, rows > 4, [&](int64_t row, int) {
    const float* from = compressed + row * columns;
    float* to = keys + row * columns;
    if (to != from) std::copy_n(from + heads.latent, heads.rotary, to + heads.latent);
    context.kernels().rms_norm(from, norm, heads.latent, epsilon, to);
    rotate(RopeStyle::interleaved, table, row, to + heads.latent);
  });
  return keys;
}

void absorb_queries(Context& context, const LatentHeads& heads, const LatentProjections& projections,
                    const RopeTable& table, const int32_t* table_rows, const float* queries, int64_t rows,
                    float* absorbed) {
  Arena& arena = context.arena();
  const int64_t count = heads.heads;
  Tape* tape = context.tape();
  if (tape != nullptr) {
    if (table_rows != nullptr) throw std::logic_error("absorb_queries: a tape records whole batches only");
    const LatentRecord record{heads, &projections, table, rows, queries, absorbed};
    tape->record([tape, record](Context& own) { absorb_backward(own, *tape, record); });
    context.set_tape(nullptr);  // of the parts below
  }
  if (!projections.apart()) {
    auto* jobs = arena.allocate<TransposedJob>(count);
    for (int64_t h = 0; h < count; ++h) {
      jobs[h] = {&projections.together.weight, h * (heads.plain + heads.value), heads.plain,
                 queries + h * heads.query(),  count * heads.query(),           absorbed + h * heads.cached(),
                 count * heads.cached()};
    }
    run_transposed_jobs(context, {jobs, static_cast<size_t>(count)}, rows);
  } else {
    const std::span<Activations> inputs{arena.allocate<Activations>(count), static_cast<size_t>(count)};
    make_activations_of_pieces(context, queries, rows, heads.plain, count * heads.query(), heads.query(),
                               takes_quantised(context, projections.keys[0].weight), inputs);
    auto* jobs = arena.allocate<LinearJob>(count);
    for (int64_t h = 0; h < count; ++h) {
      jobs[h] = whole_layer(projections.keys[h], inputs[h], absorbed + h * heads.cached());
      jobs[h].output_stride = count * heads.cached();
    }
    run_linear_jobs(context, {jobs, static_cast<size_t>(count)});
  }
  context.set_tape(tape);
  context.parallel_for(rows, rows > 1, [&](int64_t index, int) {
    const int64_t row = table_rows == nullptr ? index : table_rows[index];
    for (int64_t h = 0; h < count; ++h) {
      const float* from = queries + (index * count + h) * heads.query() + heads.plain;
      float* to = absorbed + (index * count + h) * heads.cached() + heads.latent;
      std::copy_n(from, heads.rotary, to);
      rotate(RopeStyle::interleaved, table, row, to);
    }
  });
}

void expand_values(Context& context, const LatentHeads& heads, const LatentProjections& projections,
                   const float* mixed, int64_t rows, float* values) {
  Arena& arena = context.arena();
  const int64_t count = heads.heads;
  Tape* tape = context.tape();
  if (tape != nullptr) {
    const LatentRecord record{heads, &projections, {}, rows, mixed, values};
    tape->record([tape, record](Context& own) { expand_backward(own, *tape, record); });
    context.set_tape(nullptr);
  }
  const bool apart = projections.apart();
  const std::span<Activations> inputs{arena.allocate<Activations>(count), static_cast<size_t>(count)};
  make_activations_of_pieces(
      context, mixed, rows, heads.latent, count * heads.latent, heads.latent,
      takes_quantised(context, apart ? projections.values[0].weight : projections.together.weight), inputs);
  auto* jobs = arena.allocate<LinearJob>(count);
  for (int64_t h = 0; h < count; ++h) {
    const Linear& layer = apart ? projections.values[h] : projections.together;
    const int64_t begin = apart ? 0 : h * (heads.plain + heads.value) + heads.plain;
    jobs[h] = {&layer, inputs[h], values + h * heads.value, count * heads.value, begin, begin + heads.value,
               false};
  }
  run_linear_jobs(context, {jobs, static_cast<size_t>(count)});
  context.set_tape(tape);
}

}  // namespace r1
