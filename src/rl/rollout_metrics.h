// The numbers that a step of reinforcement learning is watched by. Names are TRL's where it has one.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rl/policy_loss.h"
#include "rl/rollout.h"
#include "rl/scored_rollouts.h"
#include "train/options.h"
#include "train/sample.h"

namespace r1::rl {

/// Of one step.
class RolloutMetrics {
 public:
  /// "reward", "reward_std" (mean over the groups), "rewards/NAME/mean" and "/std", "rewards/missing",
  /// "frac_reward_zero_std" (share of groups without spread), "completions/mean_length", "min_length", "max_length",
  /// "mean_terminated_length", "clipped_ratio" (share cut off), "thinking_length" (mean, in characters), "entropy" (-log p
  /// of what was drawn, mean over tokens: an unbiased estimate), and with the reward accuracy "pass@1" and "pass@G".
  void add_rollouts(const ScoredRollouts& scored, const TrainingOptions& options);
  void add_loss(const LossSums& sums);
  /// "mismatch": the largest |log p of the trainer - log p of the sampler|, which must be 0.
  void add_mismatch(const TrainingBatch& batch, std::span<const float> log_probs);
  void add_times(const RolloutStatistics& rollouts, double rollout_seconds, double train_seconds);

  std::vector<std::pair<std::string, double>> values() const;

 private:
  std::vector<std::pair<std::string, double>> values_;
  Metrics loss_;
  double mismatch_ = -1;  // below 0: nothing was compared
};

}  // namespace r1::rl
