#include "nn/product.h"

#include <algorithm>

namespace r1 {
namespace {

constexpr int64_t kSmallProduct = 1 << 16;  // multiplications that are not worth a second thread
constexpr int64_t kTasksPerThread = 3;
constexpr int64_t kUnit = 48;  // rows or columns of C in a piece: whole register tiles of every set
constexpr int64_t kSumColumns = 64;

}  // namespace

void set_weights(kernels::Product& product, const kernels::WeightMatrix& weights, int64_t first_row,
                 bool turned) {
  if (weights.dtype == DType::f32 && weights.row_bytes == weights.inputs * sizeof(float)) {
    product.b = reinterpret_cast<const float*>(weights.data) + first_row * weights.inputs;
    product.b_depth = turned ? 1 : weights.inputs;
    product.b_column = turned ? weights.inputs : 1;
    return;
  }
  product.weights = &weights;
  product.first_weight_row = first_row;
  product.turned = turned;
}

void run_product(Context& context, const kernels::Product& product, int64_t rows, int64_t columns) {
  if (rows == 0 || columns == 0) return;
  const bool worth = rows * columns * std::max<int64_t>(product.depth, 1) > kSmallProduct;
  const int threads = worth ? context.pool().size() : 1;
  // Split the longer side: each piece packs its part of that side and all of the other.
  const bool by_rows = rows >= columns;
  const int64_t length = by_rows ? rows : columns;
  const int64_t whole = kernels::kProductColumns;  // what is packed at once
  const int64_t least = length >= threads * whole ? whole : 4 * kUnit;
  int64_t pieces =
      threads == 1 ? 1 : std::min<int64_t>(threads * kTasksPerThread, (length + least - 1) / least);
  if (threads > 1)
    pieces = std::max<int64_t>(pieces, std::min<int64_t>(threads, (length + kUnit - 1) / kUnit));
  const bool by_blocks = !by_rows && product.weights != nullptr && !product.turned;
  const int64_t unit = !by_blocks ? kUnit : length >= threads * whole ? whole : kernels::kStoredColumns;
  const int64_t step = ((length + pieces - 1) / pieces + unit - 1) / unit * unit;
  const int64_t tasks = (length + step - 1) / step;
  context.parallel_for(tasks, worth, [&](int64_t task, int thread) {
    const int64_t begin = task * step;
    const int64_t end = std::min(begin + step, length);
    std::byte* scratch = context.thread_scratch(thread, kernels::product_scratch_bytes());
    if (by_rows) {
      context.kernels().training->product(product, begin, end, 0, columns, scratch);
    } else {
      context.kernels().training->product(product, 0, rows, begin, end, scratch);
    }
  });
}

void add_column_sums(Context& context, const float* x, int64_t rows, int64_t columns, int64_t stride,
                     float* sums) {
  const int64_t tasks = (columns + kSumColumns - 1) / kSumColumns;
  context.parallel_for(tasks, rows * columns > 16384, [&](int64_t task, int) {
    const int64_t first = task * kSumColumns;
    const int64_t count = std::min(kSumColumns, columns - first);
    for (int64_t row = 0; row < rows; ++row)
      context.kernels().add(sums + first, x + row * stride + first, count);
  });
}

}  // namespace r1
