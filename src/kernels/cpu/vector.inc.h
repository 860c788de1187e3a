// The kernels on plain vectors: RMS norm, SwiGLU, additions. Included after lanes_*.h and exp.inc.h.

namespace r1::kernels {
namespace {

/// Calls body(offset, count) for each 16 elements; count < 16 only in the last call.
template <typename Body>
inline void for_each_vector(int64_t count, Body&& body) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) body(i, 16);
  if (i < count) body(i, static_cast<int>(count - i));
}
inline F32x16 load_up_to(const float* p, int count) {
  return count == 16 ? load(p) : load_partial(p, count);
}
inline void store_up_to(float* p, F32x16 value, int count) {
  if (count == 16) {
    store(p, value);
  } else {
    store_partial(p, value, count);
  }
}

/// Order of the sum: the vector of elements 16 i … 16 i + 15 goes to accumulator i mod 4 by fused
/// multiply-add; (0 + 1) + (2 + 3); then over the lanes as reduce_add does.
inline void rms_norm_body(const float* x, const float* weight, int64_t columns, float epsilon, float* out) {
  F32x16 sums[4] = {broadcast(0.0F), broadcast(0.0F), broadcast(0.0F), broadcast(0.0F)};
  int64_t i = 0;
  for (; i + 64 <= columns; i += 64) {
    for (int k = 0; k < 4; k++) {
      const F32x16 value = load(x + i + 16 * k);
      sums[k] = fma(value, value, sums[k]);
    }
  }
  for (int k = 0; i < columns; i += 16, k++) {
    const F32x16 value = load_up_to(x + i, columns - i < 16 ? static_cast<int>(columns - i) : 16);
    sums[k] = fma(value, value, sums[k]);
  }
  const float sum = reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
  const float inverse = 1.0F / __builtin_sqrtf(sum / static_cast<float>(columns) + epsilon);
  const F32x16 factor = broadcast(inverse);
  for_each_vector(columns, [&](int64_t at, int count) {
    store_up_to(out + at, load_up_to(x + at, count) * factor * load_up_to(weight + at, count), count);
  });
}

inline void swiglu_body(const float* gate, const float* up, int64_t count, float* out) {
  for_each_vector(count, [&](int64_t at, int n) {
    const F32x16 g = load_up_to(gate + at, n);
    const F32x16 silu = g / (broadcast(1.0F) + exponential(broadcast(0.0F) - g));
    store_up_to(out + at, silu * load_up_to(up + at, n), n);
  });
}

inline void add_body(float* x, const float* y, int64_t count) {
  for_each_vector(count, [&](int64_t at, int n) {
    store_up_to(x + at, load_up_to(x + at, n) + load_up_to(y + at, n), n);
  });
}

inline void add_scaled_body(float* x, const float* y, float factor, int64_t count) {
  const F32x16 f = broadcast(factor);
  for_each_vector(count, [&](int64_t at, int n) {
    store_up_to(x + at, fma(f, load_up_to(y + at, n), load_up_to(x + at, n)), n);
  });
}

/// The compiler takes the widest loads that the set has.
inline uint64_t read_peak_body(const uint64_t* data, size_t words) {
  uint64_t sums[32] = {};
  size_t i = 0;
  for (; i + 32 <= words; i += 32)
    for (size_t lane = 0; lane < 32; ++lane) sums[lane] += data[i + lane];
  for (; i < words; ++i) sums[0] += data[i];
  uint64_t sum = 0;
  for (const uint64_t lane : sums) sum += lane;
  return sum;
}

inline void enter_vector_kernels(KernelTable& table) {
  table.rms_norm = rms_norm_body;
  table.swiglu = swiglu_body;
  table.add = add_body;
  table.add_scaled = add_scaled_body;
  table.read_peak = read_peak_body;
}

}  // namespace
}  // namespace r1::kernels
