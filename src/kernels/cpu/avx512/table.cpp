#include "kernels/cpu/functions.h"

namespace r1::kernels::avx512 {

constexpr const char* kName = "avx512";
#include "kernels/cpu/table.inc.h"

}  // namespace r1::kernels::avx512
