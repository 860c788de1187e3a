#include "kernels/cpu/functions.h"
#include "kernels/cpu/lanes_avx2.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::avx2 {
namespace {

#include "kernels/cpu/matmul_float.inc.h"
#include "kernels/cpu/matmul_quantised.inc.h"
#include "kernels/cpu/quantise_rows.inc.h"
#include "kernels/cpu/unpack.inc.h"

inline int32_t load_dword(const std::byte* p) {
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
[[gnu::noinline]] void multiply_rows(const MultiplyCall& call) {
  constexpr int kStride = kMinimums ? 48 : 32;
  const uint8_t* weights = call.weights;
  const float* factors = call.factors;
  const std::byte* rows = call.rows;
  const std::byte* next = call.fetch;
  const int64_t fetch_bytes = call.fetch_bytes;
  for (int64_t column = 0; column < call.columns; column += kActivationGroup) {
    fetch(next, fetch_bytes);
    next += fetch_bytes;
    const auto* const scales = reinterpret_cast<const float*>(rows + kRows * kActivationGroup);
    for (int part = 0; part < kActivationGroup / kGroup; part++) {
      const auto* const numbers = scales + (1 + part) * kRows;
      I32x16 count[kRows];
      for (int r = 0; r < kRows; r++)
        count[r] = kMinimums ? broadcast(kMagicBits) : as_int(broadcast(numbers[r]));
      for (int k = part * kGroup; k < (part + 1) * kGroup; k += 4) {
        const auto* const both = reinterpret_cast<const __m256i*>(weights + k * kOutputPanel);
        const __m256i low = _mm256_load_si256(both);
        const __m256i high = _mm256_load_si256(both + 1);
        for (int r = 0; r < kRows; r++) {
          const __m256i x = _mm256_set1_epi32(load_dword(rows + r * kActivationGroup + k));
          count[r].lo = _mm256_add_epi32(count[r].lo, dot4<kSigned>(low, x));
          count[r].hi = _mm256_add_epi32(count[r].hi, dot4<kSigned>(high, x));
        }
      }
      for (int r = 0; r < kRows; r++) {
        F32x16 total = load(call.sums + r * kOutputPanel);
        const F32x16 product = fma(as_float(count[r]), load(factors), load(factors + 16));
        total = fma(product, broadcast(scales[r]), total);
        if constexpr (kMinimums) total = fma(load(factors + 32), broadcast(numbers[r]), total);
        store(call.sums + r * kOutputPanel, total);
      }
      factors += kStride;
    }
    weights += kActivationGroup * kOutputPanel;
    rows += kRows * packed_row_bytes(kGroup);
  }
}

template <int kGroup, bool kMinimums, bool kSigned, int kRows>
inline void multiply_run(const MultiplyCall& call) {
  if (call.row_count == kRows)
    multiply_rows<kGroup, kMinimums, kSigned, kRows>(call);
  else if constexpr (kRows > 1)
    multiply_run<kGroup, kMinimums, kSigned, kRows - 1>(call);
}

struct Isa {
  static constexpr int kMaxRows = 4;
  static constexpr bool kSignedWide = true;

  static Unpacker unpacker(DType dtype) { return fast_unpacker<kSignedWide>(dtype); }

  static void multiply(int group, bool has_minimums, const MultiplyCall& call) {
    constexpr int kMax = kMaxRows;
    if (call.signed_weights)  // no such format has minimums or groups of 16
      multiply_run<32, false, true, kMax>(call);
    else if (group == 32)
      has_minimums ? multiply_run<32, true, false, kMax>(call) : multiply_run<32, false, false, kMax>(call);
    else
      has_minimums ? multiply_run<16, true, false, kMax>(call) : multiply_run<16, false, false, kMax>(call);
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
