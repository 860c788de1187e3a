// Attention over f32 and f16 rows: what attention.inc.h does in float32. Included by it.

namespace r1::kernels {
namespace {

/// 16 elements of a stored row from `column` (a multiple of 16) on.
template <DType kType>
inline F32x16 decode(const std::byte* row, int64_t column) {
  if constexpr (kType == DType::f32) {
    return load(reinterpret_cast<const float*>(row) + column);
  } else {
    static_assert(kType == DType::f16);
    return load_f16(reinterpret_cast<const uint16_t*>(row) + column);
  }
}

/// The last `count` (< 16) elements of a row.
template <DType kType>
inline F32x16 decode_end(const std::byte* row, int64_t column, int count) {
  if constexpr (kType == DType::f32) {
    return load_partial(reinterpret_cast<const float*>(row) + column, count);
  } else {
    uint16_t halves[16] = {};
    __builtin_memcpy(halves, row + 2 * column, 2 * static_cast<size_t>(count));
    return load_f16(halves);
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
  F32x16 at(int64_t token, int64_t column) const { return decode<kType>(rows.rows[token], column); }
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

inline void load_key_tile(DType dtype, const TileRows& tile, int64_t columns, float* key_tile) {
  if (dtype == DType::f32) return transpose_keys<DType::f32>(tile, columns, key_tile);
  transpose_keys<DType::f16>(tile, columns, key_tile);
}

/// Calls body(StoredValues) of the type.
template <typename Body>
inline void with_stored_values(DType dtype, const TileRows& rows, const TileRows& next, const Body& body) {
  if (dtype == DType::f32) return body(StoredValues<DType::f32>{rows, next});
  return body(StoredValues<DType::f16>{rows, next});
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
/// weights[row][token], `tokens` of them.
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

}  // namespace
}  // namespace r1::kernels
