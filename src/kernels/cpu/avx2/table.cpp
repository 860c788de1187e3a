#include "kernels/cpu/functions.h"

namespace r1::kernels::avx2 {

constexpr const char* kName = "avx2";
#include "kernels/cpu/table.inc.h"

}  // namespace r1::kernels::avx2
