// Multi-head latent attention's own ops: the shared latent key, queries carried into the latent space,
// results carried out of it. With a tape each records its backward. Source: DeepSeek-V2 (2024), section 2.1,
// for the compression and the absorption of the projections.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/context.h"
#include "nn/linear.h"
#include "nn/rope.h"

namespace r1 {

struct LatentHeads {
  int64_t heads = 0;
  int64_t latent = 0;  // of keys and values
  int64_t plain = 0;   // key columns of a head without position
  int64_t rotary = 0;  // key columns with position, shared by all heads
  int64_t value = 0;   // value columns of a head

  constexpr int64_t query() const { return plain + rotary; }
  constexpr int64_t cached() const { return latent + rotary; }
};

/// The projections from the latent, either together ({heads · (plain + value), latent}: of each head the
/// key's rows, then the value's) or apart, a head each: keys transposed {latent, plain}, values {value,
/// latent}.
struct LatentProjections {
  Linear together;
  std::vector<Linear> keys, values;  // empty: together

  bool apart() const { return !keys.empty(); }
};

/// Of compressed rows [rows, latent + rotary]: the latent normed (weights `norm` [latent]), the rest rotated
/// for row r of the table. In place without a tape; with one the result lies in the arena. Returns it.
float* finish_latent_keys(Context& context, const LatentHeads& heads, const float* norm, float epsilon,
                          const RopeTable& table, int64_t rows, float* compressed);

/// Of each head of `queries` [rows, heads, plain + rotary]: the plain part through the transposed key
/// projection, the rest rotated. absorbed: [rows, heads, latent + rotary]. Row i stands in row
/// table_rows[i] of the table (null: in row i).
void absorb_queries(Context& context, const LatentHeads& heads, const LatentProjections& projections,
                    const RopeTable& table, const int32_t* table_rows, const float* queries, int64_t rows,
                    float* absorbed);

/// mixed [rows, heads, latent] through each head's value projection: values [rows, heads, value].
void expand_values(Context& context, const LatentHeads& heads, const LatentProjections& projections,
                   const float* mixed, int64_t rows, float* values);

class Tape;
struct LatentKeysRecord {
  LatentHeads heads;
  const float* norm = nullptr;
  float epsilon = 0;
  RopeTable table;
  int64_t rows = 0;
  const float* compressed = nullptr;
  const float* keys = nullptr;
};
void latent_keys_backward(Context& context, Tape& tape, const LatentKeysRecord& record);

/// Of absorb_queries (inner: queries, outer: absorbed) and expand_values (mixed, values). With a tape all
/// rows of a batch are there, so row i stands in row i of the table.
struct LatentRecord {
  LatentHeads heads;
  const LatentProjections* projections = nullptr;
  RopeTable table;
  int64_t rows = 0;
  const float* inner = nullptr;
  const float* outer = nullptr;
};
void absorb_backward(Context& context, Tape& tape, const LatentRecord& record);
void expand_backward(Context& context, Tape& tape, const LatentRecord& record);

}  // namespace r1
