#include <algorithm>

#include "nn/cpu/cpu_backend.h"

namespace r1::cpu {
namespace {

constexpr int64_t kNormRows = 64;      // of one partial sum of a norm's weights
constexpr int64_t kEmbedColumns = 64;  // of a task
constexpr int64_t kPiece = 4096;       // elements of a task

}  // namespace

void CpuBackend::embed_backward(std::span<const int32_t> tokens, const float* gradient, int64_t columns,
                                float* table_gradient) {
  const int64_t tasks = (columns + kEmbedColumns - 1) / kEmbedColumns;
  parallel_for(tasks, std::ssize(tokens) * columns > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * kEmbedColumns;
    const int64_t count = std::min(kEmbedColumns, columns - first);
    for (size_t row = 0; row < tokens.size(); ++row) {
      table_->add(table_gradient + tokens[row] * columns + first,
                  gradient + static_cast<int64_t>(row) * columns + first, count);
    }
  });
}

void CpuBackend::rms_norm_backward(const NormBackwardCall& call) {
  Arena::Scope scope(arena());
  const int64_t columns = call.columns;
  const int64_t blocks = (call.rows + kNormRows - 1) / kNormRows;
  float* partial = call.weight_gradient != nullptr ? arena().allocate<float>(blocks * columns) : nullptr;
  parallel_for(blocks, call.rows * columns > kSmallLoop, [&](int64_t block, int) {
    float* sums = partial != nullptr ? partial + block * columns : nullptr;
    if (sums != nullptr) std::fill_n(sums, columns, 0.0F);
    for (int64_t row = block * kNormRows; row < std::min(call.rows, (block + 1) * kNormRows); ++row) {
      table_->training->rms_norm_backward(call.x + row * call.x_stride, call.weight,
                                          call.out_gradient + row * call.out_gradient_stride, columns,
                                          call.epsilon, call.x_gradient + row * call.x_gradient_stride, sums);
    }
  });
  if (partial != nullptr) add_column_sums(partial, blocks, columns, columns, call.weight_gradient);
}

void CpuBackend::swiglu_backward(const SwigluBackwardCall& call) {
  parallel_for((call.count + kPiece - 1) / kPiece, call.count > kSmallLoop / 4, [&](int64_t task, int) {
    const int64_t first = task * kPiece;
    table_->training->swiglu_backward(call.gate + first, call.up + first, call.out_gradient + first,
                                      std::min(kPiece, call.count - first), call.gate_gradient + first,
                                      call.up_gradient + first);
  });
}

}  // namespace r1::cpu
