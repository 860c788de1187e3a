// Calls that work on each row, or each element, alone.
#include <algorithm>
#include <cmath>
#include <vector>

#include "nn/adapter.h"
#include "nn/cpu/cpu_backend.h"
#include "nn/log_probability.h"
#include "tensor/codec.h"

namespace r1::cpu {
namespace {

constexpr int64_t kPiece = 4096;  // elements of a task
constexpr int64_t kColumns = 64;  // of a task over columns
constexpr int64_t kAddPiece = 2048;
constexpr int64_t kAddColumns = 256;

}  // namespace

void CpuBackend::embed(const Weight& table, std::span<const int32_t> tokens, float* out) {
  const auto rows = static_cast<int64_t>(tokens.size());
  parallel_for(rows, rows * table.inputs > kSmallLoop, [&](int64_t row, int) {
    dequantise_matrix_row(table.dtype, table.data + static_cast<size_t>(tokens[row]) * table.row_bytes,
                          table.block_scales, tokens[row], table.inputs, 0,
                          {out + row * table.inputs, static_cast<size_t>(table.inputs)});
  });
}

void CpuBackend::rope_table(const RopeFrequencies& rope, std::span<const int32_t> positions, float* cosines,
                            float* sines) {
  const auto rows = static_cast<int64_t>(positions.size());
  const auto pairs = static_cast<int64_t>(rope.inverse.size());
  parallel_for(rows, rows > 2, [&](int64_t row, int) {
    for (int64_t i = 0; i < pairs; ++i) {
      const double angle = static_cast<double>(positions[row]) * rope.inverse[i];
      cosines[row * pairs + i] = static_cast<float>(std::cos(angle) * rope.magnitude);
      sines[row * pairs + i] = static_cast<float>(std::sin(angle) * rope.magnitude);
    }
  });
}

void rotate_head(RopeStyle style, const RopeTable& table, int64_t row, bool back, float* head) {
  const float* cosines = table.cosines + row * table.pairs;
  const float* sines = table.sines + row * table.pairs;
  const float sign = back ? -1.0F : 1.0F;
  if (style == RopeStyle::half_split) {
    float* __restrict first = head;
    float* __restrict second = head + table.pairs;
    for (int64_t i = 0; i < table.pairs; ++i) {
      const float a = first[i];
      const float b = second[i];
      first[i] = a * cosines[i] - b * (sign * sines[i]);
      second[i] = a * (sign * sines[i]) + b * cosines[i];
    }
    return;
  }
  for (int64_t i = 0; i < table.pairs; ++i) {
    const float a = head[2 * i];
    const float b = head[2 * i + 1];
    head[2 * i] = a * cosines[i] - b * (sign * sines[i]);
    head[2 * i + 1] = a * (sign * sines[i]) + b * cosines[i];
  }
}

void CpuBackend::rotate(std::span<const RotateCall> calls) {
  int64_t rows = 0;
  for (const RotateCall& call : calls) rows += call.rows;
  parallel_for(rows, rows > 4 * std::ssize(calls), [&](int64_t row, int) {
    const RotateCall* call = calls.data();
    for (; row >= call->rows; ++call) row -= call->rows;
    const int64_t place = call->table_rows == nullptr ? row : call->table_rows[row];
    for (int64_t head = 0; head < call->heads; ++head) {
      rotate_head(call->style, call->table, place, call->back,
                  call->x + row * call->stride + head * call->columns);
    }
  });
}

void CpuBackend::store(std::span<const StoreCall> calls) {
  int64_t rows = 0;
  for (const StoreCall& call : calls) rows += call.rows;
  parallel_for(rows, rows > 4 * std::ssize(calls), [&](int64_t row, int) {
    const StoreCall* call = calls.data();
    for (; row >= call->rows; ++call) row -= call->rows;
    const CachePlane& plane = call->plane;
    std::byte* place = plane.data + static_cast<size_t>(call->places.blocks[row]) * plane.block_stride +
                       static_cast<size_t>(call->places.tokens[row]) * plane.token_bytes;
    for (int64_t head = 0; head < call->heads; ++head) {
      table_->store_row(plane.dtype, call->x + (row * call->heads + head) * call->columns, call->columns,
                        place + static_cast<size_t>(head) * plane.head_bytes);
    }
  });
}

void CpuBackend::copy(float* to, const float* from, int64_t count) {
  parallel_for((count + kPiece - 1) / kPiece, count > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * kPiece;
    std::copy_n(from + first, std::min(kPiece, count - first), to + first);
  });
}

void CpuBackend::add(float* x, const float* y, int64_t count) {
  parallel_for((count + kAddPiece - 1) / kAddPiece, count > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * kAddPiece;
    table_->add(x + first, y + first, std::min(kAddPiece, count - first));
  });
}

void CpuBackend::scale(float* x, float factor, int64_t count) {
  parallel_for((count + kPiece - 1) / kPiece, count > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * kPiece;
    table_->training->scale(x + first, factor, std::min(kPiece, count - first));
  });
}

void CpuBackend::add_rows(float* to, const int32_t* rows, const float* from, int64_t count, int64_t columns) {
  const int64_t tasks = (columns + kAddColumns - 1) / kAddColumns;
  parallel_for(tasks, count * columns > kSmallLoop, [&](int64_t task, int) {
    const int64_t first = task * kAddColumns;
    for (int64_t i = 0; i < count; ++i) {
      table_->add(to + rows[i] * columns + first, from + i * columns + first,
                  std::min(kAddColumns, columns - first));
    }
  });
}

void CpuBackend::dropout(const DropoutCall& call) {
  const int64_t columns = call.columns;
  parallel_for(call.rows, call.rows * columns > kSmallLoop, [&](int64_t row, int thread) {
    auto* factors = reinterpret_cast<float*>(thread_scratch(thread, columns * sizeof(float)));
    dropout_factors(call.dropout, call.term, (call.first_row + row) * columns, columns, factors);
    const float* x = call.x + row * call.x_stride;
    float* out = call.out + row * call.out_stride;
    for (int64_t c = 0; c < columns; ++c) {
      const float value = x[c] * factors[c];
      out[c] = call.accumulate ? out[c] + value : value;
    }
  });
}

void CpuBackend::magnitude(const MagnitudeCall& call) {
  parallel_for(call.rows, call.rows * call.outputs > kSmallLoop, [&](int64_t row, int) {
    float* out = call.out + row * call.out_stride;
    for (int64_t o = 0; o < call.outputs; ++o) {
      const float shift = call.bias != nullptr ? call.bias[o] : 0;
      const float value = out[o] - shift;
      if (call.direction != nullptr) call.direction[row * call.outputs + o] = value;
      out[o] = call.magnitude[o] / call.norms[o] * value + shift;
    }
  });
}

void CpuBackend::magnitude_backward(const MagnitudeBackwardCall& call) {
  const int64_t tasks = (call.outputs + kColumns - 1) / kColumns;
  parallel_for(tasks, call.rows * call.outputs > kSmallLoop, [&](int64_t task, int) {
    const int64_t begin = task * kColumns, end = std::min(call.outputs, begin + kColumns);
    for (int64_t row = 0; row < call.rows; ++row) {
      float* slope = call.gradient + row * call.gradient_stride;
      for (int64_t o = begin; o < end; ++o) {
        if (call.magnitude_gradient != nullptr) {
          call.magnitude_gradient[o] += slope[o] * call.direction[row * call.outputs + o] / call.norms[o];
        }
        slope[o] *= call.magnitude[o] / call.norms[o];
      }
    }
  });
}

void CpuBackend::log_probs(const LogProbsCall& call) {
  const kernels::TrainingKernels& training = *table_->training;
  parallel_for(call.rows, true, [&](int64_t row, int) {
    float* logits = call.logits + row * call.vocabulary;
    const int32_t target = call.targets[row];
    const std::span<const int32_t> kept = call.kept.empty() ? std::span<const int32_t>() : call.kept[row];
    std::vector<float> gathered;
    const LogSoftmax softmax =
        kept.empty() ? log_softmax(*table_, {logits, static_cast<size_t>(call.known)}, call.temperature)
                     : log_softmax(*table_, {logits, static_cast<size_t>(call.vocabulary)}, kept,
                                   call.temperature, gathered);
    call.log_probs[row] = softmax(logits[target]);
    if (call.coefficients.empty()) return;
    const float coefficient = call.coefficients[row] * softmax.inverse_temperature;
    if (kept.empty()) {
      training.exponentials(logits, softmax.inverse_temperature, softmax.log_sum, call.known,
                            call.vocabulary);
      training.scale(logits, -coefficient, call.known);
    } else {
      const auto count = static_cast<int64_t>(kept.size());
      training.exponentials(gathered.data(), softmax.inverse_temperature, softmax.log_sum, count, count);
      std::fill_n(logits, call.vocabulary, 0.0F);
      for (int64_t i = 0; i < count; ++i) logits[kept[i]] = -coefficient * gathered[i];
    }
    logits[target] += coefficient;
  });
}

}  // namespace r1::cpu
