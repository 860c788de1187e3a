#include "train/loss.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace r1 {
namespace {

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

double minus_log_sigmoid(double x) {
  return std::max(-x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
}

struct SequenceSum {
  double policy = 0, reference = 0;
  int64_t tokens = 0;
  double ratio() const { return policy - reference; }
  double mean() const { return tokens > 0 ? policy / static_cast<double>(tokens) : 0; }
};

SequenceSum sum_of(const TrainingBatch& batch, const PackedSequence& sequence,
                   std::span<const float> log_probs, std::span<const float> reference) {
  SequenceSum sum;
  for (int64_t row = sequence.first_row; row < sequence.first_row + sequence.rows; ++row) {
    if (batch.targets[row] < 0) continue;
    sum.policy += log_probs[row];
    if (!reference.empty()) sum.reference += reference[row];
    ++sum.tokens;
  }
  return sum;
}

LossSums no_loss(const TrainingBatch& batch) {
  LossSums out;
  out.coefficients.assign(batch.tokens.size(), 0.0F);
  return out;
}

void set_coefficients(const TrainingBatch& batch, const PackedSequence& sequence, double value,
                      LossSums& out) {
  for (int64_t row = sequence.first_row; row < sequence.first_row + sequence.rows; ++row) {
    if (batch.targets[row] >= 0) out.coefficients[row] = static_cast<float>(value);
  }
}

// Calls body(chosen, rejected) for the pairs of a batch.
template <typename Body>
void for_each_pair(const TrainingBatch& batch, const Body& body) {
  const size_t count = batch.sequences.size();
  for (size_t i = 0; i < count; i += 2) {
    if (i + 1 == count || batch.sequences[i].label != 1 || batch.sequences[i + 1].label != 0) {
      throw_error(ErrorKind::invalid_argument,
                  "preference batch: sequence {}: expected chosen and rejected in turn", i);
    }
    body(i, i + 1);
  }
}

void add_pair_metrics(double chosen, double rejected, LossSums& out) {
  out.metrics["rewards/chosen"].add(chosen);
  out.metrics["rewards/rejected"].add(rejected);
  out.metrics["rewards/margins"].add(chosen - rejected);
  out.metrics["rewards/accuracies"].add(chosen > rejected ? 1 : 0);
}

// log(p / (1 - p)) of p = exp(mean), and its derivative by the mean.
double log_odds(double mean, double* slope) {
  const double bounded = std::min(mean, -1e-6);  // p = 1 has no odds
  const double rest = -std::expm1(bounded);      // 1 - p
  *slope = 1 / rest;
  return bounded - std::log(rest);
}

}  // namespace

std::vector<std::pair<std::string, double>> metric_values(const Metrics& metrics, const std::string& prefix) {
  std::map<std::string, double> values;
  for (const auto& [name, mean] : metrics) {
    if (mean.count > 0) values.emplace(name, mean.sum / mean.count);
  }
  if (values.contains("rewards/chosen") && values.contains("rewards/rejected"))
    values.emplace("rewards/margins", values.at("rewards/chosen") - values.at("rewards/rejected"));
  std::vector<std::pair<std::string, double>> result(values.begin(), values.end());
  for (auto& [name, value] : result) name.insert(0, prefix);
  return result;
}

LossSums cross_entropy_loss(const TrainingBatch& batch, std::span<const float> log_probs, int64_t units) {
  LossSums out = no_loss(batch);
  const double share = 1.0 / static_cast<double>(units);
  for (size_t row = 0; row < batch.targets.size(); ++row) {
    if (batch.targets[row] < 0) continue;
    out.loss -= share * log_probs[row];
    out.coefficients[row] = static_cast<float>(-share);
  }
  return out;
}

LossSums dpo_loss(const ObjectiveOptions& options, const TrainingBatch& batch,
                  std::span<const float> log_probs, std::span<const float> reference, int64_t units) {
  LossSums out = no_loss(batch);
  const double share = 1.0 / static_cast<double>(units);
  for_each_pair(batch, [&](size_t c, size_t r) {
    const SequenceSum chosen = sum_of(batch, batch.sequences[c], log_probs, reference);
    const SequenceSum rejected = sum_of(batch, batch.sequences[r], log_probs, reference);
    const double x = options.beta * (chosen.ratio() - rejected.ratio());
    out.loss += share * minus_log_sigmoid(x);
    const double slope = -share * options.beta * sigmoid(-x);
    set_coefficients(batch, batch.sequences[c], slope, out);
    set_coefficients(batch, batch.sequences[r], -slope, out);
    add_pair_metrics(options.beta * chosen.ratio(), options.beta * rejected.ratio(), out);
  });
  return out;
}

LossSums orpo_loss(const ObjectiveOptions& options, const TrainingBatch& batch,
                   std::span<const float> log_probs, int64_t units) {
  LossSums out = no_loss(batch);
  const double share = 1.0 / static_cast<double>(units);
  for_each_pair(batch, [&](size_t c, size_t r) {
    const SequenceSum chosen = sum_of(batch, batch.sequences[c], log_probs, {});
    const SequenceSum rejected = sum_of(batch, batch.sequences[r], log_probs, {});
    double chosen_slope = 0, rejected_slope = 0;
    const double x = log_odds(chosen.mean(), &chosen_slope) - log_odds(rejected.mean(), &rejected_slope);
    out.loss += share * (-chosen.mean() + options.orpo_lambda * minus_log_sigmoid(x));
    const double slope = -options.orpo_lambda * sigmoid(-x);
    const auto chosen_tokens = static_cast<double>(std::max<int64_t>(1, chosen.tokens));
    const auto rejected_tokens = static_cast<double>(std::max<int64_t>(1, rejected.tokens));
    set_coefficients(batch, batch.sequences[c], share * (-1 + slope * chosen_slope) / chosen_tokens, out);
    set_coefficients(batch, batch.sequences[r], -share * slope * rejected_slope / rejected_tokens, out);
    add_pair_metrics(options.orpo_lambda * chosen.mean(), options.orpo_lambda * rejected.mean(), out);
  });
  return out;
}

LossSums kto_loss(const ObjectiveOptions& options, const TrainingBatch& batch,
                  std::span<const float> log_probs, std::span<const float> reference, double point,
                  int64_t units) {
  LossSums out = no_loss(batch);
  const double share = 1.0 / static_cast<double>(units);
  for (const PackedSequence& sequence : batch.sequences) {
    const double ratio = sum_of(batch, sequence, log_probs, reference).ratio();
    const bool desirable = sequence.label > 0;
    const double sign = desirable ? 1 : -1;
    const double weight = desirable ? options.desirable_weight : options.undesirable_weight;
    const double value = sigmoid(sign * options.beta * (ratio - point));
    out.loss += share * weight * (1 - value);
    set_coefficients(batch, sequence, -share * weight * sign * options.beta * value * (1 - value), out);
    out.metrics[desirable ? "rewards/chosen" : "rewards/rejected"].add(options.beta * ratio);
    out.metrics["kl"].add(point);
  }
  return out;
}

TrainingBatch mismatched_answers(const TrainingBatch& batch) {
  TrainingBatch out;
  const size_t count = batch.sequences.size();
  if (count < 2) return out;
  // The first row of the answer: behind the row that predicts it.
  auto answer = [&](const PackedSequence& sequence) {
    const int64_t end = sequence.first_row + sequence.rows;
    int64_t row = sequence.first_row;
    while (row < end && batch.targets[row] < 0) ++row;
    return std::min(row + 1, end);
  };
  for (size_t i = 0; i < count; ++i) {
    const PackedSequence& prompt = batch.sequences[i];
    const PackedSequence& other = batch.sequences[(i + count - 1) % count];
    const int64_t prompt_end = answer(prompt), begin = answer(other), end = other.first_row + other.rows;
    const int64_t rows = prompt_end - prompt.first_row + end - begin;
    out.sequences.push_back({out.rows(), rows, prompt.sample, prompt.label});
    out.tokens.insert(out.tokens.end(), batch.tokens.begin() + prompt.first_row,
                      batch.tokens.begin() + prompt_end);
    out.targets.insert(out.targets.end(), static_cast<size_t>(prompt_end - prompt.first_row - 1), -1);
    out.targets.push_back(begin < end ? batch.targets[begin - 1] : -1);
    out.tokens.insert(out.tokens.end(), batch.tokens.begin() + begin, batch.tokens.begin() + end);
    out.targets.insert(out.targets.end(), batch.targets.begin() + begin, batch.targets.begin() + end);
  }
  return out;
}

double reference_point(const TrainingBatch& mismatched, std::span<const float> log_probs,
                       std::span<const float> reference) {
  if (mismatched.sequences.empty()) return 0;
  double sum = 0;
  for (const PackedSequence& sequence : mismatched.sequences)
    sum += sum_of(mismatched, sequence, log_probs, reference).ratio();
  return std::max(0.0, sum / static_cast<double>(mismatched.sequences.size()));
}

LossSums reward_loss(const TrainingBatch& batch, std::span<const float> scores, int64_t units,
                     std::span<float> derivatives) {
  LossSums out;
  const double share = 1.0 / static_cast<double>(units);
  for_each_pair(batch, [&](size_t c, size_t r) {
    const double x = static_cast<double>(scores[c]) - scores[r];
    out.loss += share * minus_log_sigmoid(x);
    const double slope = -share * sigmoid(-x);
    derivatives[c] = static_cast<float>(slope);
    derivatives[r] = static_cast<float>(-slope);
    add_pair_metrics(scores[c], scores[r], out);
  });
  return out;
}

}  // namespace r1
