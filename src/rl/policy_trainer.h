// Reinforcement learning: sample answers, reward them, learn from them, again.
//
// A step: `questions` questions × `group` answers from the policy as it is; rewards; advantages within each group; the answers
// are dealt at random into `minibatches`, each of which changes the weights once (train/training_step.h), `inner_epochs` times
// over. All of it depends on (seed, step, weights) alone, so a resumed run gives the bits of one that was never stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rl/policy_loss.h"
#include "rl/reference_policy.h"
#include "rl/reward.h"
#include "rl/rollout.h"
#include "rl/scored_rollouts.h"
#include "train/checkpoint.h"
#include "train/options.h"
#include "train/run_state.h"
#include "train/trained_model.h"
#include "train/trainer.h"
#include "train/training_step.h"

namespace r1::rl {

/// What a run tells its owner; any may be empty.
struct PolicyHooks {
  std::function<void(const StepReport&, const ScoredRollouts&)> on_step;
  std::function<void(int64_t step, const std::vector<std::pair<std::string, double>>& metrics)> on_evaluation;
  std::function<void(const std::string&)> remark;
  std::function<bool()> stop_requested;
  std::function<double()> seconds;  // a clock that never goes back; empty: the system's
};

/// One thread.
class PolicyTrainer {
 public:
  /// All must outlive it. `evaluation` may be null.
  PolicyTrainer(Context& context, TrainedModel& model, const TextModel& text, const TrainingOptions& options,
                const Questions& questions, const Questions* evaluation, ActivationStorage storage,
                PolicyHooks hooks);
  ~PolicyTrainer();

  /// As Trainer::resume.
  bool resume();
  /// As Trainer::run.
  TrainingEnd run();
  /// Metrics of answers to `questions`: "pass@1", each reward's mean, lengths.
  std::vector<std::pair<std::string, double>> evaluate(const Questions& questions);

  const RunState& state() const;
  int64_t steps() const;
  size_t rollout_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace r1::rl
