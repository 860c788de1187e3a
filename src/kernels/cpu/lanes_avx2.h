// Sixteen lanes in two AVX2 registers. lanes_scalar.h says what each function computes.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace r1::kernels {
namespace {

struct F32x16 {
  __m256 lo, hi;
};
struct I32x16 {
  __m256i lo, hi;
};

inline F32x16 broadcast(float value) {
  return {_mm256_set1_ps(value), _mm256_set1_ps(value)};
}
inline I32x16 broadcast(int32_t value) {
  return {_mm256_set1_epi32(value), _mm256_set1_epi32(value)};
}
inline F32x16 load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline I32x16 load(const int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
}
/// All ones in lanes first … first + 7 that are below count.
inline __m256i lanes_below(int count, int first) {
  const __m256i lane = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane);
}
inline F32x16 load_partial(const float* p, int count) {
  return {_mm256_maskload_ps(p, lanes_below(count, 0)), _mm256_maskload_ps(p + 8, lanes_below(count, 8))};
}
inline void store(float* p, F32x16 a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
inline void store(int32_t* p, I32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.lo);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), a.hi);
}
inline void store_partial(float* p, F32x16 a, int count) {
  _mm256_maskstore_ps(p, lanes_below(count, 0), a.lo);
  _mm256_maskstore_ps(p + 8, lanes_below(count, 8), a.hi);
}

inline F32x16 load_f16(const uint16_t* p) {
  const auto* halves = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}
inline F32x16 load_bf16(const uint16_t* p) {
  const auto* halves = reinterpret_cast<const __m128i*>(p);
  const __m256i lo = _mm256_cvtepu16_epi32(_mm_loadu_si128(halves));
  const __m256i hi = _mm256_cvtepu16_epi32(_mm_loadu_si128(halves + 1));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(lo, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(hi, 16))};
}
inline I32x16 load_i8(const int8_t* p) {
  return {_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8)))};
}
inline I32x16 load_u8(const uint8_t* p) {
  return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8)))};
}
inline void store_f16(uint16_t* p, F32x16 a) {
  auto* halves = reinterpret_cast<__m128i*>(p);
  _mm_storeu_si128(halves, _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(halves + 1, _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT));
}
inline void store_i8(int8_t* p, I32x16 a) {
  const __m256i low_bytes = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0,
                                             4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i order = _mm256_setr_epi32(0, 4, 2, 2, 2, 2, 2, 2);
  const __m256i lo = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(a.lo, low_bytes), order);
  const __m256i hi = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(a.hi, low_bytes), order);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm_unpacklo_epi64(_mm256_castsi256_si128(lo), _mm256_castsi256_si128(hi)));
}

inline F32x16 operator+(F32x16 a, F32x16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
inline F32x16 operator-(F32x16 a, F32x16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
inline F32x16 operator*(F32x16 a, F32x16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
inline F32x16 operator/(F32x16 a, F32x16 b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
inline F32x16 max(F32x16 a, F32x16 b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
inline I32x16 operator+(I32x16 a, I32x16 b) {
  return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
inline I32x16 operator-(I32x16 a, I32x16 b) {
  return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)};
}
inline I32x16 operator*(I32x16 a, I32x16 b) {
  return {_mm256_mullo_epi32(a.lo, b.lo), _mm256_mullo_epi32(a.hi, b.hi)};
}
inline I32x16 operator&(I32x16 a, I32x16 b) {
  return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
}
inline I32x16 operator|(I32x16 a, I32x16 b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
inline I32x16 operator^(I32x16 a, I32x16 b) {
  return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)};
}

inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline F32x16 abs(F32x16 a) {
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  return {_mm256_and_ps(a.lo, magnitude), _mm256_and_ps(a.hi, magnitude)};
}
inline F32x16 square_root(F32x16 a) {
  return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)};
}
template <int kBits>
inline I32x16 shift_left(I32x16 a) {
  return {_mm256_slli_epi32(a.lo, kBits), _mm256_slli_epi32(a.hi, kBits)};
}
template <int kBits>
inline I32x16 shift_right(I32x16 a) {
  return {_mm256_srli_epi32(a.lo, kBits), _mm256_srli_epi32(a.hi, kBits)};
}
/// The sign moves in.
template <int kBits>
inline I32x16 shift_right_signed(I32x16 a) {
  return {_mm256_srai_epi32(a.lo, kBits), _mm256_srai_epi32(a.hi, kBits)};
}
inline F32x16 to_float(I32x16 a) {
  return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)};
}
inline I32x16 round_to_int(F32x16 a) {
  return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)};
}
inline F32x16 as_float(I32x16 a) {
  return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)};
}
inline I32x16 as_int(F32x16 a) {
  return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)};
}
inline F32x16 select_less(F32x16 x, F32x16 y, F32x16 a, F32x16 b) {
  return {_mm256_blendv_ps(b.lo, a.lo, _mm256_cmp_ps(x.lo, y.lo, _CMP_LT_OQ)),
          _mm256_blendv_ps(b.hi, a.hi, _mm256_cmp_ps(x.hi, y.hi, _CMP_LT_OQ))};
}

inline float reduce_add(F32x16 a) {
  const __m256 eight = _mm256_add_ps(a.lo, a.hi);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
inline int32_t reduce_add(I32x16 a) {
  const __m256i eight = _mm256_add_epi32(a.lo, a.hi);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 1)));
}
inline float reduce_max(F32x16 a) {
  const __m256 eight = _mm256_max_ps(a.lo, a.hi);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

/// target[j · 16 + i] = source[i · stride + j], 16 × 16.
inline void transpose(const float* source, int64_t stride, float* target) {
  for (int half = 0; half < 2; half++) {
    for (int quarter = 0; quarter < 4; quarter++) {
      // Lane L of z[j]: four floats of row 8·half + 4·L + j.
      __m256 z[4];
      for (int j = 0; j < 4; j++) {
        const float* const p = source + (half * 8 + j) * stride + quarter * 4;
        z[j] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + 4 * stride), 1);
      }
      const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(z[0], z[1]));
      const __m256d b = _mm256_castps_pd(_mm256_unpacklo_ps(z[2], z[3]));
      const __m256d c = _mm256_castps_pd(_mm256_unpackhi_ps(z[0], z[1]));
      const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(z[2], z[3]));
      float* const out = target + quarter * 64 + half * 8;
      _mm256_storeu_ps(out, _mm256_castpd_ps(_mm256_unpacklo_pd(a, b)));
      _mm256_storeu_ps(out + 16, _mm256_castpd_ps(_mm256_unpackhi_pd(a, b)));
      _mm256_storeu_ps(out + 32, _mm256_castpd_ps(_mm256_unpacklo_pd(c, d)));
      _mm256_storeu_ps(out + 48, _mm256_castpd_ps(_mm256_unpackhi_pd(c, d)));
    }
  }
}

/// columns[j], lane i: bytes 4·j … 4·j + 3 of the 16 bytes at row[i] + offset.
inline void load_columns(const std::byte* const* row, int64_t offset, I32x16* columns) {
  for (int half = 0; half < 2; half++) {
    __m256i z[4];  // 128-bit lane L of z[j]: the bytes of row 8·half + 4·L + j
    for (int j = 0; j < 4; j++) {
      const auto at = [=](int i) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row[i] + offset));
      };
      z[j] = _mm256_inserti128_si256(_mm256_castsi128_si256(at(8 * half + j)), at(8 * half + 4 + j), 1);
    }
    const __m256i a = _mm256_unpacklo_epi32(z[0], z[1]);
    const __m256i b = _mm256_unpacklo_epi32(z[2], z[3]);
    const __m256i c = _mm256_unpackhi_epi32(z[0], z[1]);
    const __m256i d = _mm256_unpackhi_epi32(z[2], z[3]);
    (half == 0 ? columns[0].lo : columns[0].hi) = _mm256_unpacklo_epi64(a, b);
    (half == 0 ? columns[1].lo : columns[1].hi) = _mm256_unpackhi_epi64(a, b);
    (half == 0 ? columns[2].lo : columns[2].hi) = _mm256_unpacklo_epi64(c, d);
    (half == 0 ? columns[3].lo : columns[3].hi) = _mm256_unpackhi_epi64(c, d);
  }
}

/// The four bytes at row[i] + offset of each row; offsets = row_offsets(row).
struct RowOffsets {
  __m256i lo, hi;
};
inline RowOffsets row_offsets(const std::byte* const* row) {
  int32_t offsets[16];
  for (int i = 0; i < 16; i++) offsets[i] = static_cast<int32_t>(row[i] - row[0]);
  const auto* both = reinterpret_cast<const __m256i*>(offsets);
  return {_mm256_loadu_si256(both), _mm256_loadu_si256(both + 1)};
}
inline I32x16 gather_dwords(const std::byte* const* row, RowOffsets offsets, int64_t offset) {
  const auto* base = reinterpret_cast<const int*>(row[0] + offset);
  return {_mm256_i32gather_epi32(base, offsets.lo, 1), _mm256_i32gather_epi32(base, offsets.hi, 1)};
}

/// The byte of the table that each byte (below 16) names.
inline I32x16 look_up(const int8_t table[16], I32x16 bytes) {
  const __m256i both = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
  return {_mm256_shuffle_epi8(both, bytes.lo), _mm256_shuffle_epi8(both, bytes.hi)};
}

/// Lanes of the table that 16 nibbles name: of eight bytes, each byte's high bits first.
inline F32x16 look_up_nibbles(F32x16 table, const uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  const __m128i pairs = _mm_unpacklo_epi8(_mm_srli_epi16(bytes, 4), bytes);
  const auto pick = [&](__m128i eight) {
    const __m256i index = _mm256_cvtepu8_epi32(eight);  // the permutations read its low three bits only
    const __m256 upper = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));  // sign: bit 3
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(table.lo, index),
                            _mm256_permutevar8x32_ps(table.hi, index), upper);
  };
  return {pick(pairs), pick(_mm_unpackhi_epi64(pairs, pairs))};
}

/// The binary16 in the low half of each lane.
inline F32x16 float_from_low_half(I32x16 a) {
  const __m256i low = _mm256_set1_epi32(0xffff);
  // Packs lanes 0–3 8–11 | 4–7 12–15 as 16 bits each, then puts them in order.
  const __m256i packed = _mm256_permute4x64_epi64(
      _mm256_packus_epi32(_mm256_and_si256(a.lo, low), _mm256_and_si256(a.hi, low)), 0xd8);
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(packed)),
          _mm256_cvtph_ps(_mm256_extracti128_si256(packed, 1))};
}

}  // namespace
}  // namespace r1::kernels
