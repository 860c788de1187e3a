#include "kernels/cpu/entries.h"
#include "kernels/cpu/lanes_scalar.h"
#include "kernels/cpu/panel.h"

namespace r1::kernels::scalar {
namespace {

inline bool decode_blocks(DType, const std::byte*, int64_t, int64_t, float*) {
  return false;  // the reference decoders take all
}
#include "kernels/cpu/decode_row.inc.h"

constexpr int kTransposedRows = 1;
/// Vectors of 16 columns beside each other in a register block of `rows` rows.
constexpr int transposed_vectors(int /*rows*/) {
  return 1;
}

#include "kernels/cpu/matmul_transposed.inc.h"

}  // namespace

void enter_matmul_transposed(KernelTable& table) {
  table.matmul_transposed = matmul_transposed_body;
}

}  // namespace r1::kernels::scalar
