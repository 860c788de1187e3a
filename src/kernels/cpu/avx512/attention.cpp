#include "kernels/cpu/attention_common.h"
#include "kernels/cpu/entries.h"
#include "kernels/cpu/tile_avx512.h"
// The shared bodies, compiled for this instruction set.
#include "kernels/cpu/exp.inc.h"
#include "kernels/cpu/vector.inc.h"
//
#include "kernels/cpu/pairs.inc.h"
//
#include "kernels/cpu/attention.inc.h"

namespace r1::kernels::avx512 {

void enter_attention(KernelTable& table) {
  enter_attention_kernels(table);
}

}  // namespace r1::kernels::avx512
