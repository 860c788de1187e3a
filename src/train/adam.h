// What the optimisers of the Adam family share. Internal to train/.
#pragma once

#include <memory>
#include <vector>

#include "nn/backend_calls.h"
#include "train/optimiser.h"

namespace r1 {

/// Step number `step` without its tensors.
AdamCall adam_call(const OptimiserOptions& options, int64_t step, double gradient_factor);
/// A parameter of a step without its moments.
AdamTensor adam_tensor(const OptimiserOptions& options, const Parameter& parameter, double learning_rate);

std::unique_ptr<Optimiser> make_adamw_8bit(const OptimiserOptions& options, ParameterStore& store);
size_t adamw_8bit_bytes(const ParameterStore& store);
std::unique_ptr<Optimiser> make_muon(const OptimiserOptions& options, ParameterStore& store);
size_t muon_bytes(const ParameterStore& store);

}  // namespace r1
