#include <immintrin.h>

#include "kernels/cpu/functions.h"

namespace r1::kernels::avx2 {

#include "kernels/cpu/read_peak.inc.h"

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

}  // namespace r1::kernels::avx2
