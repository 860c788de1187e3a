// One step of training: passes whose gradients add up, then new weights. What to compute in a pass is an objective's
// (train/objective.h) or the caller's:
//
//   step.begin(1, 0);
//   TrainingPass pass = step.pass(batch);
//   pass.backward(derivatives(pass.log_probs()));
//   step.finish(loss, learning_rate);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "model/decoder.h"
#include "train/optimiser.h"
#include "train/options.h"
#include "train/parameters.h"
#include "train/sample.h"
#include "train/training_pass.h"

namespace r1 {

/// A model with or without an adapter. Not owned.
struct Policy {
  const Decoder* model = nullptr;
  const Adapter* adapter = nullptr;
};

/// What a step changes. Not owned; all must outlive the step.
struct TrainedWeights {
  const Decoder* model = nullptr;   // bound to the store's values, or frozen below the adapter
  ParameterStore* store = nullptr;  // the trained parameters
  Adapter* adapter = nullptr;       // whose values the store has; null: the model's weights are trained
  double dropout = 0;               // of the adapter, in training passes
  uint64_t dropout_seed = 0;
  /// Called after the weights changed (DoRA's norms, an engine that samples from them). May be empty.
  std::function<void(Context&)> changed = {};
};

/// One thread.
class TrainingStep {
 public:
  TrainingStep(Context& context, TrainedWeights weights, const OptimiserOptions& options,
               ActivationStorage storage);

  /// Clears the gradients. `step`: 1, 2, …; `first_pass`: number of its first pass in the run, which dropout is drawn
  /// by.
  void begin(int64_t step, int64_t first_pass);
  /// The forward pass of a batch; its backward adds to the gradients. One at a time.
  TrainingPass pass(const TrainingBatch& batch);
  /// To be called between two passes: the next one has another dropout.
  void next_pass();
  /// Clips the gradients to options.clip, changes the weights, and gives the norm before clipping. Throws
  /// Error(invalid_argument) naming step and tensor where `loss`, the norm or a weight is not finite. `check`: called
  /// with the norm before the weights change; may throw.
  double finish(double loss, double learning_rate, const std::function<void(double norm)>& check = {});

  /// Forward alone, without gradients; between begin and finish with the dropout of the pass. As every pass, it sees
  /// the weights as they are now.
  TrainingPass forward(const TrainingBatch& batch, const Policy& policy);
  std::vector<float> log_probs(const TrainingBatch& batch, const Policy& policy);
  Policy policy() const { return {weights_.model, weights_.adapter}; }

  /// Announces that the weights are others than before (at the beginning, after a checkpoint was read).
  void announce_weights();

  Context& context() { return context_; }
  ParameterStore& store() { return *weights_.store; }
  Optimiser& optimiser() { return *optimiser_; }

 private:
  void set_dropout(double rate);

  Context& context_;
  TrainedWeights weights_;
  OptimiserOptions options_;
  ActivationStorage storage_;
  std::unique_ptr<Optimiser> optimiser_;
  TrainingCache cache_;
  WeightGradients no_gradients_;
  int64_t step_ = 0, pass_ = 0;
};

}  // namespace r1
