#include "kernels/cpu/entries.h"
#include "kernels/cpu/lanes_avx2.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::avx2 {
namespace {

#include "kernels/cpu/matmul_quantised.inc.h"

#include "kernels/cpu/decode_blocks.inc.h"

#include "kernels/cpu/decode_row.inc.h"

#include "kernels/cpu/matmul_float.inc.h"  // after matmul_quantised: uses its fetch()

#include "kernels/cpu/quantise_rows.inc.h"
#include "kernels/cpu/unpack.inc.h"

inline int32_t load_dword(const std::byte* p) {
  int32_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}

/// Sums of two products, in 16 bits. Signed weights (any int8) go in as magnitudes, their signs moved to the
/// activations.
template <bool kSigned>
inline __m256i dot2(__m256i weight, __m256i x) {
  return kSigned ? _mm256_maddubs_epi16(_mm256_abs_epi8(weight), _mm256_sign_epi8(x, weight))
                 : _mm256_maddubs_epi16(weight, x);
}

/// Written out: GCC 12 else gathers all products first and adds them in a tree, out of registers.
inline void add_pairs(__m256i& sum, __m256i pairs) {
  asm("vpaddw %1, %0, %0" : "+x"(sum) : "x"(pairs));
}

template <typename Format>
struct DotSum {
  // Sums of two products that fit 16 bits: 2 · 127 · kSteps · (largest weight) < 2^15.
  static constexpr int kSteps = Format::kLargest <= 16   ? Format::kGroup / 4
                                : Format::kLargest <= 32 ? 4
                                : Format::kLargest <= 64 ? 2
                                                         : 1;
  I32x16 count, pairs;
  [[gnu::always_inline]] void begin(const I32x16& initial) { count = initial; }
  [[gnu::always_inline]] void add(int i, const I32x16& weights, const int8_t* x) {
    const __m256i four = _mm256_set1_epi32(load_dword(reinterpret_cast<const std::byte*>(x)));
    const __m256i low = dot2<Format::kSignedWeights>(weights.lo, four);
    const __m256i high = dot2<Format::kSignedWeights>(weights.hi, four);
    if (i % kSteps == 0) {
      pairs = {low, high};
    } else {
      add_pairs(pairs.lo, low);
      add_pairs(pairs.hi, high);
    }
    if (i % kSteps != kSteps - 1) return;
    const __m256i ones = _mm256_set1_epi16(1);
    count.lo = _mm256_add_epi32(count.lo, _mm256_madd_epi16(pairs.lo, ones));
    count.hi = _mm256_add_epi32(count.hi, _mm256_madd_epi16(pairs.hi, ones));
  }
  const I32x16& sum() const { return count; }
};

#include "kernels/cpu/few_rows.inc.h"

/// kSteps: how many sums of two products fit 16 bits: 2 · 127 · kSteps · (largest weight) < 2^15.
template <int kGroup, bool kMinimums, bool kSigned, int kSteps, int kRows>
[[gnu::noinline]] void multiply_rows(const MultiplyCall& call) {
  constexpr int kStride = kMinimums ? 48 : 32;
  const __m256i ones = _mm256_set1_epi16(1);
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
#pragma GCC unroll 4
      for (int r = 0; r < kRows; r++)
        count[r] = kMinimums ? broadcast(kMagicBits) : as_int(broadcast(numbers[r]));
      for (int begin = part * kGroup; begin < (part + 1) * kGroup; begin += 4 * kSteps) {
        I32x16 pairs[kRows];  // 16 × 2 sums of 16 bits
#pragma GCC unroll 8
        for (int step = 0; step < kSteps; step++) {
          const int k = begin + 4 * step;
          const auto* const both = reinterpret_cast<const __m256i*>(weights + k * kOutputPanel);
          const __m256i low = _mm256_load_si256(both);
          const __m256i high = _mm256_load_si256(both + 1);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; r++) {
            const __m256i x = _mm256_set1_epi32(load_dword(rows + r * kActivationGroup + k));
            if (step == 0) {
              pairs[r] = {dot2<kSigned>(low, x), dot2<kSigned>(high, x)};
            } else {
              add_pairs(pairs[r].lo, dot2<kSigned>(low, x));
              add_pairs(pairs[r].hi, dot2<kSigned>(high, x));
            }
          }
        }
#pragma GCC unroll 4
        for (int r = 0; r < kRows; r++) {
          count[r].lo = _mm256_add_epi32(count[r].lo, _mm256_madd_epi16(pairs[r].lo, ones));
          count[r].hi = _mm256_add_epi32(count[r].hi, _mm256_madd_epi16(pairs[r].hi, ones));
        }
      }
#pragma GCC unroll 4
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

constexpr int kMaxLiveRows = 4;

template <int kGroup, bool kMinimums, bool kSigned, int kSteps, int kRows = kMaxLiveRows>
inline void multiply_run(const MultiplyCall& call) {
  if (call.row_count == kRows)
    multiply_rows<kGroup, kMinimums, kSigned, kSteps, kRows>(call);
  else if constexpr (kRows > 1)
    multiply_run<kGroup, kMinimums, kSigned, kSteps, kRows - 1>(call);
}

template <int kGroup, bool kMinimums>
inline void multiply_unsigned(const MultiplyCall& call) {
  if (call.largest_weight <= 16)
    multiply_run<kGroup, kMinimums, false, kGroup / 4>(call);
  else if (call.largest_weight <= 32)
    multiply_run<kGroup, kMinimums, false, 4>(call);
  else if (call.largest_weight <= 64)
    multiply_run<kGroup, kMinimums, false, 2>(call);
  else
    multiply_run<kGroup, kMinimums, false, 1>(call);
}

struct Isa : FewRows<true> {
  static constexpr int kMaxRows = kMaxLiveRows;

  static void multiply(int group, bool has_minimums, const MultiplyCall& call) {
    if (call.signed_weights)  // no such format has minimums or groups of 16
      multiply_run<32, false, true, 1>(call);
    else if (group == 32)
      has_minimums ? multiply_unsigned<32, true>(call) : multiply_unsigned<32, false>(call);
    else
      has_minimums ? multiply_unsigned<16, true>(call) : multiply_unsigned<16, false>(call);
  }
};

int64_t multiply_peak(int64_t rounds) {
  constexpr int kChains = 10;
  __m256i sum[kChains];
#pragma GCC unroll 10
  for (int chain = 0; chain < kChains; ++chain) sum[chain] = _mm256_set1_epi32(chain);
  const __m256i b = _mm256_set1_epi8(5), ones = _mm256_set1_epi16(1);
  __m256i a = _mm256_set1_epi8(3);
  for (int64_t round = 0; round < rounds; ++round) {
    asm volatile("" : "+x"(a));  // else the products would be taken out of the loop
#pragma GCC unroll 10
    for (int chain = 0; chain < kChains; ++chain) {
      __m256i factor = a;
      asm("" : "+x"(factor));
      sum[chain] = _mm256_add_epi32(sum[chain], _mm256_madd_epi16(_mm256_maddubs_epi16(factor, b), ones));
    }
  }
  __m256i total = sum[0];
#pragma GCC unroll 10
  for (int chain = 1; chain < kChains; ++chain) total = _mm256_xor_si256(total, sum[chain]);
  asm volatile("" ::"x"(total));  // so that the sums are needed
  return rounds * kChains * 32 * 2;
}

}  // namespace

void enter_matmul(KernelTable& table) {
  table.quantise_rows = quantise_rows_body;
  table.matmul_quantised = matmul_quantised_body<Isa>;
  table.matmul_float = matmul_float_body<4>;
  table.multiply_peak = multiply_peak;
}

}  // namespace r1::kernels::avx2
