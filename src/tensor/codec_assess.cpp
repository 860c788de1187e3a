#include "tensor/codec_assess.h"

#include "tensor/codec_assess_lanes.h"

namespace r1::codec {

const Assessors kAssessorsPlain = {assess<16>, assess<32>};

const Assessors& assessors() {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return kAssessorsAvx2;
#endif
  return kAssessorsPlain;
}

}  // namespace r1::codec
