#include "kernels/cpu/functions.h"
#include "kernels/cpu/lanes_avx512.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::avx512 {
namespace {

#include "kernels/cpu/matmul_float.inc.h"
#include "kernels/cpu/matmul_quantised.inc.h"
#include "kernels/cpu/quantise_rows.inc.h"
#include "kernels/cpu/unpack.inc.h"

inline int32_t load_dword(const int8_t* p) {
  int32_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}

/// kRows rows over the chunk. Integer and float sums stay in registers: 2 · kRows + 4 of 32.
template <int kGroup, bool kMinimums, int kRows>
[[gnu::noinline]] void multiply_rows(const MultiplyCall& call, int64_t row) {
  constexpr int kStride = kMinimums ? 48 : 32;
  const uint8_t* weights = call.weights;
  const float* factors = call.factors;
  const int8_t* values = call.values + row * call.value_stride;
  const float* scales = call.scales + row * call.scale_stride;
  const int32_t* initial = call.initial + row * call.group_stride;
  const float* weighted_sums = call.weighted_sums + row * call.group_stride;
  float* const sums = call.sums + row * kOutputPanel;
  __m512 total[kRows];
  for (int r = 0; r < kRows; r++) total[r] = _mm512_loadu_ps(sums + r * kOutputPanel);
  for (int64_t column = 0; column < call.columns; column += kGroup) {
    __m512i count[kRows];
    for (int r = 0; r < kRows; r++)
      count[r] = _mm512_set1_epi32(kMinimums ? kMagicBits : initial[r * call.group_stride]);
    for (int k = 0; k < kGroup; k += 4) {
      const __m512i weight = _mm512_load_si512(weights + k * kOutputPanel);
      for (int r = 0; r < kRows; r++)
        count[r] = _mm512_dpbusd_epi32(count[r], weight,
                                       _mm512_set1_epi32(load_dword(values + r * call.value_stride + k)));
    }
    const __m512 scale = _mm512_load_ps(factors);
    const __m512 bias = _mm512_load_ps(factors + 16);
    for (int r = 0; r < kRows; r++) {
      const __m512 product = _mm512_fmadd_ps(_mm512_castsi512_ps(count[r]), scale, bias);
      total[r] = _mm512_fmadd_ps(product, _mm512_set1_ps(scales[r * call.scale_stride]), total[r]);
    }
    if constexpr (kMinimums) {
      const __m512 minimum = _mm512_load_ps(factors + 32);
      for (int r = 0; r < kRows; r++)
        total[r] = _mm512_fmadd_ps(minimum, _mm512_set1_ps(weighted_sums[r * call.group_stride]), total[r]);
    }
    weights += kGroup * kOutputPanel;
    factors += kStride;
    values += kGroup;
    if (kGroup == 32 || column % 32 != 0) scales++;
    initial++;
    weighted_sums++;
  }
  for (int r = 0; r < kRows; r++) _mm512_storeu_ps(sums + r * kOutputPanel, total[r]);
}

constexpr int kMaxRows = 12;

template <int kGroup, bool kMinimums, int kRows = kMaxRows>
inline void multiply_some(const MultiplyCall& call, int64_t row, int64_t count) {
  if (count == kRows)
    multiply_rows<kGroup, kMinimums, kRows>(call, row);
  else if constexpr (kRows > 1)
    multiply_some<kGroup, kMinimums, kRows - 1>(call, row, count);
}

/// All rows, in runs of nearly equal length.
template <int kGroup, bool kMinimums>
inline void multiply_all(const MultiplyCall& call) {
  int64_t runs = (call.rows + kMaxRows - 1) / kMaxRows;
  for (int64_t row = 0; runs > 0; runs--) {
    const int64_t count = (call.rows - row + runs - 1) / runs;
    multiply_some<kGroup, kMinimums>(call, row, count);
    row += count;
  }
}

struct Isa {
  static constexpr bool kSignedWide = false;

  static Unpacker unpacker(DType dtype) { return fast_unpacker<kSignedWide>(dtype); }

  static void multiply(int group, bool has_minimums, const MultiplyCall& call) {
    if (group == 32)
      has_minimums ? multiply_all<32, true>(call) : multiply_all<32, false>(call);
    else
      has_minimums ? multiply_all<16, true>(call) : multiply_all<16, false>(call);
  }
};

}  // namespace

void quantise_rows(const float* x, int64_t rows, int64_t columns, int64_t stride, const QuantisedRows& out) {
  quantise_rows_body(x, rows, columns, stride, out);
}

void matmul_quantised(const WeightMatrix& w, int64_t output_begin, int64_t output_end, const QuantisedRows& x,
                      int64_t rows, float* y, int64_t y_stride, std::byte* scratch) {
  matmul_quantised_body<Isa>(w, output_begin, output_end, x, rows, y, y_stride, scratch);
}

void matmul_float(const WeightMatrix& w, int64_t output_begin, int64_t output_end, const float* x,
                  int64_t x_stride, int64_t rows, float* y, int64_t y_stride, std::byte* scratch) {
  matmul_float_body<12>(w, output_begin, output_end, x, x_stride, rows, y, y_stride, scratch);
}

}  // namespace r1::kernels::avx512
