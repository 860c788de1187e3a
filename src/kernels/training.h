// The compute kernels that only training needs: products of float32 matrices in any orientation, and the
// backward and update steps of single rows. Threads and scratch as in kernels.h; results are the same bits on
// every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/product.h"

namespace r1::kernels {

struct WeightMatrix;

/// Order of the sum over k: blocks of 32, each a chain of fused multiply-adds from zero in ascending order,
/// added to C in order (to zero first, unless accumulating): the bits of KernelTable::matmul_float. Stored weights
/// are decoded as they are packed; not transposed, pieces begin at multiples of kStoredColumns.
using Product = StridedProduct<WeightMatrix>;

/// The left side of integer_product: rows in block floating point, that is 16-bit integers with one float32
/// scale for each kRoundedBlock columns (Wilkinson, Rounding Errors in Algebraic Processes, 1963). In strips
/// of kRoundedStrip rows: pairs[strip][block][kRoundedBlock / 2][row], each word the integers of columns k
/// and k + 16; scales[strip][block][row].
struct RoundedRows {
  int32_t* pairs = nullptr;
  float* scales = nullptr;
};

/// One row of a softmax over the vocabulary with its loss.
struct SoftmaxRow {
  float log_sum = 0;  // log Σ exp(logit)
  float target_logit = 0;
};

/// AdamW (Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019) for one step. m and v are not
/// corrected for their start at zero; the corrections come in as factors.
struct AdamStep {
  float learning_rate = 0;
  float beta1 = 0.9F, beta2 = 0.999F;
  float epsilon = 1e-8F;
  float decay = 0;            // weights are multiplied by 1 - learning_rate · decay first
  float correction1 = 1;      // 1 / (1 - beta1^step)
  float correction2 = 1;      // 1 / (1 - beta2^step)
  float gradient_factor = 1;  // gradients are multiplied by this first (clipping)
};

struct TrainingKernels {
  /// Rows [row_begin, row_end) and columns [column_begin, column_end) of C. Any split gives the same bits;
  /// large pieces are faster, as each packs its parts of A and B. scratch: product_scratch_bytes().
  void (*product)(const Product& product, int64_t row_begin, int64_t row_end, int64_t column_begin,
                  int64_t column_end, std::byte* scratch);

  /// Rows [row_begin, row_end) of a matrix with `depth` columns for integer_product; row_begin is a multiple
  /// of kRoundedStrip, the last strip is filled up with zero rows. A block with a value that is not finite
  /// gets a scale of NaN, which reaches C.
  void (*round_rows)(const float* a, int64_t a_row, int64_t row_begin, int64_t row_end, int64_t depth,
                     const RoundedRows& out);
  /// C = A · B, or C += A · B, with A in `rounded` (product.a is not read) and the columns of B rounded in
  /// the same blocks as they are packed: to steps of the block's largest magnitude / 8191 in A, / 4095 in B,
  /// some 2^-12 of a block's size: finer than bfloat16's 2^-8 of each value for all but the smallest. For
  /// each block the exact sum of integers times the product of the scales, a chain of fused multiply-adds
  /// over ascending blocks. Pieces as for product; row_begin is a multiple of kRoundedStrip. scratch:
  /// integer_product_scratch_bytes().
  void (*integer_product)(const Product& product, const RoundedRows& rounded, int64_t row_begin,
                          int64_t row_end, int64_t column_begin, int64_t column_end, std::byte* scratch);

  /// For y = x / sqrt(mean(x²) + epsilon) · weight: dx += the gradient through y, and weight_gradient += dy ·
  /// x / sqrt(…) unless it is null. One row.
  void (*rms_norm_backward)(const float* x, const float* weight, const float* dy, int64_t columns,
                            float epsilon, float* dx, float* weight_gradient);
  /// For out = silu(gate) · up: writes both gradients.
  void (*swiglu_backward)(const float* gate, const float* up, const float* out_gradient, int64_t count,
                          float* gate_gradient, float* up_gradient);
  /// x[i] = exp(scale · x[i] - shift) for i < visible, 0 behind (shift: a bound such as the log of the sum).
  void (*exponentials)(float* x, float scale, float shift, int64_t visible, int64_t count);
  /// dp[i] = factor · p[i] · (dp[i] - offset).
  void (*softmax_backward)(const float* p, float* dp, float offset, float factor, int64_t count);
  /// Largest and log-sum-exp of scale · x; log_sum of the result. target < 0: none.
  SoftmaxRow (*log_sum_exp)(const float* x, float scale, int64_t count, int64_t target);
  /// Σ x · y, in the order of rms_norm's sum.
  float (*dot)(const float* x, const float* y, int64_t count);
  /// x[i] *= factor.
  void (*scale)(float* x, float factor, int64_t count);
  /// One AdamW step on `count` values.
  void (*adam)(const AdamStep& step, float* weights, const float* gradient, float* m, float* v,
               int64_t count);
};

/// Scratch for one thread's call of product, 64-byte aligned.
inline constexpr int64_t kProductDepth = 256;    // k packed at once: a multiple of 32
inline constexpr int64_t kProductColumns = 768;  // columns of B packed at once
inline constexpr int64_t kProductRows = 240;     // rows of A packed at once: a multiple of 16
inline constexpr int64_t kStoredColumns = 256;   // of the largest block of any type
inline constexpr size_t product_scratch_bytes() {
  return sizeof(float) * kProductDepth * (kProductColumns + kProductRows);
}

inline constexpr int64_t kRoundedBlock = 64;
inline constexpr int64_t kRoundedStrip = 12;
/// Words that rows take in RoundedRows::pairs, and floats in scales.
inline constexpr int64_t rounded_pairs(int64_t rows, int64_t depth) {
  return (rows + kRoundedStrip - 1) / kRoundedStrip * kRoundedStrip *
         ((depth + kRoundedBlock - 1) / kRoundedBlock) * (kRoundedBlock / 2);
}
inline constexpr int64_t rounded_scales(int64_t rows, int64_t depth) {
  return rounded_pairs(rows, depth) / (kRoundedBlock / 2);
}
inline constexpr size_t integer_product_scratch_bytes() {
  return sizeof(float) * kProductColumns *
         (kProductDepth + kProductDepth / 2 + kProductDepth / kRoundedBlock);
}

}  // namespace r1::kernels
