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

/// Scratch of a pass, in floats from its start; each part begins on a cache line.
struct AttentionScratch {
  int64_t queries;     // strips of query rows, [columns][strip rows]
  int64_t sums;        // [rows][value columns, padded to 16]: the unnormalised output
  int64_t maximum;     // running maximum, 16 of each strip
  int64_t total;       // running sum of the weights, 16 of each strip
  int64_t key_tile;    // [key columns, padded to 16][32 tokens]
  int64_t half_tile;   // the same of f16, in half the floats
  int64_t value_tile;  // [32 tokens][value columns, padded to 16]
  int64_t scales;      // of a tile of quantised keys or values: [blocks of 32 columns][32 tokens]
  int64_t floats;      // in all
};
AttentionScratch plan_attention_scratch(const AttentionShape& shape);

/// Throws Error(unsupported): the cache holds f32, f16, q8_0 and q4_0 only.
[[noreturn]] void refuse_cache_type(DType dtype);

}  // namespace r1::kernels
