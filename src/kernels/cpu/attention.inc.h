// Attention over a paged cache. Included after lanes_*.h, tile_*.h and exp.inc.h.
//
// A pass takes up to kPassRows query rows that share a key/value head (positions outside, heads inside) and
// goes over the keys once, in tiles of 32 tokens that are converted to float32 (exactly, for every cache
// type): keys transposed, so that a lane is a token, values as they lie, so that a lane is a column. Query
// rows are worked on in strips that fill the registers.
//
// The order of sums of one query row, whatever is computed beside it:
//   score[t] = one fused chain over ascending columns, of (query · scale · log2 e) and key
//   m'       = max(m, scores of the tile),   c = 2^(m - m'),   p[t] = 2^(score[t] - m')
//   total    = fma(total, c, Σp)             Σp: tokens t and t + 16 first, then as reduce_add
//   sums[i]  = fma(sums[i], c, s[i])         s[i] = one fused chain over ascending tokens of p[t],
//   value[t][i] output   = sums · (1 / total)
// Tokens after the row's position take no part: their lanes get score -∞, and the chain of s ends before.
// (Online softmax: Milakov and Gimelshein, 2018; tiles: Dao et al., FlashAttention, 2022.)

namespace r1::kernels {
namespace {

/// 16 elements of a stored row from `column` (a multiple of 16) on; of a quantised type without the scale.
template <DType kType>
inline F32x16 decode(const std::byte* row, int64_t column) {
  if constexpr (kType == DType::f32) {
    return load(reinterpret_cast<const float*>(row) + column);
  } else if constexpr (kType == DType::f16) {
    return load_f16(reinterpret_cast<const uint16_t*>(row) + column);
  } else if constexpr (kType == DType::q8_0) {
    return to_float(load_i8(reinterpret_cast<const int8_t*>(row + column / 32 * 34 + 2 + column % 32)));
  } else {
    static_assert(kType == DType::q4_0);
    const I32x16 bytes = load_u8(reinterpret_cast<const uint8_t*>(row + column / 32 * 18 + 2));
    const I32x16 nibbles = column % 32 == 0 ? bytes & broadcast(int32_t{15}) : shift_right<4>(bytes);
    return to_float(nibbles - broadcast(int32_t{8}));
  }
}

constexpr bool is_scaled(DType dtype) {
  return dtype == DType::q8_0 || dtype == DType::q4_0;
}

/// The last `count` (< 16) elements of a row; only plain types have such ends.
template <DType kType>
inline F32x16 decode_end(const std::byte* row, int64_t column, int count) {
  if constexpr (kType == DType::f32) {
    return load_partial(reinterpret_cast<const float*>(row) + column, count);
  } else if constexpr (kType == DType::f16) {
    uint16_t halves[16] = {};
    __builtin_memcpy(halves, row + 2 * column, 2 * static_cast<size_t>(count));
    return load_f16(halves);
  } else {
    return broadcast(0.0F);
  }
}

/// Bytes of 16 elements, for prefetching only.
constexpr int64_t bytes_of_16(DType dtype) {
  return dtype == DType::f32 ? 64 : dtype == DType::f16 ? 32 : dtype == DType::q8_0 ? 17 : 9;
}

/// Where the tokens of a tile lie. Tokens past the last one to be seen repeat it: never uninitialised memory.
struct TileRows {
  const std::byte* rows[kTileTokens];
};

struct Plane {
  const std::byte* data;  // of the key/value head
  size_t block_bytes, token_bytes;
};

inline TileRows find_tile(const Plane& plane, const AttentionSlice& slice, int64_t block_tokens,
                          int64_t first, int64_t tokens) {
  TileRows tile;
  const std::byte* row = nullptr;
  for (int64_t t = 0; t < kTileTokens; t++) {
    if (t < tokens) {
      const int64_t position = first + t;
      const int64_t within = position & (block_tokens - 1);
      if (within == 0 || t == 0) {
        const auto block = static_cast<size_t>(slice.blocks[position / block_tokens]);
        row = plane.data + block * plane.block_bytes + static_cast<size_t>(within) * plane.token_bytes;
      } else {
        row += plane.token_bytes;
      }
    }
    tile.rows[t] = row;
  }
  return tile;
}

inline void ask_for_tile(const TileRows& tile, int64_t bytes) {
  for (const std::byte* row : tile.rows) {
    for (int64_t at = 0; at < bytes; at += 64) prefetch(row + at);
  }
}

/// The scales of quantised rows: scales[block of 32 columns][token].
template <DType kType>
inline void gather_scales(const TileRows& tile, int64_t columns, float* scales) {
  for (int64_t column = 0; column < columns; column += 32, scales += kTileTokens) {
    uint16_t halves[kTileTokens];
    for (int64_t t = 0; t < kTileTokens; t++) {
      __builtin_memcpy(&halves[t], tile.rows[t] + column / 16 * bytes_of_16(kType), 2);
    }
    store(scales, load_f16(halves));
    store(scales + 16, load_f16(halves + 16));
  }
}

/// key_tile[column][token] from quantised rows. Products of scale and value are exact.
template <DType kType>
void transpose_scaled_keys(const TileRows& tile, int64_t columns, float* scales, float* key_tile) {
  gather_scales<kType>(tile, columns, scales);
  for (int64_t column = 0; column < columns; column += 16) {
    const float* block_scales = scales + column / 32 * kTileTokens;
    if constexpr (kType == DType::q8_0 && kTransposesQ8) {
      const std::byte* blocks[kTileTokens];
      for (int64_t t = 0; t < kTileTokens; t++) blocks[t] = tile.rows[t] + column / 32 * 34;
      transpose_q8_0(blocks, block_scales, key_tile + column * kTileTokens);
      column += 16;
      continue;
    }
    for (int64_t half = 0; half < kTileTokens; half += 16) {
      F32x16 block[16];
      for (int t = 0; t < 16; t++) block[t] = decode<kType>(tile.rows[half + t], column);
      transpose(block);
      const F32x16 scale = load(block_scales + half);
      for (int c = 0; c < 16; c++) store(key_tile + (column + c) * kTileTokens + half, block[c] * scale);
    }
  }
}

/// key_tile[column][token], columns padded with zeros to a multiple of 16.
template <DType kType>
void transpose_keys(const TileRows& tile, int64_t columns, float* key_tile) {
  for (int64_t half = 0; half < kTileTokens; half += 16) {
    for (int64_t column = 0; column < columns; column += 16) {
      F32x16 block[16];
      if (column + 16 <= columns) {
        for (int t = 0; t < 16; t++) block[t] = decode<kType>(tile.rows[half + t], column);
      } else {
        for (int t = 0; t < 16; t++) {
          block[t] = decode_end<kType>(tile.rows[half + t], column, static_cast<int>(columns - column));
        }
      }
      transpose(block);
      for (int c = 0; c < 16; c++) store(key_tile + (column + c) * kTileTokens + half, block[c]);
    }
  }
}

/// Values for value_block, converted on the way: for passes of one strip, which read each value once.
template <DType kType>
struct StoredValues {
  const TileRows& rows;
  const TileRows& next;
  const float* scales;  // of a quantised type: [block of 32 columns][token]
  F32x16 at(int64_t token, int64_t column) const {
    const F32x16 values = decode<kType>(rows.rows[token], column);
    if constexpr (!is_scaled(kType)) return values;
    return values * broadcast(scales[column / 32 * kTileTokens + token]);
  }
  void ask_for_next(int64_t token, int64_t column, int vectors) const {
    const int64_t begin = column / 16 * bytes_of_16(kType);
    for (int64_t offset = 0; offset < vectors * bytes_of_16(kType); offset += 64) {
      prefetch(next.rows[token] + begin + offset);
    }
  }
};

/// Values for value_block, from a converted tile.
struct ConvertedValues {
  const float* tile;
  int64_t stride;
  F32x16 at(int64_t token, int64_t column) const { return load(tile + token * stride + column); }
  void ask_for_next(int64_t /*token*/, int64_t /*column*/, int /*vectors*/) const {}
};

/// The tile for ConvertedValues, [token][column], columns padded with zeros to a multiple of 16.
template <DType kType>
void convert_values(const StoredValues<kType>& values, int64_t tokens, int64_t columns, float* value_tile) {
  const int64_t stride = (columns + 15) / 16 * 16;
  for (int64_t t = 0; t < tokens; t++) {
    int64_t column = 0;
    for (; column + 16 <= columns; column += 16) {
      store(value_tile + t * stride + column, values.at(t, column));
    }
    if (column < columns) {
      const auto count = static_cast<int>(columns - column);
      store(value_tile + t * stride + column, decode_end<kType>(values.rows.rows[t], column, count));
    }
  }
}

/// `scales`: scratch.
inline void load_key_tile(DType dtype, const TileRows& tile, int64_t columns, float* scales,
                          float* key_tile) {
  switch (dtype) {
    case DType::f32:
      return transpose_keys<DType::f32>(tile, columns, key_tile);
    case DType::f16:
      return transpose_keys<DType::f16>(tile, columns, key_tile);
    case DType::q8_0:
      return transpose_scaled_keys<DType::q8_0>(tile, columns, scales, key_tile);
    case DType::q4_0:
      return transpose_scaled_keys<DType::q4_0>(tile, columns, scales, key_tile);
    default:
      refuse_cache_type(dtype);
  }
}

/// Calls body(StoredValues) of the type; `scales`: scratch.
template <typename Body>
inline void with_stored_values(DType dtype, const TileRows& rows, const TileRows& next, int64_t columns,
                               float* scales, const Body& body) {
  switch (dtype) {
    case DType::f32:
      return body(StoredValues<DType::f32>{rows, next, nullptr});
    case DType::f16:
      return body(StoredValues<DType::f16>{rows, next, nullptr});
    case DType::q8_0:
      gather_scales<DType::q8_0>(rows, columns, scales);
      return body(StoredValues<DType::q8_0>{rows, next, scales});
    case DType::q4_0:
      gather_scales<DType::q4_0>(rows, columns, scales);
      return body(StoredValues<DType::q4_0>{rows, next, scales});
    default:
      refuse_cache_type(dtype);
  }
}

/// Keys for score_strip, from a converted tile [column][token].
struct ConvertedKeys {
  const float* tile;
  F32x16 at(int64_t column, int64_t token) const { return load(tile + column * kTileTokens + token); }
  void ask_for_next(int64_t /*column*/) const {}
};

/// The same in a pass of one strip, which waits for memory: asks for the next tile evenly, a bit in each
/// column. (That its rows lie together is only a guess: prefetching elsewhere does no harm.)
struct ConvertedKeysOnce : ConvertedKeys {
  const std::byte* next;
  int64_t column_bytes;  // of all tokens of a tile
  void ask_for_next(int64_t column) const {
    for (int64_t at = 0; at < column_bytes; at += 64) prefetch(next + column * column_bytes + at);
  }
};

/// The same from a transposed tile [column][token] of f16.
struct HalfKeysOnce {
  const uint16_t* tile;
  const std::byte* next;
  F32x16 at(int64_t column, int64_t token) const { return load_f16(tile + column * kTileTokens + token); }
  void ask_for_next(int64_t column) const { prefetch(next + column * 2 * kTileTokens); }
};

/// The tile for HalfKeysOnce. `columns` is a multiple of 16.
inline void transpose_half_keys(const TileRows& tile, int64_t columns, uint16_t* half_tile) {
  for (int64_t column = 0; column < columns; column += 16) {
    transpose_halves(tile.rows, 2 * column, half_tile + column * kTileTokens);
  }
}

inline void convert_half_keys(const uint16_t* half_tile, int64_t columns, float* key_tile) {
  for (int64_t i = 0; i < columns * kTileTokens; i += 16) store(key_tile + i, load_f16(half_tile + i));
}

/// scores[row][token] of kRows query rows; queries[column][kStripRows].
template <int kRows, typename Keys>
void score_strip(const float* queries, const Keys& keys, int64_t columns, float* scores) {
  for (int64_t first = 0; first < kTileTokens; first += 16 * kScoreVectors) {
    F32x16 sums[kRows][kScoreVectors];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
      for (int v = 0; v < kScoreVectors; v++) sums[r][v] = broadcast(0.0F);
    }
    const float* query_column = queries;
    for (int64_t c = 0; c < columns; c++, query_column += kStripRows) {
      F32x16 key[kScoreVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kScoreVectors; v++) key[v] = keys.at(c, first + 16 * v);
      if (first == 0) keys.ask_for_next(c);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; r++) {
        const F32x16 query = broadcast(query_column[r]);
#pragma GCC unroll 2
        for (int v = 0; v < kScoreVectors; v++) sums[r][v] = fma(query, key[v], sums[r][v]);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
      for (int v = 0; v < kScoreVectors; v++) store(scores + r * kTileTokens + first + 16 * v, sums[r][v]);
    }
  }
}

/// One register block of the weighted sum of values: kRows rows × kVectors vectors of columns.
template <int kRows, int kVectors, typename Values>
inline void value_block(const float* weights, const Values& values, int64_t column, int64_t stride,
                        int64_t tokens, const float* corrections, bool first_tile, float* sums) {
  F32x16 block[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) block[r][v] = broadcast(0.0F);
  }
  for (int64_t t = 0; t < tokens; t++) {
    F32x16 row[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) row[v] = values.at(t, column + 16 * v);
    values.ask_for_next(t, column, kVectors);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
      const F32x16 weight = broadcast(weights[r * kTileTokens + t]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; v++) block[r][v] = fma(weight, row[v], block[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) {
    const F32x16 correction = broadcast(corrections[r]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) {
      float* sum = sums + r * stride + column + 16 * v;
      store(sum, first_tile ? block[r][v] : fma(load(sum), correction, block[r][v]));
    }
  }
}

/// sums[row][column] of kRows rows after one tile; weights[row][token].
template <int kRows, typename Values>
void value_strip(const float* weights, const Values& values, int64_t stride, int64_t tokens,
                 const float* corrections, bool first_tile, float* sums) {
  constexpr int kVectors = value_vectors(kRows);
  int64_t column = 0;
  for (; column + 16 * kVectors <= stride; column += 16 * kVectors) {
    value_block<kRows, kVectors>(weights, values, column, stride, tokens, corrections, first_tile, sums);
  }
  for (; column < stride; column += 16) {
    value_block<kRows, 1>(weights, values, column, stride, tokens, corrections, first_tile, sums);
  }
}

/// Calls the instance for `rows` (1 … kStripRows) rows.
template <int kRows = kStripRows, typename Keys>
inline void score_rows(int64_t rows, const float* queries, const Keys& keys, int64_t columns, float* scores) {
  if (rows == kRows) return score_strip<kRows>(queries, keys, columns, scores);
  if constexpr (kRows > 1) score_rows<kRows - 1>(rows, queries, keys, columns, scores);
}
template <int kRows = kStripRows, typename Values>
inline void sum_rows(int64_t rows, const float* weights, const Values& values, int64_t stride, int64_t tokens,
                     const float* corrections, bool first_tile, float* sums) {
  if (rows == kRows) {
    return value_strip<kRows>(weights, values, stride, tokens, corrections, first_tile, sums);
  }
  if constexpr (kRows > 1) {
    sum_rows<kRows - 1>(rows, weights, values, stride, tokens, corrections, first_tile, sums);
  }
}

/// The softmax step of one strip: scores become weights in place. limits[r]: tokens that row r sees of this
/// tile; rows with none keep their state.
inline void weigh_strip(float* scores, int64_t rows, const int64_t* limits, float* maximum, float* total,
                        float* corrections) {
  constexpr float kInfinity = __builtin_inff();
  alignas(64) float highest[16];
  alignas(64) float added[16] = {};
  store(highest, load(maximum));
  alignas(64) static constexpr float kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const F32x16 lane = load(kLane);
  for (int64_t r = 0; r < rows; r++) {
    if (limits[r] <= 0) continue;
    float* row = scores + r * kTileTokens;
    F32x16 low = load(row);
    F32x16 high = load(row + 16);
    if (limits[r] < kTileTokens) {
      const F32x16 limit = broadcast(static_cast<float>(limits[r]));
      low = select_less(lane, limit, low, broadcast(-kInfinity));
      high = select_less(lane + broadcast(16.0F), limit, high, broadcast(-kInfinity));
    }
    const float tile_highest = reduce_max(max(low, high));
    if (tile_highest > highest[r]) highest[r] = tile_highest;
    const F32x16 top = broadcast(highest[r]);
    low = exp2_of_negative(low - top);
    high = exp2_of_negative(high - top);
    store(row, low);
    store(row + 16, high);
    added[r] = reduce_add(low + high);
  }
  const F32x16 correction = exp2_of_negative(load(maximum) - load(highest));
  store(corrections, correction);
  store(total, fma(load(total), correction, load(added)));
  store(maximum, load(highest));
}

/// One pass: positions [row_begin, row_end) of the slice, heads [head_begin, head_end) of one key/value head.
inline void attention_pass(const AttentionShape& shape, const AttentionSlice& slice, const Plane& keys,
                           const Plane& values, int64_t row_begin, int64_t row_end, int64_t head_begin,
                           int64_t head_end, const AttentionScratch& plan, float* scratch) {
  const int64_t heads = head_end - head_begin;
  const int64_t rows = (row_end - row_begin) * heads;
  const int64_t strips = (rows + kStripRows - 1) / kStripRows;
  const int64_t stride = (shape.value_columns + 15) / 16 * 16;
  const int64_t first_position = slice.first_position + row_begin;
  const int64_t last_position = slice.first_position + row_end - 1;
  float* queries = scratch + plan.queries;
  float* sums = scratch + plan.sums;
  float* maximum = scratch + plan.maximum;
  float* total = scratch + plan.total;
  float* key_tile = scratch + plan.key_tile;
  float* value_tile = scratch + plan.value_tile;
  float* scales = scratch + plan.scales;
  auto* half_tile = reinterpret_cast<uint16_t*>(scratch + plan.half_tile);
  const bool halves = kTransposesHalves && shape.key_dtype == DType::f16 && shape.key_columns % 16 == 0;
  const bool direct = strips == 1 && shape.value_columns % 16 == 0;  // each value is used once

  const float factor = shape.scale * 0x1.715476p+0F;  // log2 e: weights are powers of two
  for (int64_t row = 0; row < rows; row++) {
    const float* from = slice.queries + (row_begin + row / heads) * shape.query_stride +
                        (head_begin + row % heads) * shape.key_columns;
    float* to = queries + row / kStripRows * kStripRows * shape.key_columns + row % kStripRows;
    for (int64_t c = 0; c < shape.key_columns; c++) to[c * kStripRows] = from[c] * factor;
  }
  for (int64_t i = 0; i < strips * 16; i++) {
    maximum[i] = -__builtin_inff();
    total[i] = 0;
  }

  TileRows next_keys;
  TileRows next_values;
  auto find = [&](int64_t tile) {
    const int64_t tokens = last_position + 1 - tile;
    next_keys = find_tile(keys, slice, shape.block_tokens, tile, tokens);
    next_values = find_tile(values, slice, shape.block_tokens, tile, tokens);
  };
  find(0);
  for (int64_t tile = 0; tile <= last_position; tile += kTileTokens) {
    const TileRows tile_keys = next_keys;
    const TileRows tile_values = next_values;
    if (tile + kTileTokens <= last_position) find(tile + kTileTokens);
    if (halves) {
      transpose_half_keys(tile_keys, shape.key_columns, half_tile);
      if (strips > 1) convert_half_keys(half_tile, shape.key_columns, key_tile);
    } else {
      load_key_tile(shape.key_dtype, tile_keys, shape.key_columns, scales, key_tile);
    }
    if (!direct) {
      const int64_t seen = last_position + 1 - tile;  // by the last row
      with_stored_values(
          shape.value_dtype, tile_values, next_values, shape.value_columns, scales, [&](const auto& source) {
            convert_values(source, seen < kTileTokens ? seen : kTileTokens, shape.value_columns, value_tile);
          });
    }
    if (strips > 1) {
      ask_for_tile(next_keys, shape.key_columns / 16 * bytes_of_16(shape.key_dtype));
      ask_for_tile(next_values, shape.value_columns / 16 * bytes_of_16(shape.value_dtype));
    }
    const int64_t first_row = tile > first_position ? (tile - first_position) * heads : 0;
    for (int64_t strip = first_row / kStripRows; strip < strips; strip++) {
      const int64_t base = strip * kStripRows;
      const int64_t count = rows - base < kStripRows ? rows - base : kStripRows;
      alignas(64) float scores[kStripRows * kTileTokens];
      alignas(64) float corrections[16];
      int64_t limits[kStripRows];
      for (int64_t r = 0; r < count; r++) {
        const int64_t limit = first_position + (base + r) / heads + 1 - tile;
        limits[r] = limit < kTileTokens ? limit : kTileTokens;
      }
      const float* strip_queries = queries + base * shape.key_columns;
      if (halves && strips == 1) {
        score_rows(count, strip_queries, HalfKeysOnce{half_tile, next_keys.rows[0]}, shape.key_columns,
                   scores);
      } else if (strips == 1) {
        const ConvertedKeysOnce source{{key_tile}, next_keys.rows[0], 2 * bytes_of_16(shape.key_dtype)};
        score_rows(count, strip_queries, source, shape.key_columns, scores);
      } else {
        score_rows(count, strip_queries, ConvertedKeys{key_tile}, shape.key_columns, scores);
      }
      weigh_strip(scores, count, limits, maximum + strip * 16, total + strip * 16, corrections);
      auto sum_values = [&](const auto& source) {
        for (int64_t r = 0; r < count;) {  // rows that see equally many tokens go together
          int64_t end = r + 1;
          while (end < count && limits[end] == limits[r]) end++;
          if (limits[r] > 0) {
            sum_rows(end - r, scores + r * kTileTokens, source, stride, limits[r], corrections + r, tile == 0,
                     sums + (base + r) * stride);
          }
          r = end;
        }
      };
      if (direct) {
        with_stored_values(shape.value_dtype, tile_values, next_values, shape.value_columns, scales,
                           sum_values);
      } else {
        sum_values(ConvertedValues{value_tile, stride});
      }
    }
  }

  for (int64_t row = 0; row < rows; row++) {
    const F32x16 inverse = broadcast(1.0F / total[row / kStripRows * 16 + row % kStripRows]);
    float* to = slice.output + (row_begin + row / heads) * shape.output_stride +
                (head_begin + row % heads) * shape.value_columns;
    for_each_vector(shape.value_columns, [&](int64_t at, int n) {
      store_up_to(to + at, load(sums + row * stride + at) * inverse, n);
    });
  }
}

inline void attention_body(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin,
                           int64_t row_end, int64_t head_begin, int64_t head_end, std::byte* scratch) {
  const int64_t group = shape.heads / shape.key_value_heads;
  const AttentionScratch plan = plan_attention_scratch(shape);
  for (int64_t head = head_begin; head < head_end;) {
    const int64_t shared = head / group;  // the key/value head
    const int64_t group_end = (shared + 1) * group;
    const int64_t end = group_end < head_end ? group_end : head_end;
    const auto index = static_cast<size_t>(shared);
    const Plane keys = {shape.keys + index * shape.key_head_bytes, shape.key_block_bytes,
                        shape.key_token_bytes};
    const Plane values = {shape.values + index * shape.value_head_bytes, shape.value_block_bytes,
                          shape.value_token_bytes};
    const int64_t positions = kPassRows / (end - head) > 0 ? kPassRows / (end - head) : 1;
    for (int64_t row = row_begin; row < row_end; row += positions) {
      const int64_t row_stop = row + positions < row_end ? row + positions : row_end;
      attention_pass(shape, slice, keys, values, row, row_stop, head, end, plan,
                     reinterpret_cast<float*>(scratch));
    }
    head = end;
  }
}

}  // namespace
}  // namespace r1::kernels
