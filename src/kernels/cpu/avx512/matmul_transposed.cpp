#include "kernels/cpu/entries.h"
#include "kernels/cpu/lanes_avx512.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::avx512 {
namespace {

#include "kernels/cpu/decode_blocks.inc.h"
//
#include "kernels/cpu/decode_row.inc.h"

constexpr int kTransposedRows = 6;
/// Vectors of 16 columns beside each other in a register block of `rows` rows.
constexpr int transposed_vectors(int rows) {
  return rows <= 2 ? 8 : 4;
}

#include "kernels/cpu/matmul_transposed.inc.h"

}  // namespace

void enter_matmul_transposed(KernelTable& table) {
  table.matmul_transposed = matmul_transposed_body;
}

}  // namespace r1::kernels::avx512
