// Rows of keys and values on their way into the cache: f32, f16, and ggml's q8_0 and q4_0 (the GGUF
// specification: 32 values share one f16 scale d; q8_0 stores int8 q with x ≈ d · q; q4_0 nibbles with
// x ≈ d · (q - 8), the first 16 values in the low halves of 16 bytes). Included after lanes_*.h and
// vector.inc.h.

namespace r1::kernels {
namespace {

inline void store_halves(const float* x, int64_t count, std::byte* out) {
  for_each_vector(count, [&](int64_t at, int n) {
    uint16_t halves[16];
    store_f16(halves, load_up_to(x + at, n));
    __builtin_memcpy(out + 2 * at, halves, 2 * static_cast<size_t>(n));
  });
}

/// Writes d as f16 and gives back the value that a reader will see.
inline float store_scale(float d, std::byte* out) {
  uint16_t halves[16];
  store_f16(halves, broadcast(d));
  __builtin_memcpy(out, halves, 2);
  float seen[16];
  store(seen, load_f16(halves));
  return seen[0];
}

/// x / d rounded to whole numbers from low to high (low for NaN).
inline I32x16 quantised(F32x16 x, F32x16 inverse, float low, float high) {
  return round_to_int(min(max(x * inverse, broadcast(low)), broadcast(high)));
}

/// Not a number when any element is infinite or not a number, else 0: kept in the scale, so that a broken
/// row stays visible.
inline float taint(F32x16 a, F32x16 b) {
  return reduce_add(a * broadcast(0.0F) + b * broadcast(0.0F));
}

inline void store_block_q8_0(const float* x, std::byte* out) {
  const F32x16 a = load(x);
  const F32x16 b = load(x + 16);
  const float broken = taint(a, b);
  const float largest = broken == 0 ? reduce_max(max(abs(a), abs(b))) : broken;
  const float d = store_scale(largest / 127.0F, out);
  const F32x16 inverse = broadcast(d > 0 ? 1.0F / d : 0.0F);
  int8_t values[32];
  store_i8(values, quantised(a, inverse, -127.0F, 127.0F));
  store_i8(values + 16, quantised(b, inverse, -127.0F, 127.0F));
  __builtin_memcpy(out + 2, values, 32);
}

/// The usual rule maps the value of largest magnitude to -8. Here several scales about that one, of both
/// signs, are tried; for given q the best scale is Σxq / Σq² and lowers the squared error by (Σxq)² / Σq².
inline void store_block_q4_0(const float* x, std::byte* out) {
  const F32x16 a = load(x);
  const F32x16 b = load(x + 16);
  const F32x16 zero = broadcast(0.0F);
  float d = taint(a, b);
  if (d == 0) {
    const float highest = reduce_max(max(a, b));
    const float lowest = -reduce_max(max(zero - a, zero - b));
    const float extreme = highest > -lowest ? highest : lowest;
    float best = 0;
    for (int k = 0; k < 8 && extreme != 0; k++) {
      constexpr float kLevels[8] = {-8.0F, -7.4F, -7.7F, -8.4F, -8.9F, 7.0F, 7.4F, 7.8F};
      const F32x16 inverse = broadcast(kLevels[k] / extreme);
      const F32x16 qa = to_float(quantised(a, inverse, -8.0F, 7.0F));
      const F32x16 qb = to_float(quantised(b, inverse, -8.0F, 7.0F));
      const float xq = reduce_add(fma(a, qa, b * qb));
      const float qq = reduce_add(fma(qa, qa, qb * qb));
      if (xq * xq > best * qq) {
        best = xq * xq / qq;
        d = xq / qq;
      }
    }
  }
  d = store_scale(d, out);
  const F32x16 inverse = broadcast(d < 0 || d > 0 ? 1.0F / d : 0.0F);
  const I32x16 eight = broadcast(int32_t{8});
  const I32x16 low = quantised(a, inverse, -8.0F, 7.0F) + eight;
  const I32x16 high = quantised(b, inverse, -8.0F, 7.0F) + eight;
  int8_t nibbles[16];
  store_i8(nibbles, low | shift_left<4>(high));
  __builtin_memcpy(out + 2, nibbles, 16);
}

inline void store_row_body(DType dtype, const float* x, int64_t count, std::byte* out) {
  switch (dtype) {
    case DType::f32:
      __builtin_memcpy(out, x, sizeof(float) * static_cast<size_t>(count));
      return;
    case DType::f16:
      return store_halves(x, count, out);
    case DType::q8_0:
      for (int64_t i = 0; i < count; i += 32) store_block_q8_0(x + i, out + i / 32 * 34);
      return;
    case DType::q4_0:
      for (int64_t i = 0; i < count; i += 32) store_block_q4_0(x + i, out + i / 32 * 18);
      return;
    default:
      refuse_cache_type(dtype);
  }
}

inline void enter_store_row(KernelTable& table) {
  table.store_row = store_row_body;
}

}  // namespace
}  // namespace r1::kernels
