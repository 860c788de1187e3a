// What attention needs of an instruction set beside its lanes: the size of its register blocks (which changes
// no result) and a transpose. tile_avx2.h and tile_avx512.h are the vector versions.
#pragma once

#include "kernels/cpu/lanes_scalar.h"

namespace r1::kernels {
namespace {

constexpr int kStripRows = 4;     // query rows that one register block works on
constexpr int kScoreVectors = 2;  // of 16 tokens each, side by side in a register block: 1 or 2

/// Vectors of 16 value columns side by side in a register block of `rows` rows.
constexpr int value_vectors(int /*rows*/) {
  return 1;
}

/// Lane j of rows[i] goes to lane i of rows[j].
inline void transpose(F32x16 (&rows)[16]) {
  for (int i = 0; i < 16; i++) {
    for (int j = 0; j < i; j++) {
      const float kept = rows[i].v[j];
      rows[i].v[j] = rows[j].v[i];
      rows[j].v[i] = kept;
    }
  }
}

/// Whether transpose_halves() exists: 16 columns of 32 rows of f16, `offset` bytes into each row, to
/// out[column][row].
constexpr bool kTransposesHalves = false;
inline void transpose_halves(const std::byte* const* /*rows*/, int64_t /*offset*/, uint16_t* /*out*/) {}

/// Whether transpose_q8_0() exists: 32 columns of a tile of 32 tokens; blocks[t] is the q8_0 block of token
/// t, scales[t] its scale; out[column][token], scaled.
constexpr bool kTransposesQ8 = false;
inline void transpose_q8_0(const std::byte* const* /*blocks*/, const float* /*scales*/, float* /*out*/) {}

inline void prefetch(const std::byte* /*p*/) {}

}  // namespace
}  // namespace r1::kernels
