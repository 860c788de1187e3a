// What the attention units of all instruction sets share and is compiled once, without their flags.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"

namespace r1::kernels {

/// Keys are worked on in tiles of this many tokens, whatever the cache's block: part of the arithmetic.
inline constexpr int64_t kTileTokens = 32;

/// Query rows (position × head of one key/value head) that share one pass over the keys; a pass has at least
/// one position. Changes no result: enough rows to pay for converting a tile, few enough to stay in L2.
inline constexpr int64_t kPassRows = 192;

/// Scratch of a pass, in floats from its start; each part begins on a cache line. Integer parts (quantised
/// caches) lie in the memory of their float counterparts.
struct AttentionScratch {
  int64_t queries;       // strips of query rows, [columns][strip rows]
  int64_t query_scales;  // of queries in integers: strips, [blocks of 32 columns][strip rows]
  int64_t sums;          // [rows][value columns, padded to 16]: the unnormalised output
  int64_t maximum;       // running maximum, 16 of each strip
  int64_t total;         // running sum of the weights, 16 of each strip
  int64_t more_sums, more_maximum, more_total;  // the same of the segment at hand
  int64_t key_tile;                             // [key columns, padded to 16][32 tokens]
  int64_t half_tile;                            // the same of f16, in half the floats
  int64_t value_tile;                           // [32 tokens][value columns, padded to 16]
  int64_t key_scales;    // of a tile of quantised keys: [blocks of 32 columns][32 tokens]
  int64_t value_scales;  // the same of values
  int64_t weights;       // of a strip, in integers: [rows][blocks of 32 value columns][16 pairs of tokens]
  int64_t steps;         // their scales: [rows][blocks]
  int64_t floats;        // in all
};
AttentionScratch plan_attention_scratch(const AttentionShape& shape);

/// Throws Error(unsupported): the cache holds f32, f16, q8_0 and q4_0 only.
[[noreturn]] void refuse_cache_type(DType dtype);
/// The same, when the shape has another type.
void refuse_other_types(const AttentionShape& shape);

}  // namespace r1::kernels
