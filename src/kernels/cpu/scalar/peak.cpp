#include "kernels/cpu/functions.h"

namespace r1::kernels::scalar {

#include "kernels/cpu/read_peak.inc.h"

int64_t multiply_peak(int64_t rounds) {
  constexpr int kChains = 4;
  int32_t sum[kChains] = {1, 2, 3, 4};
  for (int64_t round = 0; round < rounds; ++round) {
    for (int32_t& chain : sum) {
      int32_t product = 3;
      asm volatile("imull %2, %0\n\taddl %0, %1" : "+r"(product), "+r"(chain) : "r"(5));
    }
  }
  return rounds * kChains * 2;
}

}  // namespace r1::kernels::scalar
