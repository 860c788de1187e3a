// TrainingKernels::product for any instruction set. Included after lanes_*.h and decode_row.inc.h; the
// includer defines
//   kTileRows     rows of C whose block sums stay in registers (a multiple of 4)
//   kTileVectors  vectors of 16 columns of C beside them
//   kHoldsTotals  whether registers hold C beside the block sums (else C is stored for each block)
//   kNarrowRows   with kHoldsTotals: rows of one vector of C beside their block sums
//
// The usual three levels (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008): a
// panel of B, kProductDepth × kProductColumns, is packed once and stays in L2; parts of A are packed to
// kTileRows-wide strips that stay in L1.

namespace r1::kernels {
namespace {

constexpr int64_t kBlock = 32;  // k of one chain of the sum
constexpr int64_t kTileColumns = 16 * kTileVectors;
static_assert(kProductRows % kTileRows == 0 && kProductColumns % kTileColumns == 0);

/// packed[k][kWidth] strips of B; columns past the end are zero.
template <int64_t kWidth>
inline void pack_b(const Product& p, int64_t first_depth, int64_t depth, int64_t first_column,
                   int64_t columns, float* packed) {
  for (int64_t strip = 0; strip < columns; strip += kWidth) {
    float* const out = packed + strip * depth;
    for (int64_t vector = 0; vector < kWidth; vector += 16) {
      const int64_t left = columns - strip - vector;
      const float* const source =
          p.b + first_depth * p.b_depth + (first_column + strip + vector) * p.b_column;
      float* const target = out + vector;
      if (left <= 0) {
        for (int64_t k = 0; k < depth; k++) store(target + k * kWidth, broadcast(0.0F));
      } else if (p.b_column == 1) {
        const int count = left < 16 ? static_cast<int>(left) : 16;
        for (int64_t k = 0; k < depth; k++) {
          const float* const row = source + k * p.b_depth;
          store(target + k * kWidth, count == 16 ? load(row) : load_partial(row, count));
        }
      } else {
        int64_t k = 0;
        if (left >= 16) {
          for (; k + 16 <= depth; k += 16) {
            alignas(64) float transposed[256];
            transpose(source + k, p.b_column, transposed);
            for (int64_t i = 0; i < 16; i++) store(target + (k + i) * kWidth, load(transposed + 16 * i));
          }
        }
        for (; k < depth; k++) {
          for (int64_t j = 0; j < 16; j++)
            target[k * kWidth + j] = j < left ? source[k * p.b_depth + j * p.b_column] : 0.0F;
        }
      }
    }
  }
}

/// pack_b for Product::weights. 16 × 16 pieces of 16 decoded columns, or whole decoded rows, go to the
/// strips.
inline void pack_stored_b(const Product& p, int64_t first_depth, int64_t depth, int64_t first_column,
                          int64_t columns, float* packed) {
  static_assert(kProductDepth % kStoredColumns == 0 && kProductColumns % kStoredColumns == 0);
  alignas(64) float decoded[16 * kProductDepth];
  static_assert(16 * kProductDepth >= kProductColumns + kTileColumns);
  if (!p.transposed) {
    const int64_t strips_end = (columns + kTileColumns - 1) / kTileColumns * kTileColumns;
    for (int64_t j = columns; j < strips_end; j++) decoded[j] = 0.0F;
    for (int64_t k = 0; k < depth; k++) {
      decode_row(*p.weights, p.first_weight_row + first_depth + k, first_column, columns, decoded);
      for (int64_t j = 0; j < strips_end; j += 16)
        store(packed + j / kTileColumns * kTileColumns * depth + k * kTileColumns + j % kTileColumns,
              load(decoded + j));
    }
    return;
  }
  for (int64_t j = 0; j < columns; j += 16) {
    float* const out = packed + j / kTileColumns * kTileColumns * depth + j % kTileColumns;
    for (int64_t i = 0; i < 16; i++) {
      float* const row = decoded + i * kProductDepth;
      if (j + i < columns) {
        decode_row(*p.weights, p.first_weight_row + first_column + j + i, first_depth, depth, row);
      } else {
        for (int64_t k = 0; k < depth; k++) row[k] = 0.0F;
      }
    }
    for (int64_t k = 0; k < depth; k += 16) {
      alignas(64) float transposed[256];
      transpose(decoded + k, kProductDepth,
                transposed);  // the last may turn stale columns: they are not used
      for (int64_t i = 0; i < 16 && k + i < depth; i++)
        store(out + (k + i) * kTileColumns, load(transposed + 16 * i));
    }
  }
  // Whole strips are filled.
  for (int64_t j = (columns + 15) / 16 * 16; j % kTileColumns != 0; j += 16) {
    float* const out = packed + j / kTileColumns * kTileColumns * depth + j % kTileColumns;
    for (int64_t k = 0; k < depth; k++) store(out + k * kTileColumns, broadcast(0.0F));
  }
}

/// packed[k][kTileRows] strips of A; rows past the end are zero.
inline void pack_a(const Product& p, int64_t first_row, int64_t rows, int64_t first_depth, int64_t depth,
                   float* packed) {
  if (p.a_row == 1) {
    for (int64_t strip = 0; strip < rows; strip += kTileRows) {
      const int64_t count = rows - strip < kTileRows ? rows - strip : kTileRows;
      const float* const source = p.a + first_row + strip + first_depth * p.a_depth;
      float* const out = packed + strip * depth;
      if (count == kTileRows) {
        for (int64_t k = 0; k < depth; k++)
          __builtin_memcpy(out + k * kTileRows, source + k * p.a_depth, kTileRows * sizeof(float));
        continue;
      }
      for (int64_t k = 0; k < depth; k++) {
        const float* const from = source + k * p.a_depth;
        for (int64_t i = 0; i < kTileRows; i++) out[k * kTileRows + i] = i < count ? from[i] : 0.0F;
      }
    }
    return;
  }
  const float* const source = p.a + first_row * p.a_row + first_depth * p.a_depth;
  for (int64_t sixteen = 0; sixteen < rows; sixteen += 16) {
    const int64_t present = rows - sixteen;
    // Pieces of four rows, which strips are made of.
    int64_t k = 0;
    if (present >= 16) {
      for (; k + 16 <= depth; k += 16) {
        alignas(64) float transposed[256];
        transpose(source + sixteen * p.a_row + k, p.a_row, transposed);
        for (int64_t piece = 0; piece < 4; piece++) {
          const int64_t row = sixteen + 4 * piece;
          float* const out = packed + row / kTileRows * kTileRows * depth + row % kTileRows;
          for (int64_t i = 0; i < 16; i++)
            __builtin_memcpy(out + (k + i) * kTileRows, transposed + 16 * i + 4 * piece, 16);
        }
      }
    }
    // Whole strips are filled: up to the next multiple of kTileRows behind the last row.
    const int64_t strips_end = (rows + kTileRows - 1) / kTileRows * kTileRows;
    const int64_t end = sixteen + 16 < strips_end ? sixteen + 16 : strips_end;
    for (int64_t row = sixteen; row < end; row++) {
      float* const out = packed + row / kTileRows * kTileRows * depth + row % kTileRows;
      for (int64_t at = k; at < depth; at++)
        out[at * kTileRows] = row < rows ? source[row * p.a_row + at * p.a_depth] : 0.0F;
    }
    if (sixteen + 16 >= rows) {
      for (int64_t row = end; row < strips_end; row++) {
        float* const out = packed + row / kTileRows * kTileRows * depth + row % kTileRows;
        for (int64_t at = 0; at < depth; at++) out[at * kTileRows] = 0.0F;
      }
    }
  }
}

/// kTileRows × kTileColumns of C, from packed strips, in blocks of kBlock.
[[gnu::noinline]] void multiply_tile(const float* a, const float* b, int64_t depth, float* c, int64_t c_row,
                                     bool from_zero) {
  F32x16 totals[kTileRows][kTileVectors];
  if constexpr (kHoldsTotals) {
#pragma GCC unroll 16
    for (int i = 0; i < kTileRows; i++) {
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++)
        totals[i][v] = from_zero ? broadcast(0.0F) : load(c + i * c_row + 16 * v);
    }
  }
  for (int64_t begin = 0; begin < depth; begin += kBlock) {
    const int64_t end = begin + kBlock < depth ? begin + kBlock : depth;
    F32x16 sums[kTileRows][kTileVectors];
#pragma GCC unroll 16
    for (int i = 0; i < kTileRows; i++) {
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) sums[i][v] = broadcast(0.0F);
    }
#pragma GCC unroll 4
    for (int64_t k = begin; k < end; k++) {
      F32x16 column[kTileVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) column[v] = load(b + k * kTileColumns + 16 * v);
#pragma GCC unroll 16
      for (int i = 0; i < kTileRows; i++) {
        const F32x16 factor = broadcast(a[k * kTileRows + i]);
#pragma GCC unroll 4
        for (int v = 0; v < kTileVectors; v++) sums[i][v] = fma(column[v], factor, sums[i][v]);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < kTileRows; i++) {
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) {
        if constexpr (kHoldsTotals) {
          totals[i][v] = totals[i][v] + sums[i][v];
        } else {
          float* const place = c + i * c_row + 16 * v;
          store(place, (from_zero ? broadcast(0.0F) : load(place)) + sums[i][v]);
        }
      }
    }
    if constexpr (!kHoldsTotals) from_zero = false;
  }
  if constexpr (kHoldsTotals) {
#pragma GCC unroll 16
    for (int i = 0; i < kTileRows; i++) {
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) store(c + i * c_row + 16 * v, totals[i][v]);
    }
  }
}

/// The tile at c, of which only some rows and columns may exist.
inline void multiply_at(const float* a, const float* b, int64_t depth, float* c, int64_t c_row,
                        bool from_zero, int64_t rows, int64_t columns) {
  if (rows >= kTileRows && columns >= kTileColumns) {
    if (rows > kTileRows) {  // the tile below is next: nobody else foresees its rows
      for (int64_t r = 0; r < kTileRows; r++) {
        const float* const next = c + (kTileRows + r) * c_row;
        for (int64_t s = 0; s < kTileColumns; s += 16) __builtin_prefetch(next + s, 1);
      }
    }
    multiply_tile(a, b, depth, c, c_row, from_zero);
    return;
  }
  const int64_t tile_rows = rows < kTileRows ? rows : kTileRows;
  const int64_t tile_columns = columns < kTileColumns ? columns : kTileColumns;
  alignas(64) float edge[kTileRows * kTileColumns];
  for (int64_t r = 0; r < kTileRows; r++) {
    for (int64_t s = 0; s < kTileColumns; s++) {
      const bool inside = r < tile_rows && s < tile_columns && !from_zero;
      edge[r * kTileColumns + s] = inside ? c[r * c_row + s] : 0.0F;
    }
  }
  multiply_tile(a, b, depth, edge, kTileColumns, from_zero);
  for (int64_t r = 0; r < tile_rows; r++)
    __builtin_memcpy(c + r * c_row, edge + r * kTileColumns,
                     static_cast<size_t>(tile_columns) * sizeof(float));
}

/// C of up to 16 columns (the inner side of low-rank terms): each row of A is met once, so A is not packed.
inline void narrow_product(const Product& p, int64_t row_begin, int64_t row_end, int64_t column, int columns,
                           float* packed) {
  constexpr int64_t kDepth = 2048;  // k at once: the packed strip stays in L2
  static_assert(kDepth * 16 <= kProductDepth * kProductColumns && kDepth % kBlock == 0);
  for (int64_t first = 0; first < p.depth; first += kDepth) {
    const int64_t depth = p.depth - first < kDepth ? p.depth - first : kDepth;
    const bool from_zero = first == 0 && !p.accumulate;
    pack_b<16>(p, first, depth, column, columns, packed);
    for (int64_t row = row_begin; row < row_end; row += kNarrowRows) {
      const float* rows[kNarrowRows];  // the last one again where there are fewer
      F32x16 totals[kNarrowRows];
#pragma GCC unroll 16
      for (int i = 0; i < kNarrowRows; i++) {
        const int64_t at = row + i < row_end ? row + i : row_end - 1;
        rows[i] = p.a + at * p.a_row + first * p.a_depth;
        totals[i] = from_zero ? broadcast(0.0F) : load_up_to(p.c + at * p.c_row + column, columns);
      }
      for (int64_t begin = 0; begin < depth; begin += kBlock) {
        const int64_t end = begin + kBlock < depth ? begin + kBlock : depth;
        F32x16 sums[kNarrowRows];
#pragma GCC unroll 16
        for (int i = 0; i < kNarrowRows; i++) sums[i] = broadcast(0.0F);
        for (int64_t k = begin; k < end; k++) {
          const F32x16 values = load(packed + k * 16);
#pragma GCC unroll 16
          for (int i = 0; i < kNarrowRows; i++)
            sums[i] = fma(values, broadcast(rows[i][k * p.a_depth]), sums[i]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < kNarrowRows; i++) totals[i] = totals[i] + sums[i];
      }
#pragma GCC unroll 16
      for (int i = 0; i < kNarrowRows; i++) {
        if (row + i < row_end) store_up_to(p.c + (row + i) * p.c_row + column, totals[i], columns);
      }
    }
  }
}

inline void product_body(const Product& p, int64_t row_begin, int64_t row_end, int64_t column_begin,
                         int64_t column_end, std::byte* scratch) {
  auto* const packed_b = reinterpret_cast<float*>(scratch);
  float* const packed_a = packed_b + kProductDepth * kProductColumns;
  if (p.depth == 0 && !p.accumulate) {
    for (int64_t i = row_begin; i < row_end; i++)
      for (int64_t j = column_begin; j < column_end; j++) p.c[i * p.c_row + j] = 0.0F;
  }
  if constexpr (kHoldsTotals) {
    if (column_end - column_begin <= 16 && p.weights == nullptr) {
      narrow_product(p, row_begin, row_end, column_begin, static_cast<int>(column_end - column_begin),
                     packed_b);
      return;
    }
  }
  for (int64_t column = column_begin; column < column_end; column += kProductColumns) {
    const int64_t columns = column_end - column < kProductColumns ? column_end - column : kProductColumns;
    for (int64_t first_depth = 0; first_depth < p.depth; first_depth += kProductDepth) {
      const int64_t depth = p.depth - first_depth < kProductDepth ? p.depth - first_depth : kProductDepth;
      const bool from_zero = first_depth == 0 && !p.accumulate;
      (p.weights != nullptr ? pack_stored_b : pack_b<kTileColumns>)(p, first_depth, depth, column, columns,
                                                                    packed_b);
      for (int64_t row = row_begin; row < row_end; row += kProductRows) {
        const int64_t rows = row_end - row < kProductRows ? row_end - row : kProductRows;
        pack_a(p, row, rows, first_depth, depth, packed_a);
        const auto tile = [&](int64_t i, int64_t j) {
          multiply_at(packed_a + i * depth, packed_b + j * depth, depth,
                      p.c + (row + i) * p.c_row + column + j, p.c_row, from_zero, rows - i, columns - j);
        };
        if (p.depth <= kBlock) {  // a low-rank term: C is most of the memory that is met, so along its rows
          for (int64_t i = 0; i < rows; i += kTileRows)
            for (int64_t j = 0; j < columns; j += kTileColumns) tile(i, j);
        } else {
          for (int64_t j = 0; j < columns; j += kTileColumns)
            for (int64_t i = 0; i < rows; i += kTileRows) tile(i, j);
        }
      }
    }
  }
}

inline void enter_product(TrainingKernels& training) {
  training.product = product_body;
}

}  // namespace
}  // namespace r1::kernels
