#include <immintrin.h>

#include "kernels/cpu/functions.h"

namespace r1::kernels::avx2 {

#include "kernels/cpu/read_peak.inc.h"

int64_t multiply_peak(int64_t rounds) {
  constexpr int kChains = 10;
  __m256i sum[kChains];
  for (int chain = 0; chain < kChains; ++chain) sum[chain] = _mm256_set1_epi32(chain);
  const __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), ones = _mm256_set1_epi16(1);
  __m256i product;
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 10
    for (int chain = 0; chain < kChains; ++chain)
      asm volatile("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"
                   : "+x"(sum[chain]), "=&x"(product)
                   : "x"(a), "x"(b), "x"(ones));
  }
  return rounds * kChains * 32 * 2;
}

}  // namespace r1::kernels::avx2
