#include "kernels/cpu/entries.h"
#include "kernels/cpu/lanes_avx512.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::avx512 {
namespace {

#include "kernels/cpu/matmul_quantised.inc.h"

#include "kernels/cpu/decode_blocks.inc.h"

#include "kernels/cpu/decode_row.inc.h"

#include "kernels/cpu/matmul_float.inc.h"  // after matmul_quantised: uses its fetch()

#include "kernels/cpu/quantise_rows.inc.h"
#include "kernels/cpu/unpack.inc.h"

/// Adds, in each lane, the four products of unsigned weights and the signed bytes at x. Written out, since
/// GCC 12 makes two register moves and a load of its own of every such intrinsic in a loop (a third of the
/// speed).
inline void add_dot4(__m512i& count, __m512i weight, const std::byte* x) {
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(count)
      : "v"(weight), "m"(*reinterpret_cast<const std::byte(*)[4]>(x)));
}

template <typename Format>
struct DotSum {
  I32x16 count;
  void begin(const I32x16& initial) { count = initial; }
  void add(int, const I32x16& weights, const int8_t* x) {
    add_dot4(count.v, weights.v, reinterpret_cast<const std::byte*>(x));
  }
  const I32x16& sum() const { return count; }
};

#include "kernels/cpu/few_rows.inc.h"

/// kRows rows over the chunk. Their integer and float sums stay in registers: 2 · kRows + 4 of 32.
template <int kGroup, bool kMinimums, int kRows>
[[gnu::noinline]] void multiply_rows(const MultiplyCall& call) {
  constexpr int kStride = kMinimums ? 48 : 32;
  constexpr int64_t kRowsBytes = kRows * packed_row_bytes(kGroup);
  const uint8_t* weights = call.weights;
  const float* factors = call.factors;
  const std::byte* rows = call.rows;
  const std::byte* next = call.fetch;
  const int64_t fetch_bytes = call.fetch_bytes;
  __m512 total[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) total[r] = _mm512_loadu_ps(call.sums + r * kOutputPanel);
  for (int64_t column = 0; column < call.columns; column += kActivationGroup) {
    fetch(next, fetch_bytes);
    next += fetch_bytes;
    const auto* const scales = reinterpret_cast<const float*>(rows + kRows * kActivationGroup);
#pragma GCC unroll 2
    for (int part = 0; part < kActivationGroup / kGroup; part++) {
      const auto* const numbers = scales + (1 + part) * kRows;
      __m512i count[kRows];
#pragma GCC unroll 16
      for (int r = 0; r < kRows; r++)
        count[r] =
            kMinimums ? _mm512_set1_epi32(kMagicBits) : _mm512_castps_si512(_mm512_set1_ps(numbers[r]));
#pragma GCC unroll 8
      for (int k = part * kGroup; k < (part + 1) * kGroup; k += 4) {
        const __m512i weight = _mm512_load_si512(weights + k * kOutputPanel);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; r++) add_dot4(count[r], weight, rows + r * kActivationGroup + k);
      }
      const __m512 scale = _mm512_load_ps(factors);
      const __m512 bias = _mm512_load_ps(factors + 16);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; r++) {
        const __m512 product = _mm512_fmadd_ps(_mm512_castsi512_ps(count[r]), scale, bias);
        total[r] = _mm512_fmadd_ps(product, _mm512_set1_ps(scales[r]), total[r]);
      }
      if constexpr (kMinimums) {
        const __m512 minimum = _mm512_load_ps(factors + 32);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; r++)
          total[r] = _mm512_fmadd_ps(minimum, _mm512_set1_ps(numbers[r]), total[r]);
      }
      factors += kStride;
    }
    weights += kActivationGroup * kOutputPanel;
    rows += kRowsBytes;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) _mm512_storeu_ps(call.sums + r * kOutputPanel, total[r]);
}

template <int kGroup, bool kMinimums, int kRows>
inline void multiply_run(const MultiplyCall& call) {
  if (call.row_count == kRows)
    multiply_rows<kGroup, kMinimums, kRows>(call);
  else if constexpr (kRows > 1)
    multiply_run<kGroup, kMinimums, kRows - 1>(call);
}

struct Isa : FewRows<false> {
  static constexpr int kMaxRows = 12;

  static void multiply(int group, bool has_minimums, const MultiplyCall& call) {
    if (group == 32)
      has_minimums ? multiply_run<32, true, kMaxRows>(call) : multiply_run<32, false, kMaxRows>(call);
    else
      has_minimums ? multiply_run<16, true, kMaxRows>(call) : multiply_run<16, false, kMaxRows>(call);
  }
};

int64_t multiply_peak(int64_t rounds) {
  constexpr int kChains = 12;  // covers the latency of 5 cycles at two instructions a cycle
  __m512i sum[kChains];
#pragma GCC unroll 12
  for (int chain = 0; chain < kChains; ++chain) sum[chain] = _mm512_set1_epi32(chain);
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int chain = 0; chain < kChains; ++chain) sum[chain] = _mm512_dpbusd_epi32(sum[chain], a, b);
  }
  __m512i total = sum[0];
#pragma GCC unroll 12
  for (int chain = 1; chain < kChains; ++chain) total = _mm512_xor_si512(total, sum[chain]);
  asm volatile("" ::"v"(total));  // so that the sums are needed
  return rounds * kChains * 64 * 2;
}

}  // namespace

void enter_matmul(KernelTable& table) {
  table.quantise_rows = quantise_rows_body;
  table.matmul_quantised = matmul_quantised_body<Isa>;
  table.matmul_float = matmul_float_body<12>;
  table.multiply_peak = multiply_peak;
}

}  // namespace r1::kernels::avx512
