#include "rl/rollout_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace r1::rl {
namespace {

struct Spread {
  double mean = 0, deviation = 0;
};

/// Of the finite values; deviation as of a sample.
Spread spread_of(std::span<const double> values) {
  double sum = 0, squares = 0, count = 0;
  for (const double value : values) {
    if (std::isfinite(value)) sum += value, ++count;
  }
  if (count == 0) return {};
  const double mean = sum / count;
  for (const double value : values) {
    if (std::isfinite(value)) squares += (value - mean) * (value - mean);
  }
  return {mean, count > 1 ? std::sqrt(squares / (count - 1)) : 0};
}

std::map<int64_t, std::vector<double>> by_group(const ScoredRollouts& scored,
                                                std::span<const double> values) {
  std::map<int64_t, std::vector<double>> groups;
  for (size_t i = 0; i < values.size(); ++i) groups[scored.rollouts[i].group].push_back(values[i]);
  return groups;
}

}  // namespace

void RolloutMetrics::add_rollouts(const ScoredRollouts& scored, const TrainingOptions& options) {
  const auto add = [&](std::string name, double value) { values_.emplace_back(std::move(name), value); };
  const auto count = static_cast<double>(scored.rollouts.size());
  if (scored.rollouts.empty()) return;
  add("reward", spread_of(scored.rewards).mean);
  double deviations = 0, flat = 0;
  const auto groups = by_group(scored, scored.rewards);
  for (const auto& [group, rewards] : groups) {
    const double deviation = spread_of(rewards).deviation;
    deviations += deviation;
    flat += deviation == 0 ? 1 : 0;
  }
  add("reward_std", deviations / static_cast<double>(groups.size()));
  add("frac_reward_zero_std", flat / static_cast<double>(groups.size()));
  for (size_t i = 0; i < scored.names.size(); ++i) {
    const Spread spread = spread_of(scored.parts[i]);
    add(fmt::format("rewards/{}/mean", scored.names[i]), spread.mean);
    add(fmt::format("rewards/{}/std", scored.names[i]), spread.deviation);
    if (scored.names[i] != "accuracy") continue;
    double solved = 0;
    for (const auto& [group, values] : by_group(scored, scored.parts[i])) {
      solved += std::ranges::any_of(values, [](double value) { return value > 0; }) ? 1 : 0;
    }
    const int64_t samples = std::ssize(scored.rollouts) / std::max<int64_t>(1, std::ssize(groups));
    add("pass@1", spread.mean);
    add(fmt::format("pass@{}", samples), solved / static_cast<double>(groups.size()));
  }
  const auto missing =
      std::ranges::count_if(scored.rewards, [](double reward) { return !std::isfinite(reward); });
  if (missing > 0) add("rewards/missing", static_cast<double>(missing));
  double tokens = 0, ended = 0, ended_tokens = 0, thinking = 0, log_probs = 0;
  int64_t shortest = options.answer_tokens, longest = 0;
  for (const Rollout& rollout : scored.rollouts) {
    const int64_t length = rollout.answer.tokens;
    tokens += static_cast<double>(length);
    shortest = std::min(shortest, length), longest = std::max(longest, length);
    if (rollout.answer.finished) ++ended, ended_tokens += static_cast<double>(length);
    thinking += static_cast<double>(rollout.answer.reasoning.size());
    for (const float log_prob : rollout.log_probs) log_probs += log_prob;
  }
  add("completions/mean_length", tokens / count);
  add("completions/min_length", static_cast<double>(shortest));
  add("completions/max_length", static_cast<double>(longest));
  add("completions/mean_terminated_length", ended > 0 ? ended_tokens / ended : 0);
  add("completions/clipped_ratio", 1 - ended / count);
  add("completions/thinking_length", thinking / count);
  add("entropy", -log_probs / std::max(1.0, tokens));
}

void RolloutMetrics::add_loss(const LossSums& sums) {
  for (const auto& [name, mean] : sums.metrics) loss_[name] += mean;
}

void RolloutMetrics::add_mismatch(const TrainingBatch& batch, std::span<const float> log_probs) {
  mismatch_ = std::max(mismatch_, 0.0);
  for (size_t row = 0; row < batch.targets.size(); ++row) {
    if (batch.targets[row] < 0) continue;
    mismatch_ =
        std::max(mismatch_, std::fabs(static_cast<double>(log_probs[row]) - batch.sampled_log_probs[row]));
  }
}

void RolloutMetrics::add_times(const RolloutStatistics& rollouts, double rollout_seconds,
                               double train_seconds) {
  values_.emplace_back("time/rollout", rollouts.seconds);
  values_.emplace_back("time/reward", std::max(0.0, rollout_seconds - rollouts.seconds));
  values_.emplace_back("time/train", train_seconds);
  values_.emplace_back("rollout_tokens_per_second",
                       static_cast<double>(rollouts.tokens) / std::max(1e-9, rollouts.seconds));
}

std::vector<std::pair<std::string, double>> RolloutMetrics::values() const {
  std::vector<std::pair<std::string, double>> result = values_;
  for (const auto& [name, value] : metric_values(loss_)) result.emplace_back(name, value);
  if (mismatch_ >= 0) result.emplace_back("mismatch", mismatch_);
  return result;
}

}  // namespace r1::rl
