// The training loop over data: steps of an objective (train/training_step.h, train/objective.h), logs, evaluations,
// checkpoints.
//
// Goals: a run resumed from any checkpoint gives the bits of a run that was never stopped; a run that cannot fit the
// memory does not begin; one that goes wrong names step and tensor. Non-goals: text (batches come from a BatchSource),
// several machines.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/decoder.h"
#include "train/options.h"
#include "train/parameters.h"
#include "train/run_state.h"
#include "train/sample.h"
#include "train/stage.h"
#include "train/training_pass.h"

namespace r1 {

/// One line of the log: means over the steps since the last one (on_step: of one step).
struct StepReport {
  int64_t step = 0, steps = 0;
  double epoch = 0;  // with its fraction
  double loss = 0;   // train/loss.h
  double learning_rate = 0;
  double gradient_norm = 0;
  int64_t tokens = 0;            // rows so far
  double tokens_per_second = 0;  // of training: without evaluations and saves
  double seconds = 0, seconds_left = 0;
  std::vector<std::pair<std::string, double>> metrics;  // of preference losses (train/loss.h)
};

struct EvaluationReport {
  int64_t step = 0;
  double epoch = 0;
  double loss = 0;
  int64_t targets = 0;
  bool best = false;
  std::vector<std::pair<std::string, double>> metrics;  // "eval_rewards/accuracies", …
};

/// What a run tells its owner; any may be empty. Called on the trainer's thread.
struct TrainerHooks {
  std::function<void(const StepReport&)> on_step;  // every step
  std::function<void(const StepReport&)> on_log;   // every log_steps
  std::function<void(const EvaluationReport&)> on_evaluation;
  std::function<void(const std::string&)> remark;
  std::function<bool()> stop_requested;  // asked after each step
  std::function<void()> save_best;       // the best evaluation so far: keep these weights
  std::function<double()> seconds;       // a clock that never goes back; empty: the system's
};

/// What a run trains with besides the model. Not owned.
struct TrainerParts {
  TrainingStage stage = TrainingStage::sft;
  Adapter* adapter = nullptr;  // what is trained where the model's weights are frozen
  const Decoder* reference =
      nullptr;                 // dpo, kto: the policy that training began from; may be the model itself
  Parameter* score = nullptr;  // reward: {1, hidden}, one of the store's
  std::string base = {};       // tells weights apart that a run began from; empty: there are none
  std::function<void(Context&)> weights_changed = {};  // TrainedWeights::changed
  const Adapter* reference_adapter = nullptr;          // of the reference; null: it has none
};

enum class TrainingEnd { finished, stopped, stopped_early };

class Trainer {
 public:
  /// `store` holds the trained parameters, to which `model` is bound. All are the caller's and must outlive
  /// the trainer. evaluation may be null.
  Trainer(Context& context, const Decoder& model, ParameterStore& store, const TrainingOptions& options,
          const BatchSource& batches, const BatchSource* evaluation, ActivationStorage storage,
          TrainerHooks hooks, const TrainerParts& parts = {});
  ~Trainer();

  /// Reads the newest good checkpoint of options.output. False: there is none. Throws Error(invalid_argument)
  /// when it belongs to other data or options.
  bool resume();

  /// Trains until the last step, or until asked to stop (then a checkpoint is written). Throws
  /// Error(invalid_argument) naming step and tensor when a number is no number any more or the loss jumps;
  /// checkpoints stay as they are.
  TrainingEnd run();

  /// The loss over all batches of `source`.
  EvaluationReport evaluate(const BatchSource& source);

  const RunState& state() const;
  int64_t steps() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace r1
