#include "nn/product.h"

#include <algorithm>

namespace r1 {
namespace {

constexpr int64_t kSmallProduct = 1 << 16;  // multiplications that are not worth a second thread
constexpr int64_t kTasksPerThread = 3;
constexpr int64_t kUnit = 48;  // rows or columns of C in a piece: whole register tiles of every set
constexpr int64_t kSumColumns = 64;

/// multiply(row_begin, row_end, column_begin, column_end, thread) for pieces that make up all of C.
template <typename Multiply>
void run_pieces(Context& context, const kernels::Product& product, int64_t rows, int64_t columns, bool worth,
                const Multiply& multiply) {
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
    if (by_rows) {
      multiply(begin, end, int64_t{0}, columns, thread);
    } else {
      multiply(int64_t{0}, rows, begin, end, thread);
    }
  });
}

void run_integer_product(Context& context, const kernels::Product& product, int64_t rows, int64_t columns,
                         bool worth) {
  constexpr int64_t kRows = 4 * kernels::kRoundedStrip;  // of a task
  const kernels::TrainingKernels& kernels = *context.kernels().training;
  const auto pairs = static_cast<size_t>(kernels::rounded_pairs(rows, product.depth));
  const auto scales = static_cast<size_t>(kernels::rounded_scales(rows, product.depth));
  std::byte* memory = context.shared_scratch(pairs * sizeof(int32_t) + scales * sizeof(float));
  const kernels::RoundedRows rounded{reinterpret_cast<int32_t*>(memory),
                                     reinterpret_cast<float*>(memory + pairs * sizeof(int32_t))};
  context.parallel_for((rows + kRows - 1) / kRows, worth, [&](int64_t task, int) {
    kernels.round_rows(product.a, product.a_row, task * kRows, std::min((task + 1) * kRows, rows),
                       product.depth, rounded);
  });
  run_pieces(context, product, rows, columns, worth,
             [&](int64_t row_begin, int64_t row_end, int64_t column_begin, int64_t column_end, int thread) {
               kernels.integer_product(
                   product, rounded, row_begin, row_end, column_begin, column_end,
                   context.thread_scratch(thread, kernels::integer_product_scratch_bytes()));
             });
}

}  // namespace

bool is_rounded(const Context& context, const kernels::WeightMatrix& weights) {
  return context.arithmetic() == Arithmetic::mixed && weights.dtype != DType::f32;
}

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
  const bool rounded = product.weights != nullptr && is_rounded(context, *product.weights);
  if (rounded && product.a_depth == 1 && product.depth > 0)
    return run_integer_product(context, product, rows, columns, worth);
  run_pieces(context, product, rows, columns, worth,
             [&](int64_t row_begin, int64_t row_end, int64_t column_begin, int64_t column_end, int thread) {
               context.kernels().training->product(
                   product, row_begin, row_end, column_begin, column_end,
                   context.thread_scratch(thread, kernels::product_scratch_bytes()));
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
