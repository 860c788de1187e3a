// AVX-512's register blocks for attention; tile_scalar.h says what each part is.
#pragma once

#include "kernels/cpu/lanes_avx512.h"

namespace r1::kernels {
namespace {

constexpr int kStripRows = 12;  // 12 rows of two F32x16 fill 24 of the 32 registers
constexpr int kScoreVectors = 2;

constexpr int value_vectors(int rows) {
  return rows <= 3 ? 8 : rows <= 6 ? 4 : 2;
}

inline void transpose(F32x16 (&rows)[16]) {
  __m512 a[16];
  __m512 b[16];
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_ps(rows[i].v, rows[i + 1].v);
    a[i + 1] = _mm512_unpackhi_ps(rows[i].v, rows[i + 1].v);
  }
  for (int i = 0; i < 16; i += 4) {
    b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xee);
    b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xee);
  }
  // b[4 g + i] holds columns i, i + 4, i + 8, i + 12 of rows 4 g … 4 g + 3: transpose the 4 × 4 quarters.
  for (int i = 0; i < 4; i++) {
    const __m512 even_low = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x88);
    const __m512 odd_low = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xdd);
    const __m512 even_high = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x88);
    const __m512 odd_high = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xdd);
    rows[i].v = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
    rows[i + 8].v = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
    rows[i + 4].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    rows[i + 12].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
  }
}

constexpr bool kTransposesHalves = true;

/// 16 columns of 32 rows of f16, `offset` bytes into each row: out[column][row]. Half the shuffles of
/// converting first.
inline void transpose_halves(const std::byte* const* rows, int64_t offset, uint16_t* out) {
  __m512i r[16];  // 256 bits of row i, 256 bits of row i + 16; the halves go their way side by side
  for (int i = 0; i < 16; i++) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[i] + offset));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[i + 16] + offset));
    r[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  __m512i c[2][8];  // c[g][k]: in each 128 bits, column k (or k + 8) of rows 8 g … 8 g + 7 (or + 16)
  for (int g = 0; g < 2; g++) {
    __m512i a[8];
    __m512i b[8];
    for (int i = 0; i < 8; i += 2) {
      a[i] = _mm512_unpacklo_epi16(r[8 * g + i], r[8 * g + i + 1]);
      a[i + 1] = _mm512_unpackhi_epi16(r[8 * g + i], r[8 * g + i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      b[i] = _mm512_unpacklo_epi32(a[i], a[i + 2]);
      b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 2]);
      b[i + 2] = _mm512_unpacklo_epi32(a[i + 1], a[i + 3]);
      b[i + 3] = _mm512_unpackhi_epi32(a[i + 1], a[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
      c[g][2 * i] = _mm512_unpacklo_epi64(b[i], b[i + 4]);
      c[g][2 * i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 4]);
    }
  }
  const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
  const __m512i odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
  for (int k = 0; k < 8; k++) {
    _mm512_storeu_si512(out + 32 * k, _mm512_permutex2var_epi64(c[0][k], even, c[1][k]));
    _mm512_storeu_si512(out + 32 * (k + 8), _mm512_permutex2var_epi64(c[0][k], odd, c[1][k]));
  }
}

inline I32x16 load_pairs(const int8_t* p) {
  return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
/// Written out: see avx512/matmul.cpp.
inline I32x16 add_pairs(I32x16 sum, I32x16 a, I32x16 b) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
  return sum;
}

inline void prefetch(const std::byte* p) {
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1);
}

}  // namespace
}  // namespace r1::kernels
