// matmul_float for any instruction set, over its lanes: lanes are outputs. For each block of 32 columns a sum
// from zero by fused multiply-adds in ascending order, then added to the running sum.

inline constexpr int kFloatBlock = 32;

/// Columns [begin, begin + count) of a panel as rows of floats. Reads up to count of each row.
inline void decode_float_panel(const WeightMatrix& w, int64_t first_output, int64_t begin, int64_t count,
                               float* decoded) {
  const PanelRows panel = panel_rows(w, first_output, w.outputs);
  const int64_t element_bytes = w.dtype == DType::f32                             ? 4
                                : w.dtype == DType::f16 || w.dtype == DType::bf16 ? 2
                                : w.dtype == DType::f8_e4m3                       ? 1
                                                                                  : 0;  // not fetched ahead
  for (int64_t i = 0; i < kOutputPanel; i++) {
    const int64_t output = first_output + i < w.outputs ? first_output + i : w.outputs - 1;
    if (panel.next != nullptr && element_bytes > 0)
      fetch(panel.next + (begin * kOutputPanel + i * count) * element_bytes, count * element_bytes);
    decode_row(w, output, begin, count, decoded + i * kFloatChunkColumns);
  }
}

template <int kRows>
inline void multiply_float_rows(const float* weights, int64_t count, const float* x, int64_t x_stride,
                                float* sums) {
  F32x16 running[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) running[r] = load(sums + r * kOutputPanel);
  for (int64_t begin = 0; begin < count; begin += kFloatBlock) {
    const int64_t end = begin + kFloatBlock < count ? begin + kFloatBlock : count;
    F32x16 block[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) block[r] = broadcast(0.0F);
    for (int64_t c = begin; c < end; c++) {
      const F32x16 weight = load(weights + c * kOutputPanel);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; r++) block[r] = fma(weight, broadcast(x[r * x_stride + c]), block[r]);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) running[r] = running[r] + block[r];
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) store(sums + r * kOutputPanel, running[r]);
}

/// `count` rows, at most kRows.
template <int kRows>
inline void multiply_float_run(const float* weights, int64_t columns, const float* x, int64_t x_stride,
                               int64_t count, float* sums) {
  if (count == kRows)
    multiply_float_rows<kRows>(weights, columns, x, x_stride, sums);
  else if constexpr (kRows > 1)
    multiply_float_run<kRows - 1>(weights, columns, x, x_stride, count, sums);
}

/// All rows, in runs of nearly equal length.
template <int kMaxRows>
inline void multiply_float(const float* weights, int64_t columns, const float* x, int64_t x_stride,
                           int64_t rows, float* sums) {
  const int64_t runs = (rows + kMaxRows - 1) / kMaxRows;
  for (int64_t run = 0; run < runs; run++) {
    const int64_t row = run * rows / runs;
    const int64_t count = (run + 1) * rows / runs - row;
    multiply_float_run<kMaxRows>(weights, columns, x + row * x_stride, x_stride, count,
                                 sums + row * kOutputPanel);
  }
}

template <int kRows>
inline void matmul_float_body(const WeightMatrix& w, int64_t output_begin, int64_t output_end, const float* x,
                              int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                              std::byte* scratch_bytes) {
  const FloatScratch scratch = float_scratch(scratch_bytes);
  for (int64_t first = output_begin; first < output_end; first += kOutputPanel) {
    for (int64_t i = 0; i < rows; i++) store(scratch.sums + i * kOutputPanel, broadcast(0.0F));
    for (int64_t begin = 0; begin < w.inputs; begin += kFloatChunkColumns) {
      const int64_t count = w.inputs - begin < kFloatChunkColumns ? w.inputs - begin : kFloatChunkColumns;
      decode_float_panel(w, first, begin, count, scratch.decoded);
      for (int64_t c = 0; c < count; c += 16)  // the last may turn stale columns round: they are not used
        transpose(scratch.decoded + c, kFloatChunkColumns, scratch.weights + c * kOutputPanel);
      multiply_float<kRows>(scratch.weights, count, x + begin, x_stride, rows, scratch.sums);
    }
    const int outputs =
        static_cast<int>(output_end - first < kOutputPanel ? output_end - first : kOutputPanel);
    for (int64_t r = 0; r < rows; r++)
      store_partial(y + r * y_stride + first, load(scratch.sums + r * kOutputPanel), outputs);
  }
}
