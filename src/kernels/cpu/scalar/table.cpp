#include "kernels/cpu/functions.h"

namespace r1::kernels::scalar {

constexpr const char* kName = "scalar";
#include "kernels/cpu/table.inc.h"

}  // namespace r1::kernels::scalar
