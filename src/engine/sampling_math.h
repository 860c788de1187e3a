// The passes over the whole vocabulary: largest logit, weights of a softmax, the k likeliest.
// Results are the same bits on every machine: the vectors are four floats wide on all of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace r1 {

/// The largest logit; minus infinity when all are. Throws Error(invalid_argument) that names the position and
/// the token when a logit is not a number or plus infinity.
float largest_logit(std::span<const float> logits, int64_t position);

/// weights[i] = exp((logits[i] - largest) · inverse_temperature), relative error below 1e-6 down to
/// exp(-16) and below 1e-5 down to 2^-126, 0 below that. Returns their sum.
double softmax_weights(std::span<const float> logits, float largest, float inverse_temperature,
                       float* weights);

/// Ids of the `count` largest logits (all, if fewer), ascending ids; of equals the lowest. `scratch` is
/// memory that may be kept.
void select_largest(std::span<const float> logits, int64_t count, std::vector<int32_t>& ids,
                    std::vector<float>& scratch);

}  // namespace r1
