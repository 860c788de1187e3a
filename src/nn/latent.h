// Multi-head latent attention's own ops: the shared latent key, queries carried into the latent space,
// results carried out of it. With a tape each records its backward. Source: DeepSeek-V2 (2024), section 2.1,
// for the compression and the absorption of the projections.
#pragma once

#include <cstdint>

#include "nn/context.h"

namespace r1 {

/// Of compressed rows [rows, latent + rotary]: the latent normed (weights `norm` [latent]), the rest rotated
/// for row r of the table. In place without a tape; with one the result lies in the arena. Returns it.
float* finish_latent_keys(Context& context, const LatentHeads& heads, const WeightVector& norm, float epsilon,
                          const RopeTable& table, int64_t rows, float* compressed);

/// Of each head of `queries` [rows, heads, plain + rotary]: the plain part through the transposed key
/// projection, the rest rotated. absorbed: [rows, heads, latent + rotary]. Row i stands in row
/// table_rows[i] of the table (null: in row i; with a tape always).
void absorb_queries(Context& context, const LatentHeads& heads, const LatentProjections& projections,
                    const RopeTable& table, const int32_t* table_rows, const float* queries, int64_t rows,
                    float* absorbed);

/// attended [rows, heads, latent] through each head's value projection: values [rows, heads, value].
void expand_values(Context& context, const LatentHeads& heads, const LatentProjections& projections,
                   const float* attended, int64_t rows, float* values);

}  // namespace r1
