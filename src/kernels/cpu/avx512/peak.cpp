#include <immintrin.h>

#include "kernels/cpu/functions.h"

namespace r1::kernels::avx512 {

#include "kernels/cpu/read_peak.inc.h"

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

}  // namespace r1::kernels::avx512
