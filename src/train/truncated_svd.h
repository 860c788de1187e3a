// The largest singular values of a matrix and their vectors.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/context.h"

namespace r1 {

/// M ≈ Σ values[i] · left[i] right[i]ᵀ, values descending.
struct TruncatedSvd {
  std::vector<double> values;  // [rank]
  std::vector<float> left;     // [rank, rows]
  std::vector<float> right;    // [rank, columns]
};

/// By subspace iteration from a random start (Halko, Martinsson, Tropp: Finding structure with randomness,
/// 2011, algorithms 4.4 and 5.1), `rank` and eight more directions. A function of matrix, rank and seed
/// alone: the same bits on any number of threads. matrix: [rows, columns]; rank at most the smaller side.
TruncatedSvd truncated_svd(Context& context, const float* matrix, int64_t rows, int64_t columns, int64_t rank,
                           uint64_t seed);

}  // namespace r1
