#include <algorithm>

#include "kernels/training.h"
#include "nn/elementwise.h"
#include "nn/product.h"
#include "nn/tape.h"

namespace r1 {
namespace {

constexpr int64_t kSmallLoop = 16384;
constexpr int64_t kNormRows = 64;      // of one partial sum of a norm's weights
constexpr int64_t kEmbedColumns = 64;  // of a task
constexpr int64_t kPiece = 4096;       // elements of a task

}  // namespace

void embed_backward(Context& context, std::span<const int32_t> tokens, const float* gradient, int64_t columns,
                    float* table_gradient) {
  const int64_t tasks = (columns + kEmbedColumns - 1) / kEmbedColumns;
  context.parallel_for(
      tasks, static_cast<int64_t>(tokens.size()) * columns > kSmallLoop, [&](int64_t task, int) {
        const int64_t first = task * kEmbedColumns;
        const int64_t count = std::min(kEmbedColumns, columns - first);
        for (size_t row = 0; row < tokens.size(); ++row) {
          context.kernels().add(table_gradient + tokens[row] * columns + first,
                                gradient + static_cast<int64_t>(row) * columns + first, count);
        }
      });
}

void rms_norm_rows_backward(Context& context, StridedRows x, const float* weight, StridedRows gradient,
                            int64_t rows, int64_t columns, float epsilon, float* x_gradient,
                            int64_t x_gradient_stride, float* weight_gradient) {
  Arena::Scope scope(context.arena());
  const int64_t blocks = (rows + kNormRows - 1) / kNormRows;
  float* partial = weight_gradient != nullptr ? context.arena().allocate<float>(blocks * columns) : nullptr;
  context.parallel_for(blocks, rows * columns > kSmallLoop, [&](int64_t block, int) {
    float* own = partial != nullptr ? partial + block * columns : nullptr;
    if (own != nullptr) std::fill_n(own, columns, 0.0F);
    for (int64_t row = block * kNormRows; row < std::min(rows, (block + 1) * kNormRows); ++row) {
      context.kernels().training->rms_norm_backward(x.values + row * x.stride, weight,
                                                    gradient.values + row * gradient.stride, columns, epsilon,
                                                    x_gradient + row * x_gradient_stride, own);
    }
  });
  if (weight_gradient != nullptr)
    add_column_sums(context, partial, blocks, columns, columns, weight_gradient);
}

void add_rms_norm_backward(Context& context, Tape& tape, const NormRecord& record) {
  const float* gradient = tape.find(record.normed);
  const int64_t rows = record.rows;
  const int64_t columns = record.columns;
  float* x_gradient = tape.add_to_zeroed(context.arena(), record.x, rows * columns);
  if (gradient != nullptr) {
    rms_norm_rows_backward(context, {record.saved, columns}, record.weight, {gradient, columns}, rows,
                           columns, record.epsilon, x_gradient, columns, tape.weight_gradient(record.weight));
    tape.forget(record.normed, rows * columns);
  }
  if (record.addend != nullptr) copy_gradient(context, tape, record.x, record.addend, rows * columns);
}

void copy_gradient(Context& context, Tape& tape, const float* from, const float* to, int64_t count) {
  const float* source = tape.find(from);
  if (source == nullptr) return;
  const Tape::Target target = tape.add_to(context.arena(), to, count);
  const int64_t tasks = (count + kPiece - 1) / kPiece;
  context.parallel_for(tasks, count > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * kPiece;
    const int64_t length = std::min(kPiece, count - first);
    if (target.accumulate) {
      context.kernels().add(target.data + first, source + first, length);
    } else {
      std::copy_n(source + first, length, target.data + first);
    }
  });
}

void swiglu_backward(Context& context, Tape& tape, const float* gate, const float* up, const float* out,
                     int64_t count) {
  const float* gradient = tape.find(out);
  if (gradient == nullptr) return;
  // Nothing else reads gate and up.
  float* gate_gradient = tape.add_to(context.arena(), gate, count).data;
  float* up_gradient = tape.add_to(context.arena(), up, count).data;
  const int64_t tasks = (count + kPiece - 1) / kPiece;
  context.parallel_for(tasks, count > kSmallLoop / 4, [&](int64_t task, int) {
    const int64_t first = task * kPiece;
    context.kernels().training->swiglu_backward(gate + first, up + first, gradient + first,
                                                std::min(kPiece, count - first), gate_gradient + first,
                                                up_gradient + first);
  });
  tape.forget(out, count);
}

}  // namespace r1
