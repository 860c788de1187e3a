// The one definition of a token's log-probability: what samplers and APIs report and what losses are made of.
//
//   log p(t) = logits[t] / T - log Σ exp(logits[i] / T)
// in float32, over all tokens or, where a sampler has left some out, over those that it kept. The sum is
// KernelTable::training->log_sum_exp's: the same bits on every instruction set, wherever it is asked for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernels.h"

namespace r1 {

/// The normaliser of one row of logits.
struct LogSoftmax {
  float inverse_temperature = 1;
  float log_sum = 0;  // log Σ exp(logit / T); not a number when a logit is not

  float operator()(float logit) const { return logit * inverse_temperature - log_sum; }
};

/// Over all of `logits` (at least one). temperature > 0.
LogSoftmax log_softmax(const kernels::KernelTable& kernels, std::span<const float> logits,
                       float temperature = 1);

/// Over the logits of `kept` alone (at least one token, each once, ascending): the distribution that top-k,
/// top-p and their kind leave. `scratch` is memory that may be kept.
LogSoftmax log_softmax(const kernels::KernelTable& kernels, std::span<const float> logits,
                       std::span<const int32_t> kept, float temperature, std::vector<float>& scratch);

}  // namespace r1
