// Sixteen lanes in plain C++: the twin that says what the vector versions (lanes_avx2.h, lanes_avx512.h)
// compute. All three give the same bits: rounding is to nearest even, fused multiply-adds are written out,
// sums over lanes have one fixed order.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "tensor/float_formats.h"

namespace r1::kernels {
namespace {

struct F32x16 {
  float v[16];
};
struct I32x16 {
  int32_t v[16];
};

inline F32x16 broadcast(float value) {
  F32x16 r;
  for (float& lane : r.v) lane = value;
  return r;
}
inline I32x16 broadcast(int32_t value) {
  I32x16 r;
  for (int32_t& lane : r.v) lane = value;
  return r;
}
inline F32x16 load(const float* p) {
  F32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = p[i];
  return r;
}
inline I32x16 load(const int32_t* p) {
  I32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = p[i];
  return r;
}
/// The first `count` (0 … 16) values; the other lanes are zero and their memory is not touched.
inline F32x16 load_partial(const float* p, int count) {
  F32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = i < count ? p[i] : 0.0F;
  return r;
}
inline void store(float* p, const F32x16& a) {
  for (int i = 0; i < 16; i++) p[i] = a.v[i];
}
inline void store(int32_t* p, const I32x16& a) {
  for (int i = 0; i < 16; i++) p[i] = a.v[i];
}
inline void store_partial(float* p, const F32x16& a, int count) {
  for (int i = 0; i < count; i++) p[i] = a.v[i];
}

/// Sixteen stored values, converted exactly.
inline F32x16 load_f16(const uint16_t* p) {
  F32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = f32_from_f16(p[i]);
  return r;
}
inline F32x16 load_bf16(const uint16_t* p) {
  F32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = f32_from_bf16(p[i]);
  return r;
}
inline I32x16 load_i8(const int8_t* p) {
  I32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = static_cast<int32_t>(p[i]);  // NOLINT(bugprone-signed-char-misuse)
  return r;
}
inline I32x16 load_u8(const uint8_t* p) {
  I32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = p[i];
  return r;
}
inline void store_f16(uint16_t* p, const F32x16& a) {
  for (int i = 0; i < 16; i++) p[i] = f16_from_f32(a.v[i]);
}
/// The low byte of each lane.
inline void store_i8(int8_t* p, const I32x16& a) {
  for (int i = 0; i < 16; i++) p[i] = static_cast<int8_t>(a.v[i]);
}

#define R1_LANES_BINARY(type, name, expression)       \
  inline type name(const type& a, const type& b) {    \
    type r;                                           \
    for (int i = 0; i < 16; i++) r.v[i] = expression; \
    return r;                                         \
  }
R1_LANES_BINARY(F32x16, operator+, a.v[i] + b.v[i])
R1_LANES_BINARY(F32x16, operator-, a.v[i] - b.v[i])
R1_LANES_BINARY(F32x16, operator*, a.v[i] * b.v[i])
R1_LANES_BINARY(F32x16, operator/, a.v[i] / b.v[i])
R1_LANES_BINARY(F32x16, max, a.v[i] > b.v[i] ? a.v[i] : b.v[i])  // b when either is NaN
R1_LANES_BINARY(F32x16, min, a.v[i] < b.v[i] ? a.v[i] : b.v[i])
R1_LANES_BINARY(I32x16, operator+, a.v[i] + b.v[i])
R1_LANES_BINARY(I32x16, operator-, a.v[i] - b.v[i])
R1_LANES_BINARY(I32x16, operator*, a.v[i] * b.v[i])
R1_LANES_BINARY(I32x16, operator&, a.v[i] & b.v[i])
R1_LANES_BINARY(I32x16, operator|, a.v[i] | b.v[i])
R1_LANES_BINARY(I32x16, operator^, a.v[i] ^ b.v[i])
#undef R1_LANES_BINARY

/// a · b + c, rounded once.
inline F32x16 fma(const F32x16& a, const F32x16& b, const F32x16& c) {
  F32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = std::fma(a.v[i], b.v[i], c.v[i]);
  return r;
}
inline F32x16 abs(const F32x16& a) {
  F32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = std::fabs(a.v[i]);
  return r;
}
inline F32x16 square_root(const F32x16& a) {
  F32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = std::sqrt(a.v[i]);
  return r;
}
template <int kBits>
inline I32x16 shift_left(const I32x16& a) {
  I32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) << kBits);
  return r;
}
/// Zeros move in.
template <int kBits>
inline I32x16 shift_right(const I32x16& a) {
  I32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) >> kBits);
  return r;
}
inline F32x16 to_float(const I32x16& a) {
  F32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = static_cast<float>(a.v[i]);
  return r;
}
/// Nearest integer, ties to even; what is not within int32, and NaN, is its lowest value, as on x86.
inline I32x16 round_to_int(const F32x16& a) {
  I32x16 r;
  for (int i = 0; i < 16; i++) {
    const float nearest = std::nearbyintf(a.v[i]);
    const bool fits = nearest >= -0x1p31F && nearest < 0x1p31F;
    r.v[i] = fits ? static_cast<int32_t>(nearest) : std::numeric_limits<int32_t>::lowest();
  }
  return r;
}
inline F32x16 as_float(const I32x16& a) {
  return std::bit_cast<F32x16>(a);
}
inline I32x16 as_int(const F32x16& a) {
  return std::bit_cast<I32x16>(a);
}
/// a in lanes where x < y (false for NaN), else b.
inline F32x16 select_less(const F32x16& x, const F32x16& y, const F32x16& a, const F32x16& b) {
  F32x16 r;
  for (int i = 0; i < 16; i++) r.v[i] = x.v[i] < y.v[i] ? a.v[i] : b.v[i];
  return r;
}

/// Sums halves: lane i + lane i+8, then i+4, i+2, i+1.
inline float reduce_add(const F32x16& a) {
  F32x16 r = a;
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; i++) r.v[i] += r.v[i + half];
  return r.v[0];
}
inline int32_t reduce_add(const I32x16& a) {
  int32_t sum = 0;
  for (int32_t lane : a.v) sum += lane;
  return sum;
}
/// No lane may be NaN.
inline float reduce_max(const F32x16& a) {
  float largest = a.v[0];
  for (float lane : a.v) largest = lane > largest ? lane : largest;
  return largest;
}

/// target[j · 16 + i] = source[i · stride + j], 16 × 16.
inline void transpose(const float* source, int64_t stride, float* target) {
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 16; j++) target[j * 16 + i] = source[i * stride + j];
}

/// Lanes of the table that 16 nibbles name: of eight bytes, each byte's high bits first.
inline F32x16 look_up_nibbles(const F32x16& table, const uint8_t* p) {
  F32x16 r;
  for (int i = 0; i < 8; i++) {
    r.v[2 * i] = table.v[p[i] >> 4U];
    r.v[2 * i + 1] = table.v[p[i] & 15U];
  }
  return r;
}

}  // namespace
}  // namespace r1::kernels
