// Products of float32 matrices over all threads.
#include <algorithm>

#include "nn/cpu/cpu_backend.h"

namespace r1::cpu {
namespace {

constexpr int64_t kSmallProduct = 1 << 16;  // multiplications that are not worth a second thread
constexpr int64_t kTasksPerThread = 3;
constexpr int64_t kUnit = 48;  // rows or columns of C in a piece: whole register tiles of every set
constexpr int64_t kSumColumns = 64;

}  // namespace

/// multiply(row_begin, row_end, column_begin, column_end, thread) for pieces that make up all of C.
template <typename Multiply>
void CpuBackend::run_pieces(const kernels::Product& product, int64_t rows, int64_t columns, bool worth,
                            const Multiply& multiply) {
  const int threads = worth ? pool_->size() : 1;
  // Split the longer side: each piece packs its part of that side and all of the other.
  const bool by_rows = rows >= columns;
  const int64_t length = by_rows ? rows : columns;
  const int64_t whole = kernels::kProductColumns;  // what is packed at once
  const int64_t least = length >= threads * whole ? whole : 4 * kUnit;
  int64_t pieces =
      threads == 1 ? 1 : std::min<int64_t>(threads * kTasksPerThread, (length + least - 1) / least);
  if (threads > 1)
    pieces = std::max<int64_t>(pieces, std::min<int64_t>(threads, (length + kUnit - 1) / kUnit));
  const bool by_blocks = !by_rows && product.weights != nullptr && !product.transposed;
  const int64_t unit = !by_blocks ? kUnit : length >= threads * whole ? whole : kernels::kStoredColumns;
  const int64_t step = ((length + pieces - 1) / pieces + unit - 1) / unit * unit;
  const int64_t tasks = (length + step - 1) / step;
  parallel_for(tasks, worth, [&](int64_t task, int thread) {
    const int64_t begin = task * step;
    const int64_t end = std::min(begin + step, length);
    if (by_rows) {
      multiply(begin, end, int64_t{0}, columns, thread);
    } else {
      multiply(int64_t{0}, rows, begin, end, thread);
    }
  });
}

void CpuBackend::run_integer_product(const kernels::Product& product, int64_t rows, int64_t columns,
                                     bool worth) {
  constexpr int64_t kRows = 4 * kernels::kRoundedStrip;  // of a task
  const kernels::TrainingKernels& training = *table_->training;
  const auto pairs = static_cast<size_t>(kernels::rounded_pairs(rows, product.depth));
  const auto scales = static_cast<size_t>(kernels::rounded_scales(rows, product.depth));
  std::byte* memory = shared_scratch(pairs * sizeof(int32_t) + scales * sizeof(float));
  const kernels::RoundedRows rounded{reinterpret_cast<int32_t*>(memory),
                                     reinterpret_cast<float*>(memory + pairs * sizeof(int32_t))};
  parallel_for((rows + kRows - 1) / kRows, worth, [&](int64_t task, int) {
    training.round_rows(product.a, product.a_row, task * kRows, std::min((task + 1) * kRows, rows),
                        product.depth, rounded);
  });
  run_pieces(product, rows, columns, worth,
             [&](int64_t row_begin, int64_t row_end, int64_t column_begin, int64_t column_end, int thread) {
               training.integer_product(product, rounded, row_begin, row_end, column_begin, column_end,
                                        thread_scratch(thread, kernels::integer_product_scratch_bytes()));
             });
}

bool CpuBackend::is_rounded(const Weight& weight) const {
  return arithmetic() == Arithmetic::mixed && weight.dtype != DType::f32;
}

void CpuBackend::product(const Product& call, int64_t rows, int64_t columns) {
  if (rows == 0 || columns == 0) return;
  kernels::Product product{call.a,        call.a_row, call.a_depth, call.b,     call.b_depth,
                           call.b_column, call.c,     call.c_row,   call.depth, call.accumulate};
  kernels::WeightMatrix stored;
  if (const Weight* weight = call.weights) {
    if (weight->dtype == DType::f32 && weight->row_bytes == weight->inputs * sizeof(float)) {
      product.b = reinterpret_cast<const float*>(weight->data) + call.first_weight_row * weight->inputs;
      product.b_depth = call.transposed ? 1 : weight->inputs;
      product.b_column = call.transposed ? weight->inputs : 1;
    } else {
      stored = matrix_of(*weight);
      product.weights = &stored;
      product.first_weight_row = call.first_weight_row;
      product.transposed = call.transposed;
    }
  }
  const bool worth = rows * columns * std::max<int64_t>(product.depth, 1) > kSmallProduct;
  const bool rounded = call.weights != nullptr && is_rounded(*call.weights);
  if (rounded && product.a_depth == 1 && product.depth > 0)
    return run_integer_product(product, rows, columns, worth);
  run_pieces(product, rows, columns, worth,
             [&](int64_t row_begin, int64_t row_end, int64_t column_begin, int64_t column_end, int thread) {
               table_->training->product(product, row_begin, row_end, column_begin, column_end,
                                         thread_scratch(thread, kernels::product_scratch_bytes()));
             });
}

void CpuBackend::add_column_sums(const float* x, int64_t rows, int64_t columns, int64_t stride, float* sums) {
  const int64_t tasks = (columns + kSumColumns - 1) / kSumColumns;
  parallel_for(tasks, rows * columns > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * kSumColumns;
    const int64_t count = std::min(kSumColumns, columns - first);
    for (int64_t row = 0; row < rows; ++row) table_->add(sums + first, x + row * stride + first, count);
  });
}

}  // namespace r1::cpu
