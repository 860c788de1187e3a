// What the optimisers of the Adam family share. Internal to train/.
#pragma once

#include <memory>
#include <vector>

#include "kernels/training.h"
#include "train/optimiser.h"

namespace r1 {

/// Values of one parameter that are stepped as one task.
struct ParameterPiece {
  size_t parameter;
  int64_t first, count;
};
inline constexpr int64_t kPieceValues = 16384;
std::vector<ParameterPiece> pieces_of(const ParameterStore& store);

/// The factors of step number `step` for one parameter.
kernels::AdamStep adam_step(const OptimiserOptions& options, const Parameter& parameter, int64_t step,
                            double learning_rate, double gradient_factor);

std::unique_ptr<Optimiser> make_adamw_8bit(const OptimiserOptions& options, ParameterStore& store);
size_t adamw_8bit_bytes(const ParameterStore& store);
std::unique_ptr<Optimiser> make_muon(const OptimiserOptions& options, ParameterStore& store);
size_t muon_bytes(const ParameterStore& store);

}  // namespace r1
