#include "kernels/cpu/attention_common.h"
#include "kernels/cpu/functions.h"
#include "kernels/cpu/tile_avx2.h"
// The shared bodies, compiled for this instruction set.
#include "kernels/cpu/exp.inc.h"
#include "kernels/cpu/vector.inc.h"
//
#include "kernels/cpu/attention.inc.h"

namespace r1::kernels::avx2 {

void attention(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin, int64_t row_end,
               int64_t head_begin, int64_t head_end, std::byte* scratch) {
  attention_body(shape, slice, row_begin, row_end, head_begin, head_end, scratch);
}

}  // namespace r1::kernels::avx2
