#include "kernels/cpu/functions.h"
#include "kernels/cpu/lanes_avx2.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::avx2 {
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

/// Sums of four products for each of eight outputs. Unsigned weights are at most 128 and activations at most
/// 127 in magnitude, so that the sums of two products fit 16 bits. Signed weights (any int8) go in as
/// magnitudes, their signs moved to the activations.
template <bool kSigned>
inline __m256i dot4(__m256i weight, __m256i x) {
  const __m256i pairs = kSigned ? _mm256_maddubs_epi16(_mm256_abs_epi8(weight), _mm256_sign_epi8(x, weight))
                                : _mm256_maddubs_epi16(weight, x);
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

template <int kGroup, bool kMinimums, bool kSigned, int kRows>
[[gnu::noinline]] void multiply_rows(const MultiplyCall& call, int64_t row) {
  constexpr int kStride = kMinimums ? 48 : 32;
  const uint8_t* weights = call.weights;
  const float* factors = call.factors;
  const int8_t* values = call.values + row * call.value_stride;
  const float* scales = call.scales + row * call.scale_stride;
  const int32_t* initial = call.initial + row * call.group_stride;
  const float* weighted_sums = call.weighted_sums + row * call.group_stride;
  float* const sums = call.sums + row * kOutputPanel;
  for (int64_t column = 0; column < call.columns; column += kGroup) {
    I32x16 count[kRows];
    for (int r = 0; r < kRows; r++)
      count[r] = broadcast(kMinimums ? kMagicBits : initial[r * call.group_stride]);
    for (int k = 0; k < kGroup; k += 4) {
      const auto* const both = reinterpret_cast<const __m256i*>(weights + k * kOutputPanel);
      const __m256i low = _mm256_load_si256(both);
      const __m256i high = _mm256_load_si256(both + 1);
      for (int r = 0; r < kRows; r++) {
        const __m256i x = _mm256_set1_epi32(load_dword(values + r * call.value_stride + k));
        count[r].lo = _mm256_add_epi32(count[r].lo, dot4<kSigned>(low, x));
        count[r].hi = _mm256_add_epi32(count[r].hi, dot4<kSigned>(high, x));
      }
    }
    for (int r = 0; r < kRows; r++) {
      F32x16 total = load(sums + r * kOutputPanel);
      const F32x16 product = fma(as_float(count[r]), load(factors), load(factors + 16));
      total = fma(product, broadcast(scales[r * call.scale_stride]), total);
      if constexpr (kMinimums)
        total = fma(load(factors + 32), broadcast(weighted_sums[r * call.group_stride]), total);
      store(sums + r * kOutputPanel, total);
    }
    weights += kGroup * kOutputPanel;
    factors += kStride;
    values += kGroup;
    if (kGroup == 32 || column % 32 != 0) scales++;
    initial++;
    weighted_sums++;
  }
}

template <int kGroup, bool kMinimums, bool kSigned>
inline void multiply_all(const MultiplyCall& call) {
  int64_t row = 0;
  for (; row + 4 <= call.rows; row += 4) multiply_rows<kGroup, kMinimums, kSigned, 4>(call, row);
  if (call.rows - row == 3) multiply_rows<kGroup, kMinimums, kSigned, 3>(call, row);
  if (call.rows - row == 2) multiply_rows<kGroup, kMinimums, kSigned, 2>(call, row);
  if (call.rows - row == 1) multiply_rows<kGroup, kMinimums, kSigned, 1>(call, row);
}

struct Isa {
  static constexpr bool kSignedWide = true;

  static Unpacker unpacker(DType dtype) { return fast_unpacker<kSignedWide>(dtype); }

  static void multiply(int group, bool has_minimums, const MultiplyCall& call) {
    if (call.signed_weights)  // no such format has minimums or groups of 16
      multiply_all<32, false, true>(call);
    else if (group == 32)
      has_minimums ? multiply_all<32, true, false>(call) : multiply_all<32, false, false>(call);
    else
      has_minimums ? multiply_all<16, true, false>(call) : multiply_all<16, false, false>(call);
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
  matmul_float_body<4>(w, output_begin, output_end, x, x_stride, rows, y, y_stride, scratch);
}

}  // namespace r1::kernels::avx2
