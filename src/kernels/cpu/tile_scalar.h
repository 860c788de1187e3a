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

/// 32 bytes as 16-bit integers, two to a lane.
inline I32x16 load_pairs(const int8_t* p) {
  I32x16 r;
  for (int i = 0; i < 16; i++)
    r.v[i] = static_cast<int32_t>((static_cast<uint32_t>(p[2 * i]) & 0xffffU) |
                                  static_cast<uint32_t>(p[2 * i + 1]) << 16U);
  return r;
}
/// sum + the two products of the 16-bit integers in each lane.
inline I32x16 add_pairs(const I32x16& sum, const I32x16& a, const I32x16& b) {
  I32x16 r;
  for (int i = 0; i < 16; i++) {
    const auto low = [](int32_t v) { return int32_t{static_cast<int16_t>(v & 0xffff)}; };
    const auto high = [](int32_t v) {
      return int32_t{static_cast<int16_t>(static_cast<uint32_t>(v) >> 16U)};
    };
    r.v[i] = sum.v[i] + low(a.v[i]) * low(b.v[i]) + high(a.v[i]) * high(b.v[i]);
  }
  return r;
}

inline void prefetch(const std::byte* /*p*/) {}

}  // namespace
}  // namespace r1::kernels
