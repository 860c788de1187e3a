#include "kernels/cpu/attention_common.h"
#include "kernels/cpu/entries.h"
#include "kernels/cpu/lanes_avx512.h"
// The shared bodies, compiled for this instruction set.
#include "kernels/cpu/exp.inc.h"
#include "kernels/cpu/vector.inc.h"
//
#include "kernels/cpu/store_row.inc.h"

namespace r1::kernels::avx512 {

void enter_vector(KernelTable& table) {
  enter_vector_kernels(table);
  enter_store_row(table);
}

}  // namespace r1::kernels::avx512
