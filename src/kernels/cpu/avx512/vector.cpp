#include "kernels/cpu/attention_common.h"
#include "kernels/cpu/functions.h"
#include "kernels/cpu/lanes_avx512.h"
// The shared bodies, compiled for this instruction set.
#include "kernels/cpu/exp.inc.h"
#include "kernels/cpu/vector.inc.h"
//
#include "kernels/cpu/store_row.inc.h"

namespace r1::kernels::avx512 {

void rms_norm(const float* x, const float* weight, int64_t columns, float epsilon, float* out) {
  rms_norm_body(x, weight, columns, epsilon, out);
}
void swiglu(const float* gate, const float* up, int64_t count, float* out) {
  swiglu_body(gate, up, count, out);
}
void add(float* x, const float* y, int64_t count) {
  add_body(x, y, count);
}
void add_scaled(float* x, const float* y, float factor, int64_t count) {
  add_scaled_body(x, y, factor, count);
}
void store_row(DType dtype, const float* x, int64_t count, std::byte* out) {
  store_row_body(dtype, x, count, out);
}

}  // namespace r1::kernels::avx512
