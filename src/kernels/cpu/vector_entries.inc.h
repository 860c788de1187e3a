// The functions of kernels/cpu/functions.h on single rows. Included inside the namespace of an instruction
// set.

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
