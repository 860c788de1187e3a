// Objectives: what a training stage computes in each pass.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "train/loss.h"
#include "train/options.h"
#include "train/stage.h"
#include "train/training_step.h"

namespace r1 {

/// One thread.
class Objective {
 public:
  virtual ~Objective() = default;

  /// What a step's loss is a mean over, in this batch: trained tokens, pairs, or sequences. 0: there is nothing to learn.
  virtual int64_t units(const TrainingBatch& batch) const = 0;
  /// The loss of a batch as a part of `units`, those of the whole step; adds its gradients where wanted.
  virtual LossSums run(TrainingStep& step, const TrainingBatch& batch, int64_t units, bool gradients) = 0;
};

/// What objectives need besides the trained weights. Not owned.
struct ObjectiveParts {
  Policy reference;            // StageTraits::needs_reference: the policy that training began from
  Parameter* score = nullptr;  // StageTraits::needs_reward_head: {1, hidden}, one of the store's
  std::function<void(const std::string&)> remark;  // may be empty
};

/// Throws Error(invalid_argument) when a part is missing.
std::unique_ptr<Objective> make_objective(TrainingStage stage, const ObjectiveOptions& options,
                                          const ObjectiveParts& parts);

}  // namespace r1
