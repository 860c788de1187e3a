// TrainingKernels::round_rows and integer_product for any instruction set. Included after product.inc.h,
// tile_*.h and pairs.inc.h; the includer defines
//   kIntegerRows  rows of C whose integer sums stay in registers (divides kRoundedStrip)
// beside product.inc.h's kTileVectors. A panel of B is decoded to float32 as in product.inc.h, then rounded.

namespace r1::kernels {
namespace {

constexpr int64_t kPairs = kRoundedBlock / 2;
static_assert(kRoundedBlock == 64 && kProductDepth % kRoundedBlock == 0);
static_assert(kRoundedStrip % kIntegerRows == 0 && kRoundedStrip <= 16);

constexpr float kLeftSteps = 8191, kRightSteps = 4095;
static_assert(kRoundedBlock * int64_t{8191} * 4095 < int64_t{1} << 31);
constexpr float kLeastRounded = 0x1p-100F;  // largest of a block: below it all is zero

/// 0 when all lanes are finite, else NaN.
inline F32x16 finite_check(F32x16 x, F32x16 check) {
  return fma(x, broadcast(0.0F), check);
}

/// One block of a row as kPairs words; returns its scale.
inline float round_block(const float* values, int64_t count, int32_t* words) {
  F32x16 x[4];
  F32x16 largest = broadcast(0.0F), check = broadcast(0.0F);
  for (int v = 0; v < 4; v++) {
    const int64_t left = count - 16 * v;
    x[v] = left <= 0 ? broadcast(0.0F) : load_up_to(values + 16 * v, left < 16 ? static_cast<int>(left) : 16);
    largest = max(largest, abs(x[v]));
    check = finite_check(x[v], check);
  }
  const float most = reduce_max(largest);
  const F32x16 inverse = broadcast(most >= kLeastRounded ? kLeftSteps / most : 0.0F);
  store(words, pair_lanes(round_to_int(x[0] * inverse), round_to_int(x[1] * inverse)));
  store(words + 16, pair_lanes(round_to_int(x[2] * inverse), round_to_int(x[3] * inverse)));
  return most * (1 / kLeftSteps) + reduce_add(check);
}

inline void round_rows_body(const float* a, int64_t a_row, int64_t row_begin, int64_t row_end, int64_t depth,
                            const RoundedRows& out) {
  const int64_t blocks = (depth + kRoundedBlock - 1) / kRoundedBlock;
  alignas(64) int32_t words[16 * kPairs] = {};
  for (int64_t first = row_begin; first < row_end; first += kRoundedStrip) {
    int32_t* const pairs = out.pairs + first * blocks * kPairs;
    float* const scales = out.scales + first * blocks;
    for (int64_t block = 0; block < blocks; block++) {
      const int64_t begin = block * kRoundedBlock;
      const int64_t count = depth - begin < kRoundedBlock ? depth - begin : kRoundedBlock;
      for (int64_t i = 0; i < kRoundedStrip; i++) {
        const bool present = first + i < row_end;
        scales[block * kRoundedStrip + i] =
            present ? round_block(a + (first + i) * a_row + begin, count, words + i * kPairs) : 0.0F;
        if (!present) __builtin_memset(words + i * kPairs, 0, kPairs * sizeof(int32_t));
      }
      for (int64_t half = 0; half < kPairs; half += 16) {
        alignas(64) float transposed[256];
        transpose(reinterpret_cast<const float*>(words + half), kPairs, transposed);
        for (int64_t p = 0; p < 16; p++)
          __builtin_memcpy(pairs + ((block * kPairs) + half + p) * kRoundedStrip, transposed + 16 * p,
                           kRoundedStrip * sizeof(int32_t));
      }
    }
  }
}

/// Packed float32 strips of B, [depth][kTileColumns], as words[block][kPairs][kTileColumns] with
/// scales[block][kTileColumns] for each strip; blocks are filled up with zeros.
inline void round_panel(const float* packed, int64_t depth, int64_t columns, int32_t* words, float* scales) {
  const int64_t blocks = (depth + kRoundedBlock - 1) / kRoundedBlock;
  for (int64_t strip = 0; strip < columns; strip += kTileColumns) {
    for (int64_t block = 0; block < blocks; block++) {
      for (int64_t vector = 0; vector < kTileColumns; vector += 16) {
        const int64_t begin = block * kRoundedBlock;
        const int64_t count = depth - begin < kRoundedBlock ? depth - begin : kRoundedBlock;
        const float* const source = packed + strip * depth + begin * kTileColumns + vector;
        F32x16 largest = broadcast(0.0F), check = broadcast(0.0F);
        for (int64_t k = 0; k < count; k++) {
          const F32x16 x = load(source + k * kTileColumns);
          largest = max(largest, abs(x));
          check = finite_check(x, check);
        }
        const F32x16 inverse =
            select_less(largest, broadcast(kLeastRounded), broadcast(0.0F), broadcast(kRightSteps) / largest);
        store(scales + (strip / kTileColumns * blocks + block) * kTileColumns + vector,
              fma(largest, broadcast(1 / kRightSteps), check));
        int32_t* const target =
            words + (strip / kTileColumns * blocks + block) * kPairs * kTileColumns + vector;
        const auto rounded = [&](int64_t k) {
          return k < count ? round_to_int(load(source + k * kTileColumns) * inverse) : broadcast(int32_t{0});
        };
        for (int64_t p = 0; p < kPairs; p++) {
          const int64_t k = p / 16 * 32 + p % 16;
          store(target + p * kTileColumns, pair_lanes(rounded(k), rounded(k + 16)));
        }
      }
    }
  }
}

/// kIntegerRows × kTileColumns of C.
[[gnu::noinline]] void multiply_integer_tile(const int32_t* a, const float* a_scales, const int32_t* b,
                                             const float* b_scales, int64_t blocks, float* c, int64_t c_row,
                                             bool from_zero) {
  for (int64_t block = 0; block < blocks; block++) {
    I32x16 partial[kIntegerRows][kTileVectors];
#pragma GCC unroll 16
    for (int i = 0; i < kIntegerRows; i++) {
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) partial[i][v] = broadcast(int32_t{0});
    }
    for (int64_t p = 0; p < kPairs; p++, a += kRoundedStrip, b += kTileColumns) {
      I32x16 column[kTileVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) column[v] = load(b + 16 * v);
#pragma GCC unroll 16
      for (int i = 0; i < kIntegerRows; i++) {
        const I32x16 factor = broadcast(a[i]);
#pragma GCC unroll 4
        for (int v = 0; v < kTileVectors; v++) partial[i][v] = add_pairs(partial[i][v], factor, column[v]);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < kIntegerRows; i++) {
      const F32x16 scale = broadcast(a_scales[i]);
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) {
        float* const place = c + i * c_row + 16 * v;
        store(place, fma(to_float(partial[i][v]), load(b_scales + 16 * v) * scale,
                         from_zero ? broadcast(0.0F) : load(place)));
      }
    }
    a_scales += kRoundedStrip;
    b_scales += kTileColumns;
    from_zero = false;
  }
}

inline void integer_product_body(const Product& p, const RoundedRows& rounded, int64_t row_begin,
                                 int64_t row_end, int64_t column_begin, int64_t column_end,
                                 std::byte* scratch) {
  auto* const packed = reinterpret_cast<float*>(scratch);
  auto* const words = reinterpret_cast<int32_t*>(packed + kProductDepth * kProductColumns);
  auto* const scales = reinterpret_cast<float*>(words + kProductDepth / 2 * kProductColumns);
  const int64_t all_blocks = (p.depth + kRoundedBlock - 1) / kRoundedBlock;
  alignas(64) float edge[kIntegerRows * kTileColumns];
  for (int64_t column = column_begin; column < column_end; column += kProductColumns) {
    const int64_t columns = column_end - column < kProductColumns ? column_end - column : kProductColumns;
    for (int64_t first_depth = 0; first_depth < p.depth; first_depth += kProductDepth) {
      const int64_t depth = p.depth - first_depth < kProductDepth ? p.depth - first_depth : kProductDepth;
      const int64_t blocks = (depth + kRoundedBlock - 1) / kRoundedBlock;
      const bool from_zero = first_depth == 0 && !p.accumulate;
      (p.weights != nullptr ? pack_stored_b : pack_b<kTileColumns>)(p, first_depth, depth, column, columns,
                                                                    packed);
      round_panel(packed, depth, columns, words, scales);
      for (int64_t j = 0; j < columns; j += kTileColumns) {
        const int32_t* const b = words + j * blocks * kPairs;
        const float* const b_scales = scales + j * blocks;
        const int64_t tile_columns = columns - j < kTileColumns ? columns - j : kTileColumns;
        for (int64_t row = row_begin; row < row_end; row += kIntegerRows) {
          const int64_t strip = row / kRoundedStrip * kRoundedStrip;
          const int64_t first_block = first_depth / kRoundedBlock;
          const int32_t* const a =
              rounded.pairs + (strip * all_blocks + first_block * kRoundedStrip) * kPairs + row - strip;
          const float* const a_scales =
              rounded.scales + strip * all_blocks + first_block * kRoundedStrip + row - strip;
          float* const c = p.c + row * p.c_row + column + j;
          const int64_t tile_rows = row_end - row < kIntegerRows ? row_end - row : kIntegerRows;
          if (tile_rows == kIntegerRows && tile_columns == kTileColumns) {
            for (int64_t r = kIntegerRows; r < 2 * kIntegerRows && row + r < row_end; r++) {
              // The tile below is next: nobody else foresees its rows.
              for (int64_t s = 0; s < kTileColumns; s += 16) __builtin_prefetch(c + r * p.c_row + s, 1);
            }
            multiply_integer_tile(a, a_scales, b, b_scales, blocks, c, p.c_row, from_zero);
            continue;
          }
          for (int64_t r = 0; r < kIntegerRows; r++) {
            for (int64_t s = 0; s < kTileColumns; s++) {
              const bool inside = r < tile_rows && s < tile_columns && !from_zero;
              edge[r * kTileColumns + s] = inside ? c[r * p.c_row + s] : 0.0F;
            }
          }
          multiply_integer_tile(a, a_scales, b, b_scales, blocks, edge, kTileColumns, from_zero);
          for (int64_t r = 0; r < tile_rows; r++)
            __builtin_memcpy(c + r * p.c_row, edge + r * kTileColumns,
                             static_cast<size_t>(tile_columns) * sizeof(float));
        }
      }
    }
  }
}

inline void enter_integer_product(TrainingKernels& training) {
  training.round_rows = round_rows_body;
  training.integer_product = integer_product_body;
}

}  // namespace
}  // namespace r1::kernels
