// Losses: from log-probabilities of tokens to a number and its derivatives.
//   sft, pretrain   mean of -log p over the trained tokens
//   dpo    -log σ(β · Δ),  Δ = (log π - log π_ref)(chosen) - (log π - log π_ref)(rejected)
//          (Rafailov et al., Direct Preference Optimization, 2023)
//   orpo   mean -log p of the chosen answer + λ · -log σ(log odds(chosen) - log odds(rejected)), with odds of
//          the mean probability of a token: p / (1 - p) (Hong et al., ORPO, 2024)
//   kto    w · (1 - σ(±β · (log π - log π_ref - z)))  (Ethayarajh et al., KTO, 2024, section 4.1); z, which
//          gets no gradient, is the mean of log π - log π_ref over a pass whose prompts have each other's
//          answers (mismatched_answers), not below 0
//   reward -log σ(score(chosen) - score(rejected)), the score being a linear function of the last token's row
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "train/options.h"
#include "train/sample.h"

namespace r1 {

/// A mean over the sequences or pairs that a metric is of (with kto, those of one label), of passes or steps
/// together.
struct MetricMean {
  double sum = 0, count = 0;

  void add(double value) { sum += value, ++count; }
  MetricMean& operator+=(const MetricMean& other) {
    sum += other.sum, count += other.count;
    return *this;
  }
};
using Metrics = std::map<std::string, MetricMean>;

/// Means by name, with `prefix` before the names. With kto also rewards/margins, where both labels were seen.
std::vector<std::pair<std::string, double>> metric_values(const Metrics& metrics,
                                                          const std::string& prefix = "");

/// What a pass adds to a step. Loss and coefficients are already divided by the step's units, so passes add
/// up.
struct LossSums {
  double loss = 0;
  std::vector<float> coefficients;  // [rows]: derivative of the loss by log p of the row's target
  Metrics metrics;                  // "rewards/chosen", …: TRL's names
};

// Of all functions: log_probs and reference are [rows], of the targets; `units` is what the whole step's loss is a mean
// over (trained tokens, pairs, or sequences).

LossSums cross_entropy_loss(const TrainingBatch& batch, std::span<const float> log_probs, int64_t units);
LossSums dpo_loss(const ObjectiveOptions& options, const TrainingBatch& batch,
                  std::span<const float> log_probs, std::span<const float> reference, int64_t units);
LossSums orpo_loss(const ObjectiveOptions& options, const TrainingBatch& batch,
                   std::span<const float> log_probs, int64_t units);
/// `point`: z above.
LossSums kto_loss(const ObjectiveOptions& options, const TrainingBatch& batch,
                  std::span<const float> log_probs, std::span<const float> reference, double point,
                  int64_t units);

/// Each sequence's prompt (up to its first target) with the answer of the sequence before it, the first one's
/// with the last one's. As many rows as `batch`. Empty for fewer than two sequences.
TrainingBatch mismatched_answers(const TrainingBatch& batch);
/// z of kto: the mean over the sequences of Σ (log_probs - reference), not below 0.
double reference_point(const TrainingBatch& mismatched, std::span<const float> log_probs,
                       std::span<const float> reference);

/// scores: one a sequence. derivatives: the loss's by each score.
LossSums reward_loss(const TrainingBatch& batch, std::span<const float> scores, int64_t units,
                     std::span<float> derivatives);

}  // namespace r1
