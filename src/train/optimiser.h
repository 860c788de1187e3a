// Optimisers: from gradients to new weights. Their state is named arrays, which checkpoints keep.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/context.h"
#include "train/options.h"
#include "train/parameters.h"

namespace r1 {

/// Memory of an optimiser's state, owned by the optimiser.
struct StateArray {
  std::string name;
  std::span<std::byte> bytes;
};

class Optimiser {
 public:
  virtual ~Optimiser() = default;

  /// Step number `step` (1, 2, …) of all parameters. Gradients are multiplied by gradient_factor (clipping).
  /// The same bits on any number of threads.
  virtual void step(Context& context, int64_t step, double learning_rate, double gradient_factor) = 0;
  virtual std::vector<StateArray> state() = 0;
};

/// For the parameters of `store`, which must outlive it.
std::unique_ptr<Optimiser> make_optimiser(const OptimiserOptions& options, ParameterStore& store);

/// What it will take besides weights and gradients, the largest scratch included.
size_t optimiser_bytes(const OptimiserOptions& options, const ParameterStore& store);

/// Learning rate of step `step` (1 … steps): linear warm-up, then the schedule down to final_rate of the
/// largest at the last step.
double scheduled_rate(const ScheduleOptions& options, int64_t step, int64_t steps);

/// The Euclidean norm of all gradients, summed in a fixed order.
double gradient_norm(Context& context, const ParameterStore& store);

}  // namespace r1
