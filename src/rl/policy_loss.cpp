#include "rl/policy_loss.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

namespace r1::rl {
namespace {

// Below this a spread of rewards is rounding.
constexpr double kLeastDeviation = 1e-6;

struct Moments {
  double mean = 0, deviation = 0;  // of a sample: divided by n - 1
  int64_t count = 0;
};

Moments moments_of(std::span<const double> values) {
  Moments result;
  result.count = std::ssize(values);
  if (values.empty()) return result;
  for (const double value : values) result.mean += value / static_cast<double>(result.count);
  if (result.count < 2) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / static_cast<double>(result.count - 1));
  return result;
}

/// A ratio, its clipped value, and the derivative of the surrogate (a maximised value) by log π.
struct SurrogateValue {
  double value = 0, slope = 0;
  bool clipped_low = false, clipped_high = false;
};

SurrogateValue surrogate_of(const PolicyLoss& loss, double log_ratio, double log_prob, double advantage) {
  SurrogateValue result;
  const double ratio = std::exp(log_ratio);
  const double bounded = std::clamp(ratio, 1 - loss.clip_low, 1 + loss.clip_high);
  if (loss.surrogate == Surrogate::detached) {
    result.value = bounded * advantage * log_prob;
    result.slope = bounded * advantage;
    result.clipped_low = ratio<bounded, result.clipped_high = ratio> bounded;
    return result;
  }
  result.value = std::min(ratio * advantage, bounded * advantage);
  result.slope = ratio * advantage;
  if (bounded * advantage < ratio * advantage) {  // no gradient: the policy has moved far enough already
    result.slope = 0;
    result.clipped_low = ratio<bounded, result.clipped_high = ratio> bounded;
  }
  if (loss.dual_clip > 0 && advantage < 0 && result.value < loss.dual_clip * advantage) {
    result.value = loss.dual_clip * advantage;
    result.slope = 0;
    result.clipped_high = true;
  }
  return result;
}

/// k3 of a log ratio log(other / π), and its derivative by log π.
struct Divergence {
  double value = 0, slope = 0;
};

Divergence divergence_of(double log_prob, double other) {
  const double log_ratio = other - log_prob;
  return {std::expm1(log_ratio) - log_ratio, -std::expm1(log_ratio)};
}

/// The trained rows of one answer.
std::vector<int64_t> trained_rows(const TrainingBatch& batch, const PackedSequence& sequence) {
  std::vector<int64_t> rows;
  for (int64_t row = sequence.first_row; row < sequence.first_row + sequence.rows; ++row) {
    if (batch.targets[row] >= 0) rows.push_back(row);
  }
  return rows;
}

/// What a token's terms are multiplied by.
double token_weight(const PolicyLoss& loss, int64_t tokens, const PolicyUnits& units) {
  switch (loss.averaging) {
    case Averaging::automatic:
      break;
    case Averaging::sequence:
      return 1 / (static_cast<double>(units.sequences) * static_cast<double>(tokens));
    case Averaging::token:
      return 1 / static_cast<double>(units.tokens);
    case Averaging::constant:
      return 1 / (static_cast<double>(units.sequences) * loss.constant_length);
  }
  throw std::logic_error("averaging without a weight");
}

}  // namespace

PolicyLoss policy_loss_preset(PolicyVariant variant) {
  PolicyLoss loss;
  switch (variant) {
    case PolicyVariant::grpo:
      loss.kl = 0.001;
      break;
    case PolicyVariant::dapo:
      loss.clip_high = 0.28;
      loss.averaging = Averaging::token;
      break;
    case PolicyVariant::dr_grpo:
      loss.advantage = AdvantageKind::group_mean;
      loss.averaging = Averaging::constant;
      break;
    case PolicyVariant::gspo:
      loss.ratio = RatioKind::sequence_mean;
      loss.clip_low = 3e-4, loss.clip_high = 4e-4;
      break;
    case PolicyVariant::cispo:
      loss.surrogate = Surrogate::detached;
      loss.advantage = AdvantageKind::batch_deviation;
      loss.averaging = Averaging::token;
      loss.clip_low = 1, loss.clip_high = 5;
      break;
    case PolicyVariant::rloo:
      loss.advantage = AdvantageKind::leave_one_out;
      loss.ratio = RatioKind::sequence;
      break;
    case PolicyVariant::reinforce_plus_plus:
      loss.advantage = AdvantageKind::batch_deviation;
      loss.averaging = Averaging::token;
      break;
  }
  return loss;
}

PolicyLoss policy_loss(const ReinforcementOptions& options) {
  PolicyLoss loss = policy_loss_preset(options.variant);
  const auto take = [](double given, double& value) {
    if (given >= 0) value = given;
  };
  take(options.clip_low, loss.clip_low);
  take(options.clip_high, loss.clip_high);
  take(options.dual_clip, loss.dual_clip);
  take(options.kl, loss.kl);
  if (options.advantage != AdvantageKind::automatic) loss.advantage = options.advantage;
  if (options.averaging != Averaging::automatic) loss.averaging = options.averaging;
  loss.constant_length = static_cast<double>(options.answer_tokens);
  return loss;
}

std::vector<double> advantages_of(AdvantageKind kind, std::span<const double> rewards,
                                  std::span<const int64_t> groups) {
  if (rewards.size() != groups.size()) throw std::logic_error("advantages_of: one group for each reward");
  std::map<int64_t, std::vector<double>> by_group;
  for (size_t i = 0; i < rewards.size(); ++i) {
    if (!std::isfinite(rewards[i])) throw std::logic_error("advantages_of: a reward is not finite");
    by_group[groups[i]].push_back(rewards[i]);
  }
  std::map<int64_t, Moments> moments;
  for (const auto& [group, values] : by_group) moments[group] = moments_of(values);
  std::vector<double> result(rewards.size());
  for (size_t i = 0; i < rewards.size(); ++i) {
    const Moments& group = moments[groups[i]];
    const double centred = rewards[i] - group.mean;
    const double count = static_cast<double>(group.count);
    if (group.deviation < kLeastDeviation) continue;  // all equal, or alone
    if (kind == AdvantageKind::group_deviation) {
      result[i] = centred / group.deviation;
    } else if (kind == AdvantageKind::leave_one_out) {
      result[i] = centred * count / (count - 1);  // R - (sum - R) / (n - 1)
    } else {
      result[i] = centred;
    }
  }
  if (kind != AdvantageKind::batch_deviation) return result;
  const Moments batch = moments_of(result);
  if (batch.deviation < kLeastDeviation) return std::vector<double>(rewards.size());
  for (double& value : result) value = (value - batch.mean) / batch.deviation;
  return result;
}

LossSums policy_gradient_loss(const PolicyLoss& loss, const TrainingBatch& batch,
                              std::span<const float> log_probs, std::span<const float> reference,
                              const PolicyUnits& units) {
  LossSums out;
  out.coefficients.assign(batch.tokens.size(), 0.0F);
  for (const PackedSequence& sequence : batch.sequences) {
    const std::vector<int64_t> rows = trained_rows(batch, sequence);
    if (rows.empty()) continue;
    const auto tokens = std::ssize(rows);
    const double weight = token_weight(loss, tokens, units);
    double sum = 0;  // of log ratios
    for (const int64_t row : rows) {
      sum += static_cast<double>(log_probs[row]) - batch.sampled_log_probs[row];
    }
    const bool whole = loss.ratio != RatioKind::token;
    const double log_ratio = loss.ratio == RatioKind::sequence_mean ? sum / static_cast<double>(tokens) : sum;
    // With a sequence's ratio s every token has the term s A: its derivative by each log π is s A, over the tokens
    // where s is a geometric mean.
    const double share = loss.ratio == RatioKind::sequence_mean ? 1 / static_cast<double>(tokens) : 1;
    for (size_t i = 0; i < rows.size(); ++i) {
      const int64_t row = rows[i];
      const double own = static_cast<double>(log_probs[row]) - batch.sampled_log_probs[row];
      const SurrogateValue value =
          surrogate_of(loss, whole ? log_ratio : own, log_probs[row], sequence.label);
      out.loss -= weight * value.value;
      // A sequence's ratio depends on each of its tokens, and stands in the term of each: the sum over the tokens of
      // weight · slope · share is the derivative by one of them.
      const double slope = whole && loss.surrogate == Surrogate::clipped
                               ? weight * static_cast<double>(tokens) * share * value.slope
                               : weight * value.slope;
      double coefficient = -slope;
      if (loss.kl > 0) {
        const Divergence divergence = divergence_of(log_probs[row], reference[row]);
        out.loss += weight * loss.kl * divergence.value;
        coefficient += weight * loss.kl * divergence.slope;
        out.metrics["kl"].add(divergence.value);
      }
      out.coefficients[row] = static_cast<float>(coefficient);
      out.metrics["kl_sampled"].add(divergence_of(log_probs[row], batch.sampled_log_probs[row]).value);
      if (whole && i > 0) continue;
      const double ratio = std::exp(whole ? log_ratio : own);
      out.metrics["ratio"].add(ratio);
      out.metrics["clipped_low"].add(value.clipped_low ? 1 : 0);
      out.metrics["clipped_high"].add(value.clipped_high ? 1 : 0);
    }
  }
  return out;
}

}  // namespace r1::rl
