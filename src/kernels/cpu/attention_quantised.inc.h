// Attention over q8_0 and q4_0 rows, in integers: what attention.inc.h does where keys or values are
// quantised. Included by it, after pairs.inc.h.
//
// The queries and the weights of a tile's tokens are rounded to 16 bits (values up to 32767), so that two
// products go into one instruction and no stored value is converted to float32. Integer sums have no order.
// For one query row, over blocks of 32 columns (the blocks of the cache) in ascending order:
//   score[t] = fma(Σ q · key[t] · key scale[t], query scale, score[t])
//              q: query · scale · log2 e, in steps of its largest magnitude / 32767
//   s[i]     = Σ w[t] · value[t][i] · step
//              w: p[t] · value scale[t], in steps of 2^(tile's highest score - m') · max |value scale| / 32767
// The products before `key scale`, and of the sum and `step`, are rounded once each. Rounding moves a score
// by about 2^-17 of the query's largest terms, a hundredth of what storing the keys in 8 bits did.

namespace r1::kernels {
namespace {

constexpr float kIntegerSteps = 32767;
constexpr float kLeastScale = 0x1p-100F;  // of a block: below it all is zero

/// 16 stored integers of a row from `column` (a multiple of 16) on.
template <DType kType>
inline I32x16 decode_integers(const std::byte* row, int64_t column) {
  if constexpr (kType == DType::q8_0) {
    return load_i8(reinterpret_cast<const int8_t*>(row + column / 32 * 34 + 2 + column % 32));
  } else {
    static_assert(kType == DType::q4_0);
    const I32x16 bytes = load_u8(reinterpret_cast<const uint8_t*>(row + column / 32 * 18 + 2));
    const I32x16 nibbles = column % 32 == 0 ? bytes & broadcast(int32_t{15}) : shift_right<4>(bytes);
    return nibbles - broadcast(int32_t{8});
  }
}

/// The 32 integers of a key's block in pairs of columns: 2 i and 2 i + 1 of q8_0, i and i + 16 of q4_0.
template <DType kType>
inline I32x16 load_key_pairs(const std::byte* row, int64_t column) {
  if constexpr (kType == DType::q8_0) {
    return load_pairs(reinterpret_cast<const int8_t*>(row + column / 32 * 34 + 2));
  } else {
    return pair_lanes(decode_integers<kType>(row, column), decode_integers<kType>(row, column + 16));
  }
}

inline void store_pair(int32_t* to, int32_t low, int32_t high) {
  *to = static_cast<int32_t>((static_cast<uint32_t>(low) & 0xffffU) | static_cast<uint32_t>(high) << 16U);
}

/// One query row in integers: pairs[pair of columns][kStripRows], scales[block][kStripRows]. A block with a
/// value that is not finite gets scale NaN, which reaches the scores.
inline void quantise_query(const float* query, float factor, DType key_dtype, int64_t columns, int32_t* pairs,
                           float* scales) {
  for (int64_t block = 0; block < columns / 32; block++) {
    const F32x16 low = load(query + 32 * block) * broadcast(factor);
    const F32x16 high = load(query + 32 * block + 16) * broadcast(factor);
    const float finite = reduce_add(low * broadcast(0.0F) + high * broadcast(0.0F));  // 0 or NaN
    const float largest = finite == 0 ? reduce_max(max(abs(low), abs(high))) : 0.0F;
    scales[block * kStripRows] = largest > kLeastScale ? largest * (1 / kIntegerSteps) : finite;
    alignas(64) int32_t steps[32] = {};
    if (largest > kLeastScale) {
      const F32x16 inverse = broadcast(kIntegerSteps / largest);
      store(steps, round_to_int(low * inverse));
      store(steps + 16, round_to_int(high * inverse));
    }
    for (int64_t pair = 0; pair < 16; pair++) {
      int32_t* to = pairs + (block * 16 + pair) * kStripRows;
      if (key_dtype == DType::q8_0) {
        store_pair(to, steps[2 * pair], steps[2 * pair + 1]);
      } else {
        store_pair(to, steps[pair], steps[pair + 16]);
      }
    }
  }
}

/// The scales of quantised rows: scales[block of 32 columns][token].
template <DType kType>
inline void gather_scales(const TileRows& tile, int64_t columns, float* scales) {
  // Some blocks at once: a vector that is loaded right after its halves were stored one by one waits for
  // them.
  constexpr int64_t kBlocks = 4;
  alignas(64) uint16_t halves[kBlocks * kTileTokens] = {};
  for (int64_t first = 0; first < columns / 32; first += kBlocks) {
    const int64_t count = columns / 32 - first < kBlocks ? columns / 32 - first : kBlocks;
    for (int64_t block = 0; block < count; block++) {
      const int64_t offset = (first + block) * 2 * bytes_of_16(kType);
      for (int64_t t = 0; t < kTileTokens; t++)
        __builtin_memcpy(&halves[block * kTileTokens + t], tile.rows[t] + offset, 2);
    }
    for (int64_t i = 0; i < count * kTileTokens; i += 16)
      store(scales + first * kTileTokens + i, load_f16(halves + i));
  }
}

/// key_pairs[pair of columns][token] and their scales.
template <DType kType>
void transpose_key_pairs(const TileRows& tile, int64_t columns, float* scales, int32_t* key_pairs) {
  gather_scales<kType>(tile, columns, scales);
  for (int64_t column = 0; column < columns; column += 32) {
    int32_t* out = key_pairs + column / 2 * kTileTokens;
    for (int64_t half = 0; half < kTileTokens; half += 16) {
      F32x16 block[16];
      for (int t = 0; t < 16; t++) block[t] = as_float(load_key_pairs<kType>(tile.rows[half + t], column));
      transpose(block);
      for (int pair = 0; pair < 16; pair++) store(out + pair * kTileTokens + half, as_int(block[pair]));
    }
  }
}

inline void load_key_pair_tile(DType dtype, const TileRows& tile, int64_t columns, float* scales,
                               int32_t* key_pairs) {
  if (dtype == DType::q8_0) return transpose_key_pairs<DType::q8_0>(tile, columns, scales, key_pairs);
  return transpose_key_pairs<DType::q4_0>(tile, columns, scales, key_pairs);
}

/// A strip's queries, and a tile of keys for them.
struct IntegerScores {
  const int32_t* queries;     // [pair of columns][kStripRows]
  const float* query_scales;  // [block][kStripRows]
  const int32_t* keys;        // [pair of columns][token]
  const float* key_scales;    // [block][token]
  const std::byte* next;      // the next tile's keys, asked for on the way, or null
  int64_t next_bytes;         // of a pair of columns of all its tokens
};

/// scores[row][token] of kRows query rows.
template <int kRows>
void score_strip(const IntegerScores& in, int64_t columns, float* scores) {
  for (int64_t first = 0; first < kTileTokens; first += 16 * kScoreVectors) {
    for (int64_t block = 0; block < columns / 32; block++) {
      I32x16 sums[kRows][kScoreVectors];
#pragma GCC unroll 16
      for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
        for (int v = 0; v < kScoreVectors; v++) sums[r][v] = broadcast(int32_t{0});
      }
      for (int64_t pair = block * 16; pair < block * 16 + 16; pair++) {
        I32x16 key[kScoreVectors];
#pragma GCC unroll 2
        for (int v = 0; v < kScoreVectors; v++) key[v] = load(in.keys + pair * kTileTokens + first + 16 * v);
        if (first == 0 && in.next != nullptr) prefetch(in.next + pair * in.next_bytes);
        const int32_t* query = in.queries + pair * kStripRows;
#pragma GCC unroll 16
        for (int r = 0; r < kRows; r++) {
          const I32x16 factor = broadcast(query[r]);
#pragma GCC unroll 2
          for (int v = 0; v < kScoreVectors; v++) sums[r][v] = add_pairs(sums[r][v], factor, key[v]);
        }
      }
#pragma GCC unroll 2
      for (int v = 0; v < kScoreVectors; v++) {
        const F32x16 key_scale = load(in.key_scales + block * kTileTokens + first + 16 * v);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; r++) {
          float* score = scores + r * kTileTokens + first + 16 * v;
          const F32x16 before = block == 0 ? broadcast(0.0F) : load(score);
          store(score, fma(to_float(sums[r][v]) * key_scale,
                           broadcast(in.query_scales[block * kStripRows + r]), before));
        }
      }
    }
  }
}

/// Values for the products below, in pairs of tokens t and t + 16: for passes of one strip.
template <DType kType>
struct StoredValuePairs {
  const TileRows& rows;
  const TileRows& next;
  I32x16 at(int64_t token, int64_t column) const {
    return pair_lanes(decode_integers<kType>(rows.rows[token], column),
                      decode_integers<kType>(rows.rows[token + 16], column));
  }
  void ask_for_next(int64_t token, int64_t column) const {
    const int64_t offset = column / 16 * bytes_of_16(kType);
    prefetch(next.rows[token] + offset);
    prefetch(next.rows[token + 16] + offset);
  }
};

/// From a converted tile [token][column].
struct ConvertedValuePairs {
  const int32_t* tile;
  int64_t stride;
  I32x16 at(int64_t token, int64_t column) const { return load(tile + token * stride + column); }
  void ask_for_next(int64_t /*token*/, int64_t /*column*/) const {}
};

/// Calls body(StoredValuePairs) of the type.
template <typename Body>
inline void with_value_pairs(DType dtype, const TileRows& rows, const TileRows& next, const Body& body) {
  if (dtype == DType::q8_0) return body(StoredValuePairs<DType::q8_0>{rows, next});
  return body(StoredValuePairs<DType::q4_0>{rows, next});
}

inline void gather_value_scales(DType dtype, const TileRows& rows, int64_t columns, float* scales) {
  if (dtype == DType::q8_0) return gather_scales<DType::q8_0>(rows, columns, scales);
  return gather_scales<DType::q4_0>(rows, columns, scales);
}

/// The weights of a strip's rows for the integer sums.
struct IntegerWeights {
  int32_t* pairs;  // [row][block][16]: tokens t and t + 16
  float* steps;    // [row][block]
  int64_t blocks;
};

/// Weights of `rows` rows that all see `limit` tokens of the tile. weights[row][token], tops[row]: the
/// largest of them; scales[block][token].
inline void quantise_weights(const float* weights, const float* tops, int64_t rows, int64_t limit,
                             const float* scales, const IntegerWeights& out) {
  alignas(64) static constexpr float kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const F32x16 lane = load(kLane);
  const F32x16 seen = broadcast(static_cast<float>(limit));
  const F32x16 zero = broadcast(0.0F);
  for (int64_t block = 0; block < out.blocks; block++) {
    // Scales of tokens that are not seen may be anything.
    const F32x16 low = select_less(lane, seen, load(scales + block * kTileTokens), zero);
    const F32x16 high =
        select_less(lane + broadcast(16.0F), seen, load(scales + block * kTileTokens + 16), zero);
    const float finite = reduce_add(low * zero + high * zero);  // 0 or NaN
    const float most = finite == 0 ? reduce_max(max(abs(low), abs(high))) : finite;
    for (int64_t r = 0; r < rows; r++) {
      const float largest = tops[r] * most;
      const bool usable = largest > kLeastScale;  // not for NaN
      const F32x16 inverse = broadcast(usable ? kIntegerSteps / largest : 0.0F);
      int32_t* pairs = out.pairs + (r * out.blocks + block) * 16;
      out.steps[r * out.blocks + block] =
          usable ? largest * (1 / kIntegerSteps) : finite + (tops[r] - tops[r]);
      if (!usable) {
        store(pairs, broadcast(int32_t{0}));
        continue;
      }
      const F32x16 first = load(weights + r * kTileTokens) * low;
      const F32x16 second = load(weights + r * kTileTokens + 16) * high;
      store(pairs, pair_lanes(round_to_int(first * inverse), round_to_int(second * inverse)));
    }
  }
}

/// One register block of the weighted sum of values: kRows rows × kVectors vectors of columns, which are
/// whole blocks. `tokens`: pairs that any row sees.
template <int kRows, int kVectors, typename Values>
inline void value_block(const IntegerWeights& weights, const Values& values, int64_t column, int64_t stride,
                        int64_t tokens, const float* corrections, bool first_tile, float* sums) {
  if (kVectors > 1 && column % 32 != 0) __builtin_unreachable();  // so each vector is one half of a block
  I32x16 block[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) block[r][v] = broadcast(int32_t{0});
  }
  const int32_t* first_pair = weights.pairs + column / 32 * 16;
  for (int64_t t = 0; t < tokens; t++) {
    I32x16 row[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) row[v] = values.at(t, column + 16 * v);
    values.ask_for_next(t, column);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; v++) {
        const int32_t pair = first_pair[r * weights.blocks * 16 + v / 2 * 16 + t];
        block[r][v] = add_pairs(block[r][v], broadcast(pair), row[v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) {
    const F32x16 correction = broadcast(corrections[r]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; v++) {
      const F32x16 step = broadcast(weights.steps[r * weights.blocks + column / 32 + v / 2]);
      const F32x16 part = to_float(block[r][v]) * step;
      float* sum = sums + r * stride + column + 16 * v;
      store(sum, first_tile ? part : fma(load(sum), correction, part));
    }
  }
}

}  // namespace
}  // namespace r1::kernels
