// matmul_transposed for any instruction set, over its lanes: lanes are columns. Each output is one chain of
// fused multiply-adds over ascending rows of the weights, whatever is computed beside it.

/// One register block: kRows rows of x by kVectors vectors of columns. weights[o][stride].
template <int kRows, int kVectors>
inline void weigh_block(const float* weights, int64_t stride, int64_t depth, const float* x, int64_t x_stride,
                        bool first, float* y, int64_t y_stride) {
  F32x16 sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) sums[r][v] = first ? broadcast(0.0F) : load(y + r * y_stride + 16 * v);
  }
  for (int64_t o = 0; o < depth; o++) {
    F32x16 weight[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) weight[v] = load(weights + o * stride + 16 * v);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
      const F32x16 factor = broadcast(x[r * x_stride + o]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; v++) sums[r][v] = fma(factor, weight[v], sums[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) store(y + r * y_stride + 16 * v, sums[r][v]);
  }
}

/// `columns` of y for kRows rows.
template <int kRows>
inline void weigh_strip(const float* weights, int64_t stride, int64_t depth, int64_t columns, const float* x,
                        int64_t x_stride, bool first, float* y, int64_t y_stride) {
  constexpr int kVectors = transposed_vectors(kRows);
  int64_t c = 0;
  for (; c + 16 * kVectors <= columns; c += 16 * kVectors)
    weigh_block<kRows, kVectors>(weights + c, stride, depth, x, x_stride, first, y + c, y_stride);
  for (; c + 16 <= columns; c += 16)
    weigh_block<kRows, 1>(weights + c, stride, depth, x, x_stride, first, y + c, y_stride);
  if (c == columns) return;
  const int count = static_cast<int>(columns - c);
  for (int r = 0; r < kRows; r++) {  // plain types only have such ends
    F32x16 sum = first ? broadcast(0.0F) : load_partial(y + r * y_stride + c, count);
    for (int64_t o = 0; o < depth; o++)
      sum = fma(broadcast(x[r * x_stride + o]), load_partial(weights + o * stride + c, count), sum);
    store_partial(y + r * y_stride + c, sum, count);
  }
}

/// The instance for `rows` (1 … kTransposedRows) rows.
template <int kRows = kTransposedRows>
inline void weigh_rows(int64_t rows, const float* weights, int64_t stride, int64_t depth, int64_t columns,
                       const float* x, int64_t x_stride, bool first, float* y, int64_t y_stride) {
  if (rows == kRows)
    return weigh_strip<kRows>(weights, stride, depth, columns, x, x_stride, first, y, y_stride);
  if constexpr (kRows > 1)
    weigh_rows<kRows - 1>(rows, weights, stride, depth, columns, x, x_stride, first, y, y_stride);
}

/// Asks for the row that takes this one's place: decoding it would wait for memory while the products wait
/// for decoding.
inline void fetch_row(const WeightMatrix& w, int64_t output, int64_t begin, int64_t columns) {
  const std::byte* const row = w.data + static_cast<size_t>(output) * w.row_bytes;
  const auto row_bytes = static_cast<int64_t>(w.row_bytes);
  for (int64_t at = row_bytes * begin / w.inputs; at < row_bytes * (begin + columns) / w.inputs; at += 64)
    __builtin_prefetch(row + at, 0, 2);
}

inline void matmul_transposed_body(const WeightMatrix& w, int64_t row_begin, int64_t row_count,
                                   const float* x, int64_t x_stride, int64_t rows, float* y, int64_t y_stride,
                                   std::byte* scratch) {
  auto* const decoded = reinterpret_cast<float*>(scratch);
  // Few rows wait for memory and for decoding: long pieces. Many pay for loading and storing their sums.
  const int64_t width = rows <= 2 ? 1024 : 256;
  for (int64_t begin = 0; begin < w.inputs; begin += width) {
    const int64_t columns = w.inputs - begin < width ? w.inputs - begin : width;
    const int64_t stride = (columns + 15) / 16 * 16 + 16;  // odd cache lines: powers of two would collide
    const int64_t height = kTransposedFloats / stride;
    for (int64_t o = 0; o < row_count; o += height) {
      const int64_t depth = row_count - o < height ? row_count - o : height;
      for (int64_t i = 0; i < depth; i++) {
        const int64_t row = row_begin + o + i;
        if (o + i + height < row_count) fetch_row(w, row + height, begin, columns);
        decode_row(w, row, begin, columns, decoded + i * stride);
      }
      for (int64_t r = 0; r < rows; r += kTransposedRows) {
        const int64_t count = rows - r < kTransposedRows ? rows - r : kTransposedRows;
        weigh_rows(count, decoded, stride, depth, columns, x + r * x_stride + o, x_stride, o == 0,
                   y + r * y_stride + begin, y_stride);
      }
    }
  }
}
