// Compiled with AVX2 (see CMakeLists.txt).
#include "tensor/codec_assess_lanes.h"

namespace r1::codec {

const Assessors kAssessorsAvx2 = {assess<16>, assess<32>};

}  // namespace r1::codec
