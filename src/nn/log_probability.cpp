#include "nn/log_probability.h"

#include "kernels/training.h"

namespace r1 {

LogSoftmax log_softmax(const kernels::KernelTable& kernels, std::span<const float> logits,
                       float temperature) {
  const float inverse = 1 / temperature;
  const kernels::SoftmaxRow row =
      kernels.training->log_sum_exp(logits.data(), inverse, static_cast<int64_t>(logits.size()), -1);
  return {inverse, row.log_sum};
}

LogSoftmax log_softmax(const kernels::KernelTable& kernels, std::span<const float> logits,
                       std::span<const int32_t> kept, float temperature, std::vector<float>& scratch) {
  scratch.clear();
  for (const int32_t token : kept) scratch.push_back(logits[token]);
  return log_softmax(kernels, scratch, temperature);
}

}  // namespace r1
