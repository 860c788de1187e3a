#include "kernels/cpu/functions.h"
#include "kernels/cpu/lanes_avx2.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::avx2 {
namespace {

#include "kernels/cpu/decode_blocks.inc.h"
//
#include "kernels/cpu/decode_row.inc.h"

constexpr int kTransposedRows = 6;
/// Vectors of 16 columns beside each other in a register block of `rows` rows.
constexpr int transposed_vectors(int rows) {
  return rows <= 1 ? 4 : rows <= 3 ? 2 : 1;
}

#include "kernels/cpu/matmul_transposed.inc.h"

}  // namespace

void matmul_transposed(const WeightMatrix& w, int64_t row_begin, int64_t row_count, const float* x,
                       int64_t x_stride, int64_t rows, float* y, int64_t y_stride, std::byte* scratch) {
  matmul_transposed_body(w, row_begin, row_count, x, x_stride, rows, y, y_stride, scratch);
}

}  // namespace r1::kernels::avx2
