// The product of two strided matrices, as kernels and backends take it.
#pragma once

#include <cstdint>

namespace r1 {

/// C = A · B, or C += A · B, in float32. A(i, k) = a[i · a_row + k · a_depth], B(k, j) = b[k · b_depth +
/// j · b_column], C(i, j) = c[i · c_row + j]; one stride of A and one of B is 1. Memory is not owned. `Stored`: a
/// matrix in its stored form.
template <typename Stored>
struct StridedProduct {
  const float* a = nullptr;
  int64_t a_row = 0, a_depth = 1;
  const float* b = nullptr;
  int64_t b_depth = 0, b_column = 1;
  float* c = nullptr;
  int64_t c_row = 0;
  int64_t depth = 0;  // k
  bool accumulate = false;
  /// B in its stored form instead of b: row first_weight_row + k is B's row k, or (transposed) row
  /// first_weight_row + j is B's column j.
  const Stored* weights = nullptr;
  int64_t first_weight_row = 0;
  bool transposed = false;
};

}  // namespace r1
