// Attention over a paged cache. Included after lanes_*.h, tile_*.h and exp.inc.h.
//
// A pass takes up to kPassRows query rows that share a key/value head (positions outside, heads inside) and
// goes over the keys once, in tiles of 32 tokens: keys transposed, so that a lane is a token, values as they
// lie, so that a lane is a column. Query rows are worked on in strips that fill the registers. f32 and f16
// rows are worked on in float32 (attention_floats.inc.h), quantised ones in integers
// (attention_quantised.inc.h).
//
// The order of sums of one query row, whatever is computed beside it, for each segment of kSegmentTokens
// positions by itself:
//   score[t] = one fused chain over ascending columns, of (query · scale · log2 e) and key
//   m'       = max(m, scores of the tile),   c = 2^(m - m'),   p[t] = 2^(score[t] - m')
//   total    = fma(total, c, Σp)             Σp: tokens t and t + 16 first, then as reduce_add
//   sums[i]  = fma(sums[i], c, s[i])         s[i] = one fused chain over ascending t of p[t], value[t][i]
// then over segments in ascending order (a: those before, b: the next), and at last:
//   m = max(m_a, m_b),   a = 2^(m_a - m),   b = 2^(m_b - m),   total = total_a · a + total_b · b
//   sums[i] = fma(sums_a[i], a, sums_b[i] · b)
//   output  = sums · (1 / total)
// Tokens after the row's position take no part: their lanes get score -∞, and the chain of s ends before. Tokens
// before a sliding window get score -∞ too; tiles and segments without a token of the row leave its state alone.
// (Online softmax: Milakov and Gimelshein, 2018; tiles: Dao et al., FlashAttention, 2022; segments on several
// processors: Dao et al., Flash-Decoding, 2023.)

namespace r1::kernels {
namespace {

/// Worked on in integers: attention_quantised.inc.h.
constexpr bool is_integer(DType dtype) {
  return dtype == DType::q8_0 || dtype == DType::q4_0;
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

}  // namespace
}  // namespace r1::kernels

#include "kernels/cpu/attention_floats.inc.h"
#include "kernels/cpu/attention_quantised.inc.h"
// after both
#include "kernels/cpu/attention_strips.inc.h"

namespace r1::kernels {
namespace {

/// The running softmax of a pass' rows.
struct SoftmaxState {
  float* sums;     // [row][value columns, padded to 16]
  float* maximum;  // [strip][16]
  float* total;    // [strip][16]
};

struct MergeFactors {
  float first, second;
};

/// The maximum and total of two sets of tokens together, into the first; the factors of their sums.
inline MergeFactors merge_totals(float& maximum, float& total, float more_maximum, float more_total) {
  const float highest = maximum > more_maximum ? maximum : more_maximum;
  alignas(64) float exponents[16] = {maximum - highest, more_maximum - highest};
  store(exponents, exp2_of_negative(load(exponents)));
  maximum = highest;
  alignas(64) float totals[16] = {total, more_total};
  const F32x16 scaled = load(totals) * load(exponents);
  store(totals, scaled);
  total = totals[0] + totals[1];
  return {exponents[0], exponents[1]};
}

/// Below every score: the maximum of a row that has seen no key yet. (Not -∞, whose differences are NaN.)
constexpr float kNoScore = -1e30F;

/// The softmax step of one strip: scores become weights in place. Row r sees the tokens from skips[r] (a window's
/// begin) up to limits[r] of this tile; rows with none keep their state. tops[r], where wanted: the row's largest weight of the tile, NaN if
/// one is NaN.
inline void weigh_strip(float* scores, int64_t rows, const int64_t* skips, const int64_t* limits,
                        float* maximum, float* total, float* corrections, float* tops) {
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
    if (skips[r] > 0) {
      const F32x16 skip = broadcast(static_cast<float>(skips[r]));
      low = select_less(lane, skip, broadcast(-kInfinity), low);
      high = select_less(lane + broadcast(16.0F), skip, broadcast(-kInfinity), high);
    }
    const float tile_highest = reduce_max(max(low, high));
    if (tile_highest > highest[r]) highest[r] = tile_highest;
    const F32x16 top = broadcast(highest[r]);
    low = exp2_of_negative(low - top);
    high = exp2_of_negative(high - top);
    store(row, low);
    store(row + 16, high);
    added[r] = reduce_add(low + high);
    if (tops != nullptr) tops[r] = reduce_max(max(low, high)) + (added[r] - added[r]);
  }
  const F32x16 correction = exp2_of_negative(load(maximum) - load(highest));
  store(corrections, correction);
  store(total, fma(load(total), correction, load(added)));
  store(maximum, load(highest));
}

/// Positions [row_begin, row_end) of the slice, heads [head_begin, head_end) of one key/value head.
struct Pass {
  const AttentionShape& shape;
  const AttentionSlice& slice;
  Plane keys, values;
  int64_t row_begin, row_end, head_begin, head_end;
  const AttentionScratch& plan;
  float* scratch;

  int64_t heads() const { return head_end - head_begin; }
  int64_t rows() const { return (row_end - row_begin) * heads(); }
  int64_t strips() const { return (rows() + kStripRows - 1) / kStripRows; }
  int64_t sum_stride() const { return (shape.value_columns + 15) / 16 * 16; }
  int64_t first_position() const { return slice.first_position + row_begin; }
  int64_t last_position() const { return slice.first_position + row_end - 1; }
  /// The first position that the row at `position` sees.
  int64_t first_seen(int64_t position) const {
    return shape.window > 0 && position >= shape.window ? position - shape.window + 1 : 0;
  }
  /// The same before any key.
  SoftmaxState state(bool second) const {
    return {scratch + (second ? plan.more_sums : plan.sums),
            scratch + (second ? plan.more_maximum : plan.maximum),
            scratch + (second ? plan.more_total : plan.total)};
  }
};

inline void pack_queries(const Pass& pass) {
  const AttentionShape& shape = pass.shape;
  const int64_t heads = pass.heads();
  const float factor = shape.scale * 0x1.715476p+0F;  // log2 e: weights are powers of two
  float* queries = pass.scratch + pass.plan.queries;
  float* scales = pass.scratch + pass.plan.query_scales;
  for (int64_t row = 0; row < pass.rows(); row++) {
    const float* from = pass.slice.queries + (pass.row_begin + row / heads) * shape.query_stride +
                        (pass.head_begin + row % heads) * shape.key_columns;
    const int64_t base = row / kStripRows * kStripRows;
    if (is_integer(shape.key_dtype)) {
      auto* pairs = reinterpret_cast<int32_t*>(queries);
      quantise_query(from, factor, shape.key_dtype, shape.key_columns,
                     pairs + base * (shape.key_columns / 2) + row % kStripRows,
                     scales + base * (shape.key_columns / 32) + row % kStripRows);
      continue;
    }
    float* to = queries + base * shape.key_columns + row % kStripRows;
    for (int64_t c = 0; c < shape.key_columns; c++) to[c * kStripRows] = from[c] * factor;
  }
}

/// The keys and values of one tile as a pass uses them.
struct LoadedTile {
  TileRows keys, values, next_keys, next_values;
  bool halves;  // f16 keys wait transposed, as they are
  bool direct;  // values are converted where they are used
};

inline void load_tile(const Pass& pass, int64_t tile, const LoadedTile& loaded) {
  const AttentionShape& shape = pass.shape;
  float* scratch = pass.scratch;
  float* key_tile = scratch + pass.plan.key_tile;
  const bool many = pass.strips() > 1;
  if (loaded.halves) {
    auto* half_tile = reinterpret_cast<uint16_t*>(scratch + pass.plan.half_tile);
    transpose_half_keys(loaded.keys, shape.key_columns, half_tile);
    if (many) convert_half_keys(half_tile, shape.key_columns, key_tile);
  } else if (is_integer(shape.key_dtype)) {
    load_key_pair_tile(shape.key_dtype, loaded.keys, shape.key_columns, scratch + pass.plan.key_scales,
                       reinterpret_cast<int32_t*>(key_tile));
  } else {
    load_key_tile(shape.key_dtype, loaded.keys, shape.key_columns, key_tile);
  }
  if (is_integer(shape.value_dtype)) {
    gather_value_scales(shape.value_dtype, loaded.values, shape.value_columns,
                        scratch + pass.plan.value_scales);
  }
  if (!loaded.direct) {
    float* value_tile = scratch + pass.plan.value_tile;
    const int64_t left = pass.last_position() + 1 - tile;  // seen by the last row
    const int64_t seen = left < kTileTokens ? left : kTileTokens;
    if (is_integer(shape.value_dtype)) {
      with_value_pairs(shape.value_dtype, loaded.values, loaded.next_values, [&](const auto& source) {
        auto* pairs = reinterpret_cast<int32_t*>(value_tile);
        for (int64_t t = 0; t < 16; t++) {
          for (int64_t c = 0; c < shape.value_columns; c += 16)
            store(pairs + t * shape.value_columns + c, source.at(t, c));
        }
      });
    } else {
      with_stored_values(shape.value_dtype, loaded.values, loaded.next_values, [&](const auto& source) {
        convert_values(source, seen, shape.value_columns, value_tile);
      });
    }
  }
  if (many) {
    ask_for_tile(loaded.next_keys, shape.key_columns / 16 * bytes_of_16(shape.key_dtype));
    ask_for_tile(loaded.next_values, shape.value_columns / 16 * bytes_of_16(shape.value_dtype));
  }
}

/// scores[row][token] of the `count` rows of a strip.
inline void score_tile(const Pass& pass, const LoadedTile& loaded, int64_t base, int64_t count,
                       float* scores) {
  const AttentionShape& shape = pass.shape;
  const int64_t columns = shape.key_columns;
  const float* queries = pass.scratch + pass.plan.queries;
  const float* key_tile = pass.scratch + pass.plan.key_tile;
  const bool once = pass.strips() == 1;
  if (is_integer(shape.key_dtype)) {
    const IntegerScores in = {reinterpret_cast<const int32_t*>(queries) + base * (columns / 2),
                              pass.scratch + pass.plan.query_scales + base * (columns / 32),
                              reinterpret_cast<const int32_t*>(key_tile),
                              pass.scratch + pass.plan.key_scales,
                              once ? loaded.next_keys.rows[0] : nullptr,
                              4 * bytes_of_16(shape.key_dtype)};
    return score_rows(count, in, columns, scores);
  }
  queries += base * columns;
  if (loaded.halves && once) {
    const auto* half_tile = reinterpret_cast<const uint16_t*>(pass.scratch + pass.plan.half_tile);
    score_rows(count, queries, HalfKeysOnce{half_tile, loaded.next_keys.rows[0]}, columns, scores);
  } else if (once) {
    const ConvertedKeysOnce source{{key_tile}, loaded.next_keys.rows[0], 2 * bytes_of_16(shape.key_dtype)};
    score_rows(count, queries, source, columns, scores);
  } else {
    score_rows(count, queries, ConvertedKeys{key_tile}, columns, scores);
  }
}

/// Adds the weighted values of `count` rows that all see `limit` tokens of the tile.
inline void sum_tile(const Pass& pass, const LoadedTile& loaded, const float* weights, const float* tops,
                     int64_t count, int64_t limit, const float* corrections, bool first_tile, float* sums) {
  const AttentionShape& shape = pass.shape;
  const float* value_tile = pass.scratch + pass.plan.value_tile;
  if (is_integer(shape.value_dtype)) {
    const int64_t columns = shape.value_columns;
    const IntegerWeights integers = {reinterpret_cast<int32_t*>(pass.scratch + pass.plan.weights),
                                     pass.scratch + pass.plan.steps, columns / 32};
    quantise_weights(weights, tops, count, limit, pass.scratch + pass.plan.value_scales, integers);
    const int64_t pairs = limit < 16 ? limit : 16;
    const auto sum = [&](const auto& source) {
      sum_rows(count, integers, source, columns, pairs, corrections, first_tile, sums);
    };
    if (loaded.direct) return with_value_pairs(shape.value_dtype, loaded.values, loaded.next_values, sum);
    return sum(ConvertedValuePairs{reinterpret_cast<const int32_t*>(value_tile), columns});
  }
  const auto sum = [&](const auto& source) {
    sum_rows(count, weights, source, pass.sum_stride(), limit, corrections, first_tile, sums);
  };
  if (loaded.direct) return with_stored_values(shape.value_dtype, loaded.values, loaded.next_values, sum);
  sum(ConvertedValues{value_tile, pass.sum_stride()});
}

/// Rows' softmax over the keys of one segment of kSegmentTokens tokens.
inline void attend_segment(const Pass& pass, int64_t segment, const SoftmaxState& state) {
  const AttentionShape& shape = pass.shape;
  const int64_t heads = pass.heads(), rows = pass.rows(), strips = pass.strips();
  const int64_t first_position = pass.first_position();
  const int64_t last_position = pass.last_position();
  const int64_t begin = segment * kSegmentTokens;
  const int64_t end = begin + kSegmentTokens;
  LoadedTile loaded;
  loaded.halves = kTransposesHalves && shape.key_dtype == DType::f16 && shape.key_columns % 16 == 0;
  loaded.direct = strips == 1 && shape.value_columns % 16 == 0;  // each value is used once
  const auto find = [&](int64_t tile) {
    const int64_t tokens = last_position + 1 - tile;
    loaded.next_keys = find_tile(pass.keys, pass.slice, shape.block_tokens, tile, tokens);
    loaded.next_values = find_tile(pass.values, pass.slice, shape.block_tokens, tile, tokens);
  };
  for (int64_t i = 0; i < strips * 16; i++) {
    state.maximum[i] = shape.window > 0 ? kNoScore : -__builtin_inff();
    state.total[i] = 0;
  }
  // With a window a row's first tile need not be the segment's: the sums begin with zeros.
  if (shape.window > 0) {
    for_each_vector(rows * pass.sum_stride(),
                    [&](int64_t at, int n) { store_up_to(state.sums + at, broadcast(0.0F), n); });
  }
  const int64_t seen = pass.first_seen(first_position) / kTileTokens * kTileTokens;  // by the first row
  const int64_t first_tile = seen > begin ? seen : begin;
  if (first_tile >= end || first_tile > last_position) return;
  find(first_tile);
  for (int64_t tile = first_tile; tile < end && tile <= last_position; tile += kTileTokens) {
    loaded.keys = loaded.next_keys;
    loaded.values = loaded.next_values;
    if (tile + kTileTokens <= last_position) find(tile + kTileTokens);
    load_tile(pass, tile, loaded);
    const int64_t first_row = tile > first_position ? (tile - first_position) * heads : 0;
    for (int64_t strip = first_row / kStripRows; strip < strips; strip++) {
      const int64_t base = strip * kStripRows;
      const int64_t count = rows - base < kStripRows ? rows - base : kStripRows;
      alignas(64) float scores[kStripRows * kTileTokens];
      alignas(64) float corrections[16];
      alignas(64) float tops[16];
      int64_t skips[kStripRows];
      int64_t limits[kStripRows];
      for (int64_t r = 0; r < count; r++) {
        const int64_t position = first_position + (base + r) / heads;
        const int64_t limit = position + 1 - tile;
        limits[r] = limit < kTileTokens ? limit : kTileTokens;
        skips[r] = pass.first_seen(position) - tile;
        if (skips[r] >= limits[r]) limits[r] = 0;
      }
      score_tile(pass, loaded, base, count, scores);
      weigh_strip(scores, count, skips, limits, state.maximum + strip * 16, state.total + strip * 16,
                  corrections, is_integer(shape.value_dtype) ? tops : nullptr);
      for (int64_t r = 0; r < count;) {  // rows that see equally many tokens go together
        int64_t stop = r + 1;
        while (stop < count && limits[stop] == limits[r]) stop++;
        if (limits[r] > 0) {
          sum_tile(pass, loaded, scores + r * kTileTokens, tops + r, stop - r, limits[r], corrections + r,
                   tile == begin && shape.window == 0, state.sums + (base + r) * pass.sum_stride());
        }
        r = stop;
      }
    }
  }
}

/// The sums of two states, with the factors of merge_totals.
inline void merge_sums(float* sums, const float* more, float factor, float more_factor, int64_t columns) {
  const F32x16 a = broadcast(factor);
  const F32x16 b = broadcast(more_factor);
  for_each_vector(columns, [&](int64_t at, int n) {
    store_up_to(sums + at, fma(load_up_to(sums + at, n), a, load_up_to(more + at, n) * b), n);
  });
}

/// Adds the state of the segment that begins at position `begin`, for the rows that see it.
inline void merge_segment(const Pass& pass, int64_t begin, const SoftmaxState& state,
                          const SoftmaxState& more) {
  const int64_t first_row =
      begin > pass.first_position() ? (begin - pass.first_position()) * pass.heads() : 0;
  for (int64_t row = first_row; row < pass.rows(); row++) {
    const int64_t at = row / kStripRows * 16 + row % kStripRows;
    const MergeFactors factors =
        merge_totals(state.maximum[at], state.total[at], more.maximum[at], more.total[at]);
    merge_sums(state.sums + row * pass.sum_stride(), more.sums + row * pass.sum_stride(), factors.first,
               factors.second, pass.sum_stride());
  }
}

inline void write_outputs(const Pass& pass, const SoftmaxState& state) {
  const AttentionShape& shape = pass.shape;
  for (int64_t row = 0; row < pass.rows(); row++) {
    const F32x16 inverse = broadcast(1.0F / state.total[row / kStripRows * 16 + row % kStripRows]);
    float* to = pass.slice.output + (pass.row_begin + row / pass.heads()) * shape.output_stride +
                (pass.head_begin + row % pass.heads()) * shape.value_columns;
    for_each_vector(shape.value_columns, [&](int64_t at, int n) {
      store_up_to(to + at, load(state.sums + row * pass.sum_stride() + at) * inverse, n);
    });
  }
}

/// Calls body(pass) for pieces of [row_begin, row_end) × [head_begin, head_end) of one key/value head each.
template <typename Body>
inline void for_each_pass(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin,
                          int64_t row_end, int64_t head_begin, int64_t head_end, std::byte* scratch,
                          const Body& body) {
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
      const int64_t stop = row + positions < row_end ? row + positions : row_end;
      body(Pass{shape, slice, keys, values, row, stop, head, end, plan, reinterpret_cast<float*>(scratch)});
    }
    head = end;
  }
}

inline void attention_body(const AttentionShape& shape, const AttentionSlice& slice, int64_t row_begin,
                           int64_t row_end, int64_t head_begin, int64_t head_end, std::byte* scratch) {
  refuse_other_types(shape);
  for_each_pass(shape, slice, row_begin, row_end, head_begin, head_end, scratch, [](const Pass& pass) {
    pack_queries(pass);
    const SoftmaxState state = pass.state(false);
    const SoftmaxState more = pass.state(true);
    const int64_t first = pass.first_seen(pass.first_position()) / kSegmentTokens;
    attend_segment(pass, first, state);
    for (int64_t segment = first + 1; segment * kSegmentTokens <= pass.last_position(); segment++) {
      attend_segment(pass, segment, more);
      merge_segment(pass, segment * kSegmentTokens, state, more);
    }
    write_outputs(pass, state);
  });
}

inline void attention_segment_body(const AttentionShape& shape, const AttentionSlice& slice,
                                   int64_t row_begin, int64_t row_end, int64_t head_begin, int64_t head_end,
                                   int64_t segment, int64_t segments, float* partial, std::byte* scratch) {
  refuse_other_types(shape);
  const int64_t floats = attention_partial_floats(shape);
  for_each_pass(shape, slice, row_begin, row_end, head_begin, head_end, scratch, [&](const Pass& pass) {
    pack_queries(pass);
    const SoftmaxState state = pass.state(false);
    attend_segment(pass, segment, state);
    const int64_t begin = segment * kSegmentTokens;
    for (int64_t row = 0; row < pass.rows(); row++) {
      const int64_t position = pass.row_begin + row / pass.heads();
      if (slice.first_position + position < begin) continue;
      const int64_t head = pass.head_begin + row % pass.heads();
      float* to = partial + ((position * shape.heads + head) * segments + segment) * floats;
      const int64_t at = row / kStripRows * 16 + row % kStripRows;
      to[0] = state.maximum[at];
      to[1] = state.total[at];
      __builtin_memcpy(to + 2, state.sums + row * pass.sum_stride(),
                       static_cast<size_t>(pass.sum_stride()) * sizeof(float));
    }
  });
}

inline void merge_attention_body(const AttentionShape& shape, const AttentionSlice& slice, int64_t row,
                                 int64_t head, int64_t segments, float* partial) {
  const int64_t floats = attention_partial_floats(shape);
  const int64_t columns = (shape.value_columns + 15) / 16 * 16;
  float* state = partial + (row * shape.heads + head) * segments * floats;
  const int64_t seen = (slice.first_position + row) / kSegmentTokens + 1;
  for (int64_t segment = 1; segment < seen; segment++) {
    const float* more = state + segment * floats;
    const MergeFactors factors = merge_totals(state[0], state[1], more[0], more[1]);
    merge_sums(state + 2, more + 2, factors.first, factors.second, columns);
  }
  const F32x16 inverse = broadcast(1.0F / state[1]);
  float* to = slice.output + row * shape.output_stride + head * shape.value_columns;
  for_each_vector(shape.value_columns,
                  [&](int64_t at, int n) { store_up_to(to + at, load(state + 2 + at) * inverse, n); });
}

inline void enter_attention_kernels(KernelTable& table) {
  table.attention = attention_body;
  table.attention_segment = attention_segment_body;
  table.merge_attention = merge_attention_body;
}

}  // namespace
}  // namespace r1::kernels
