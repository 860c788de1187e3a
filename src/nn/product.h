// Products of float32 matrices over all threads.
#pragma once

#include "kernels/kernels.h"
#include "kernels/training.h"
#include "nn/context.h"

namespace r1 {

/// Whether products with these weights run in block floating point: mixed arithmetic, and stored in another
/// type than float32. The same for any number of rows.
bool is_rounded(const Context& context, const kernels::WeightMatrix& weights);

/// All of C, [rows, columns]; with weights on the right that are rounded, as an integer_product
/// (kernels/training.h). The bits do not depend on the number of threads.
void run_product(Context& context, const kernels::Product& product, int64_t rows, int64_t columns);

/// B is this matrix from `first_row` on, in any type: its rows, or (turned) each row a column. `weights` must
/// live as long as the product.
void set_weights(kernels::Product& product, const kernels::WeightMatrix& weights, int64_t first_row,
                 bool turned);

/// sums[c] += Σ_r x[r · stride + c], rows added in blocks of fixed size: the same bits on any number of
/// threads.
void add_column_sums(Context& context, const float* x, int64_t rows, int64_t columns, int64_t stride,
                     float* sums);

}  // namespace r1
