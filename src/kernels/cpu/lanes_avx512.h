// Sixteen lanes in one AVX-512 register. lanes_scalar.h says what each function computes.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace r1::kernels {
namespace {

struct F32x16 {
  __m512 v;
};
struct I32x16 {
  __m512i v;
};

inline F32x16 broadcast(float value) {
  return {_mm512_set1_ps(value)};
}
inline I32x16 broadcast(int32_t value) {
  return {_mm512_set1_epi32(value)};
}
inline F32x16 load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
inline I32x16 load(const int32_t* p) {
  return {_mm512_loadu_si512(p)};
}
inline __mmask16 first_lanes(int count) {
  return static_cast<__mmask16>((1U << count) - 1U);
}
inline F32x16 load_partial(const float* p, int count) {
  return {_mm512_maskz_loadu_ps(first_lanes(count), p)};
}
inline void store(float* p, F32x16 a) {
  _mm512_storeu_ps(p, a.v);
}
inline void store(int32_t* p, I32x16 a) {
  _mm512_storeu_si512(p, a.v);
}
inline void store_partial(float* p, F32x16 a, int count) {
  _mm512_mask_storeu_ps(p, first_lanes(count), a.v);
}

inline F32x16 load_f16(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline F32x16 load_bf16(const uint16_t* p) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}
inline I32x16 load_i8(const int8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline I32x16 load_u8(const uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline void store_f16(uint16_t* p, F32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
inline void store_i8(int8_t* p, I32x16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}

inline F32x16 operator+(F32x16 a, F32x16 b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline F32x16 operator-(F32x16 a, F32x16 b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline F32x16 operator*(F32x16 a, F32x16 b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline F32x16 operator/(F32x16 a, F32x16 b) {
  return {_mm512_div_ps(a.v, b.v)};
}
inline F32x16 max(F32x16 a, F32x16 b) {
  return {_mm512_max_ps(a.v, b.v)};
}
inline F32x16 min(F32x16 a, F32x16 b) {
  return {_mm512_min_ps(a.v, b.v)};
}
inline I32x16 operator+(I32x16 a, I32x16 b) {
  return {_mm512_add_epi32(a.v, b.v)};
}
inline I32x16 operator-(I32x16 a, I32x16 b) {
  return {_mm512_sub_epi32(a.v, b.v)};
}
inline I32x16 operator*(I32x16 a, I32x16 b) {
  return {_mm512_mullo_epi32(a.v, b.v)};
}
inline I32x16 operator&(I32x16 a, I32x16 b) {
  return {_mm512_and_si512(a.v, b.v)};
}
inline I32x16 operator|(I32x16 a, I32x16 b) {
  return {_mm512_or_si512(a.v, b.v)};
}
inline I32x16 operator^(I32x16 a, I32x16 b) {
  return {_mm512_xor_si512(a.v, b.v)};
}

inline F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline F32x16 abs(F32x16 a) {
  return {_mm512_abs_ps(a.v)};
}
inline F32x16 square_root(F32x16 a) {
  return {_mm512_sqrt_ps(a.v)};
}
template <int kBits>
inline I32x16 shift_left(I32x16 a) {
  return {_mm512_slli_epi32(a.v, kBits)};
}
template <int kBits>
inline I32x16 shift_right(I32x16 a) {
  return {_mm512_srli_epi32(a.v, kBits)};
}
/// The sign moves in.
template <int kBits>
inline I32x16 shift_right_signed(I32x16 a) {
  return {_mm512_srai_epi32(a.v, kBits)};
}
inline F32x16 to_float(I32x16 a) {
  return {_mm512_cvtepi32_ps(a.v)};
}
inline I32x16 round_to_int(F32x16 a) {
  return {_mm512_cvtps_epi32(a.v)};
}
inline F32x16 as_float(I32x16 a) {
  return {_mm512_castsi512_ps(a.v)};
}
inline I32x16 as_int(F32x16 a) {
  return {_mm512_castps_si512(a.v)};
}
inline F32x16 select_less(F32x16 x, F32x16 y, F32x16 a, F32x16 b) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(x.v, y.v, _CMP_LT_OQ), b.v, a.v)};
}

inline float reduce_add(F32x16 a) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
inline int32_t reduce_add(I32x16 a) {
  return _mm512_reduce_add_epi32(a.v);
}
inline float reduce_max(F32x16 a) {
  return _mm512_reduce_max_ps(a.v);
}

/// target[j · 16 + i] = source[i · stride + j], 16 × 16.
inline void transpose(const float* source, int64_t stride, float* target) {
  for (int quarter = 0; quarter < 4; quarter++) {
    // Lane L of z[j]: four floats of row 4·L + j.
    __m512 z[4];
    for (int j = 0; j < 4; j++) {
      const float* const p = source + j * stride + quarter * 4;
      z[j] = _mm512_castps128_ps512(_mm_loadu_ps(p));
      z[j] = _mm512_insertf32x4(z[j], _mm_loadu_ps(p + 4 * stride), 1);
      z[j] = _mm512_insertf32x4(z[j], _mm_loadu_ps(p + 8 * stride), 2);
      z[j] = _mm512_insertf32x4(z[j], _mm_loadu_ps(p + 12 * stride), 3);
    }
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(z[0], z[1]));
    const __m512d b = _mm512_castps_pd(_mm512_unpacklo_ps(z[2], z[3]));
    const __m512d c = _mm512_castps_pd(_mm512_unpackhi_ps(z[0], z[1]));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(z[2], z[3]));
    float* const out = target + quarter * 64;
    _mm512_storeu_ps(out, _mm512_castpd_ps(_mm512_unpacklo_pd(a, b)));
    _mm512_storeu_ps(out + 16, _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
    _mm512_storeu_ps(out + 32, _mm512_castpd_ps(_mm512_unpacklo_pd(c, d)));
    _mm512_storeu_ps(out + 48, _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)));
  }
}

/// columns[j], lane i: bytes 4·j … 4·j + 3 of the 16 bytes at row[i] + offset.
inline void load_columns(const std::byte* const* row, int64_t offset, I32x16* columns) {
  __m512i z[4];  // 128-bit lane L of z[j]: the bytes of row 4·L + j
  for (int j = 0; j < 4; j++) {
    const auto at = [=](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row[i] + offset)); };
    z[j] = _mm512_castsi128_si512(at(j));
    z[j] = _mm512_inserti32x4(z[j], at(j + 4), 1);
    z[j] = _mm512_inserti32x4(z[j], at(j + 8), 2);
    z[j] = _mm512_inserti32x4(z[j], at(j + 12), 3);
  }
  const __m512i a = _mm512_unpacklo_epi32(z[0], z[1]);
  const __m512i b = _mm512_unpacklo_epi32(z[2], z[3]);
  const __m512i c = _mm512_unpackhi_epi32(z[0], z[1]);
  const __m512i d = _mm512_unpackhi_epi32(z[2], z[3]);
  columns[0].v = _mm512_unpacklo_epi64(a, b);
  columns[1].v = _mm512_unpackhi_epi64(a, b);
  columns[2].v = _mm512_unpacklo_epi64(c, d);
  columns[3].v = _mm512_unpackhi_epi64(c, d);
}

/// The four bytes at row[i] + offset of each row; offsets = row_offsets(row).
struct RowOffsets {
  __m512i v;
};
inline RowOffsets row_offsets(const std::byte* const* row) {
  int32_t offsets[16];
  for (int i = 0; i < 16; i++) offsets[i] = static_cast<int32_t>(row[i] - row[0]);
  return {_mm512_loadu_si512(offsets)};
}
inline I32x16 gather_dwords(const std::byte* const* row, RowOffsets offsets, int64_t offset) {
  return {_mm512_i32gather_epi32(offsets.v, row[0] + offset, 1)};
}

/// The byte of the table that each byte (below 16) names.
inline I32x16 look_up(const int8_t table[16], I32x16 bytes) {
  const __m128i once = _mm_load_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(once), bytes.v)};
}

/// Lanes of the table that 16 nibbles name: of eight bytes, each byte's high bits first.
inline F32x16 look_up_nibbles(F32x16 table, const uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  const __m128i pairs = _mm_unpacklo_epi8(_mm_srli_epi16(bytes, 4), bytes);
  // The permutation reads the low four bits of a lane only.
  return {_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(pairs), table.v)};
}

/// The binary16 in the low half of each lane.
inline F32x16 float_from_low_half(I32x16 a) {
  return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(a.v))};
}

}  // namespace
}  // namespace r1::kernels
