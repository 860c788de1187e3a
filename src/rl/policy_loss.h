// Objectives of policy-gradient training over sampled answers, as one family: an advantage for each answer, an importance
// ratio, a surrogate, a way to average. Named variants are settings of it (policy_loss_preset).
//
// With r = π(token) / π_sampled(token) and A the advantage of the token's answer, a token contributes
//   clipped    -min(r A, clip(r, 1-ε_low, 1+ε_high) A)             (PPO, Schulman et al., 2017)
//              and where A < 0 and `dual_clip` c > 0: -max(that minimum, c A)  (Ye et al., 2020)
//   detached   -sg(clip(r, 1-ε_low, 1+ε_high)) A log π             (CISPO; MiniMax-M1, 2025)
// plus kl · k3, k3 = π_ref/π - log(π_ref/π) - 1 (Schulman, Approximating KL divergence, 2020), always token by token.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "train/loss.h"
#include "train/options.h"
#include "train/sample.h"

namespace r1::rl {

/// Everything that defines the loss; no value is "as the variant says" here.
struct PolicyLoss {
  AdvantageKind advantage = AdvantageKind::group_deviation;
  RatioKind ratio = RatioKind::token;
  Surrogate surrogate = Surrogate::clipped;
  Averaging averaging = Averaging::sequence;
  double clip_low = 0.2, clip_high = 0.2;
  double dual_clip = 0;        // 0: off; else above 1
  double kl = 0;               // β
  double constant_length = 1;  // Averaging::constant: tokens that an answer is divided by
};

/// The settings of a published variant (docs/reinforcement-learning.md has the sources).
PolicyLoss policy_loss_preset(PolicyVariant variant);

/// The variant's settings with those of `options` that somebody set.
PolicyLoss policy_loss(const ReinforcementOptions& options);

/// One advantage for each answer. `groups`: the number of its question; answers of a group need not be neighbours. Groups
/// whose rewards are all equal get zeros. Not finite rewards: std::logic_error.
std::vector<double> advantages_of(AdvantageKind kind, std::span<const double> rewards,
                                  std::span<const int64_t> groups);

/// What the optimiser's step is a mean over: all answers and trained tokens of its micro-batches.
struct PolicyUnits {
  int64_t sequences = 0, tokens = 0;
};

/// The loss of one micro-batch as a part of `units`. PackedSequence::label is the answer's advantage,
/// TrainingBatch::sampled_log_probs what was drawn; an answer whose targets are all -1 is left out. log_probs, reference:
/// [rows]; reference is read where kl > 0. Metrics: "ratio", "ratio_max_deviation", "clipped_low", "clipped_high" (shares of
/// tokens, or of answers with a sequence's ratio), "kl" (k3 against the reference), "kl_sampled" (k3 against the sampler).
LossSums policy_gradient_loss(const PolicyLoss& loss, const TrainingBatch& batch,
                              std::span<const float> log_probs, std::span<const float> reference,
                              const PolicyUnits& units);

}  // namespace r1::rl
