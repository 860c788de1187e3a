// The optimiser's step on the CPU: tensors in pieces, so that any number of threads gives the same bits.
#include <algorithm>
#include <cmath>

#include "nn/cpu/cpu_backend.h"
#include "tensor/dynamic_code.h"

namespace r1::cpu {
namespace {

constexpr int64_t kPieceValues = 16384;  // a multiple of kMomentBlock

/// Values of one tensor that are one task.
struct Piece {
  size_t tensor = 0;
  int64_t first = 0, count = 0;
};

template <typename Tensors>
std::vector<Piece> pieces_of(const Tensors& tensors) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < tensors.size(); ++i) {
    for (int64_t first = 0; first < tensors[i].count; first += kPieceValues) {
      pieces.push_back({i, first, std::min(kPieceValues, tensors[i].count - first)});
    }
  }
  return pieces;
}

void decode(const DynamicCode& code, const AdamMoment& moment, int64_t first, int64_t count, float* out) {
  const float scale = moment.scales[first / kMomentBlock];
  for (int64_t i = 0; i < count; ++i) out[i] = code.value(moment.codes[first + i]) * scale;
}

void encode(const DynamicCode& code, const float* values, int64_t first, int64_t count,
            const AdamMoment& moment) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
  moment.scales[first / kMomentBlock] = largest;
  const float inverse = largest > 0 ? 1 / largest : 0;
  for (int64_t i = 0; i < count; ++i) moment.codes[first + i] = code.nearest(values[i] * inverse);
}

}  // namespace

void CpuBackend::combine(const CombineCall& call) {
  const int64_t tasks = (call.count + kPieceValues - 1) / kPieceValues;
  parallel_for(tasks, tasks > 1, [&](int64_t task, int) {
    const int64_t end = std::min(call.count, (task + 1) * kPieceValues);
    for (int64_t i = task * kPieceValues; i < end; ++i) call.out[i] = call.a * call.x[i] + call.b * call.y[i];
  });
}

double CpuBackend::sum_of_squares(std::span<const FloatArray> arrays) {
  const std::vector<Piece> pieces = pieces_of(arrays);
  std::vector<double> sums(pieces.size());
  parallel_for(std::ssize(pieces), pieces.size() > 1, [&](int64_t index, int) {
    const Piece& piece = pieces[static_cast<size_t>(index)];
    const float* values = arrays[piece.tensor].values + piece.first;
    sums[static_cast<size_t>(index)] = table_->training->dot(values, values, piece.count);
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

void CpuBackend::adam(const AdamCall& call) {
  const std::vector<Piece> pieces = pieces_of(call.tensors);
  const DynamicCode& of_mean = DynamicCode::of_signed();
  const DynamicCode& of_square = DynamicCode::of_unsigned();
  parallel_for(std::ssize(pieces), true, [&](int64_t index, int) {
    const Piece& piece = pieces[static_cast<size_t>(index)];
    const AdamTensor& tensor = call.tensors[piece.tensor];
    const kernels::AdamStep step{tensor.learning_rate, call.beta1,          call.beta2,
                                 call.epsilon,         tensor.decay,        call.correction1,
                                 call.correction2,     call.gradient_factor};
    const bool is_coded = tensor.mean.scales != nullptr;
    const int64_t run = is_coded ? kMomentBlock : piece.count;
    for (int64_t at = piece.first; at < piece.first + piece.count; at += run) {
      const int64_t count = std::min(run, piece.first + piece.count - at);
      if (!is_coded) {
        table_->training->adam(step, tensor.values + at, tensor.gradient + at, tensor.mean.values + at,
                               tensor.square.values + at, count);
        continue;
      }
      float mean[kMomentBlock];
      float square[kMomentBlock];
      decode(of_mean, tensor.mean, at, count, mean);
      decode(of_square, tensor.square, at, count, square);
      table_->training->adam(step, tensor.values + at, tensor.gradient + at, mean, square, count);
      encode(of_mean, mean, at, count, tensor.mean);
      encode(of_square, square, at, count, tensor.square);
    }
  });
}

}  // namespace r1::cpu
