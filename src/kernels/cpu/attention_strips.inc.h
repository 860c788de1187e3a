// Strips of query rows over one tile of tokens, by floats or by integers: kernels/cpu/attention_floats.inc.h
// and attention_quantised.inc.h have their register blocks. Included by attention.inc.h after both.
#pragma once

namespace r1::kernels {
namespace {

/// sums[row][column] of kRows rows after one tile: what value_block does, over all `columns`.
template <int kRows, typename Weights, typename Values>
void value_strip(const Weights& weights, const Values& values, int64_t columns, int64_t tokens,
                 const float* corrections, bool first_tile, float* sums) {
  constexpr int kVectors = value_vectors(kRows);
  int64_t column = 0;
  for (; column + 16 * kVectors <= columns; column += 16 * kVectors) {
    value_block<kRows, kVectors>(weights, values, column, columns, tokens, corrections, first_tile, sums);
  }
  for (; column < columns; column += 16) {
    value_block<kRows, 1>(weights, values, column, columns, tokens, corrections, first_tile, sums);
  }
}

/// score_strip and value_strip for `rows` (1 … kStripRows) rows: calls the instance.
template <int kRows = kStripRows, typename... Arguments>
inline void score_rows(int64_t rows, const Arguments&... arguments) {
  if (rows == kRows) return score_strip<kRows>(arguments...);
  if constexpr (kRows > 1) score_rows<kRows - 1>(rows, arguments...);
}
template <int kRows = kStripRows, typename... Arguments>
inline void sum_rows(int64_t rows, const Arguments&... arguments) {
  if (rows == kRows) return value_strip<kRows>(arguments...);
  if constexpr (kRows > 1) sum_rows<kRows - 1>(rows, arguments...);
}

}  // namespace
}  // namespace r1::kernels
