// AVX2's register blocks for attention; tile_scalar.h says what each part is.
#pragma once

#include "kernels/cpu/lanes_avx2.h"

namespace r1::kernels {
namespace {

constexpr int kStripRows = 6;  // 6 rows of one F32x16 fill 12 of the 16 registers
constexpr int kScoreVectors = 1;

constexpr int value_vectors(int rows) {
  return rows <= 1 ? 4 : rows <= 3 ? 2 : 1;
}

inline void transpose_8x8(__m256 (&r)[8]) {
  __m256 a[8];
  __m256 b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    a[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
    b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
  }
  for (int i = 0; i < 4; i++) {
    r[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
  }
}

inline void transpose(F32x16 (&rows)[16]) {
  __m256 corner[4][8];  // [upper left, upper right, lower left, lower right]
  for (int i = 0; i < 8; i++) {
    corner[0][i] = rows[i].lo;
    corner[1][i] = rows[i].hi;
    corner[2][i] = rows[i + 8].lo;
    corner[3][i] = rows[i + 8].hi;
  }
  for (auto& block : corner) transpose_8x8(block);
  for (int i = 0; i < 8; i++) {
    rows[i] = {corner[0][i], corner[2][i]};
    rows[i + 8] = {corner[1][i], corner[3][i]};
  }
}

constexpr bool kTransposesHalves = false;  // shuffles have a port of their own beside the two of arithmetic
inline void transpose_halves(const std::byte* const* /*rows*/, int64_t /*offset*/, uint16_t* /*out*/) {}

inline I32x16 load_pairs(const int8_t* p) {
  const auto* bytes = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtepi8_epi16(_mm_loadu_si128(bytes)), _mm256_cvtepi8_epi16(_mm_loadu_si128(bytes + 1))};
}
inline I32x16 add_pairs(I32x16 sum, I32x16 a, I32x16 b) {
  return {_mm256_add_epi32(sum.lo, _mm256_madd_epi16(a.lo, b.lo)),
          _mm256_add_epi32(sum.hi, _mm256_madd_epi16(a.hi, b.hi))};
}

inline void prefetch(const std::byte* p) {
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1);
}

}  // namespace
}  // namespace r1::kernels
