// The policy that a divergence is measured from: a copy of the trained weights at some step.
#pragma once

#include <cstdint>
#include <memory>

#include "nn/context.h"
#include "train/trained_model.h"
#include "train/training_step.h"

namespace r1::rl {

/// One thread. Full tuning: the trained parameters once more; LoRA: the adapter once more, over the same base.
class ReferencePolicy {
 public:
  /// A copy of the weights as they are. `trained` must outlive it.
  ReferencePolicy(Context& context, TrainedModel& trained);

  /// Copies the present weights.
  void capture(Context& context);
  Policy policy() const;
  ParameterStore& parameters() { return adapter_ ? adapter_->parameters() : store_; }

 private:
  TrainedModel& trained_;
  ParameterStore store_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<TrainedAdapter> adapter_;
};

}  // namespace r1::rl
