// quantise_rows for any instruction set, over its lanes.

inline void quantise_group(const float* x, int8_t* values, float* scale, int32_t* sums) {
  const F32x16 first = load(x);
  const F32x16 second = load(x + 16);
  const float largest = reduce_max(max(abs(first), abs(second)));
  // Below this, 127 / largest would overflow; such a group is as good as zero.
  const bool tiny = largest < 0x1p-120F;
  *scale = tiny ? 0.0F : largest / 127.0F;
  const F32x16 factor = broadcast(tiny ? 0.0F : 127.0F / largest);
  const I32x16 low = round_to_int(first * factor);
  const I32x16 high = round_to_int(second * factor);
  store_i8(values, low);
  store_i8(values + 16, high);
  sums[0] = reduce_add(low);
  sums[1] = reduce_add(high);
}

inline void quantise_rows_body(const float* x, int64_t rows, int64_t columns, int64_t stride,
                               const QuantisedRows& out) {
  const int64_t groups = columns / kActivationGroup;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t g = 0; g < groups; g++) {
      const int64_t column = g * kActivationGroup;
      quantise_group(x + r * stride + column, out.values + r * columns + column, out.scales + r * groups + g,
                     out.sums + (r * groups + g) * 2);
    }
  }
}
