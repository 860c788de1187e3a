// The kernels of each instruction set, by name. Every set is compiled in translation units of its own
// (cpu/scalar, cpu/avx2, cpu/avx512) with its own flags; what they share are templates in cpu/*.inc.h, which
// each unit includes inside an unnamed namespace, so that the linker can never take one set's copy for
// another's. table.cpp of each folder puts the functions into its KernelTable.
#pragma once

#include "kernels/kernels.h"

namespace r1::kernels {

namespace scalar {
#include "kernels/cpu/functions.inc.h"
}
namespace avx2 {
#include "kernels/cpu/functions.inc.h"  // NOLINT(readability-duplicate-include)
}
namespace avx512 {
#include "kernels/cpu/functions.inc.h"  // NOLINT(readability-duplicate-include)
}

}  // namespace r1::kernels
