// Losses against their closed forms, and their derivatives against central differences in double.
#include "train/loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "train/stage.h"

namespace r1 {
namespace {

TrainingBatch pairs() {
  TrainingBatch batch;
  for (int i = 0; i < 4; ++i) {
    const int64_t rows = 5 + i;
    batch.sequences.push_back({batch.rows(), rows, i / 2, i % 2 == 0 ? 1.0 : 0.0});
    for (int64_t r = 0; r < rows; ++r) {
      batch.tokens.push_back(1);
      batch.targets.push_back(r < 2 ? -1 : 1);
    }
  }
  return batch;
}

std::vector<float> log_probs(const TrainingBatch& batch, uint64_t seed) {
  std::vector<float> values;
  for (size_t i = 0; i < batch.tokens.size(); ++i)
    values.push_back(batch.targets[i] < 0 ? 0 : static_cast<float>(-0.1 - 2 * random_uniform(seed, i)));
  return values;
}

/// Of the stages whose loss is a function of log-probabilities alone.
LossSums token_loss(TrainingStage stage, const ObjectiveOptions& options, const TrainingBatch& batch,
                    const std::vector<float>& policy, const std::vector<float>& reference, int64_t units) {
  if (stage == TrainingStage::dpo) return dpo_loss(options, batch, policy, reference, units);
  if (stage == TrainingStage::orpo) return orpo_loss(options, batch, policy, units);
  return cross_entropy_loss(batch, policy, units);
}

class LossTest : public testing::TestWithParam<TrainingStage> {};

TEST_P(LossTest, DerivativesAgreeWithDifferences) {
  const TrainingBatch batch = pairs();
  const std::vector<float> policy = log_probs(batch, 1), reference = log_probs(batch, 2);
  const ObjectiveOptions options{0.7, 0.9, 1.3, 0.6};
  const int64_t units = GetParam() == TrainingStage::sft ? batch.target_count() : 2;
  const LossSums sums = token_loss(GetParam(), options, batch, policy, reference, units);
  for (size_t row = 0; row < policy.size(); ++row) {
    if (batch.targets[row] < 0) {
      EXPECT_EQ(sums.coefficients[row], 0);
      continue;
    }
    std::vector<float> up = policy, down = policy;
    up[row] += 0x1p-8F;
    down[row] -= 0x1p-8F;
    const double difference = (token_loss(GetParam(), options, batch, up, reference, units).loss -
                               token_loss(GetParam(), options, batch, down, reference, units).loss) /
                              (2 * 0x1p-8);
    EXPECT_NEAR(sums.coefficients[row], difference, 2e-5) << row;
  }
}

INSTANTIATE_TEST_SUITE_P(Stages, LossTest,
                         testing::Values(TrainingStage::sft, TrainingStage::dpo, TrainingStage::orpo));

TEST(Loss, DpoIsLogTwoAtTheReference) {
  const TrainingBatch batch = pairs();
  const std::vector<float> policy = log_probs(batch, 1);
  const LossSums sums = dpo_loss({}, batch, policy, policy, 2);
  EXPECT_NEAR(sums.loss, std::log(2.0), 1e-12);
  EXPECT_EQ(sums.metrics.at("rewards/margins").sum, 0);
  EXPECT_EQ(sums.metrics.at("rewards/accuracies").sum, 0);
}

TEST(Loss, KtoPushesDesirableUpAndOthersDown) {
  const TrainingBatch batch = pairs();
  const std::vector<float> policy = log_probs(batch, 1);
  const LossSums sums = kto_loss({}, batch, policy, policy, 0, 4);
  EXPECT_NEAR(sums.loss, 0.5, 1e-12);  // σ(0)
  for (const PackedSequence& sequence : batch.sequences) {
    // w · (1 - σ(±β x)): derivative ∓β/4 at x = 0, over 4 sequences
    EXPECT_NEAR(sums.coefficients[sequence.first_row + 3], (sequence.label > 0 ? -1 : 1) * 0.1 / 4 / 4, 1e-9);
  }
}

// With z given, the derivatives are those of w · (1 - σ(±β (r - z))): z gets none.
TEST(Loss, KtosDerivativesAgreeWithDifferencesAtAFixedPoint) {
  const TrainingBatch batch = pairs();
  const std::vector<float> policy = log_probs(batch, 1), reference = log_probs(batch, 2);
  const ObjectiveOptions options{0.7, 0.9, 1.3, 0.6};
  const LossSums sums = kto_loss(options, batch, policy, reference, 0.8, 4);
  double expected = 0;
  for (const PackedSequence& sequence : batch.sequences) {
    double ratio = 0;
    for (int64_t row = sequence.first_row; row < sequence.first_row + sequence.rows; ++row) {
      if (batch.targets[row] >= 0) ratio += static_cast<double>(policy[row]) - reference[row];
    }
    const double sign = sequence.label > 0 ? 1 : -1;
    const double value = 1 / (1 + std::exp(-sign * 0.7 * (ratio - 0.8)));
    const double weight = sequence.label > 0 ? 1.3 : 0.6;
    expected += weight * (1 - value) / 4;
    EXPECT_NEAR(sums.coefficients[sequence.first_row + 2], -weight * sign * 0.7 * value * (1 - value) / 4,
                1e-7);
  }
  EXPECT_NEAR(sums.loss, expected, 1e-9);
  const auto values = metric_values(sums.metrics);
  ASSERT_EQ(values[0].first, "kl");
  EXPECT_NEAR(values[0].second, 0.8, 1e-12);
}

// A mean over the answers of one label, however many others there are; of several passes together.
TEST(Loss, MetricsAreMeansOverWhatTheyAreOf) {
  TrainingBatch batch = pairs();
  for (size_t i = 0; i < batch.sequences.size(); ++i) batch.sequences[i].label = i == 0 ? 1 : 0;
  const std::vector<float> policy = log_probs(batch, 1), reference = log_probs(batch, 2);
  double first = 0, others = 0;
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    const PackedSequence& sequence = batch.sequences[i];
    for (int64_t row = sequence.first_row; row < sequence.first_row + sequence.rows; ++row) {
      if (batch.targets[row] >= 0)
        (i == 0 ? first : others) += static_cast<double>(policy[row]) - reference[row];
    }
  }
  others /= static_cast<double>(batch.sequences.size() - 1);
  Metrics metrics = kto_loss({}, batch, policy, reference, 0, 4).metrics;
  for (auto& [name, mean] : metrics) mean += MetricMean(mean);  // a second pass of the same
  const auto values = metric_values(metrics, "eval_");
  ASSERT_EQ(values.size(), 4U);
  EXPECT_EQ(values[1].first, "eval_rewards/chosen");
  EXPECT_NEAR(values[1].second, 0.1 * first, 1e-9);
  EXPECT_EQ(values[2].first, "eval_rewards/margins");
  EXPECT_NEAR(values[2].second, 0.1 * (first - others), 1e-9);
  EXPECT_NEAR(values[3].second, 0.1 * others, 1e-9);
}

TEST(Loss, KtosPointIsTakenOverEachOthersAnswers) {
  // Prompt and answer of three sequences; the last token of a turn is trained, what follows it is not.
  TrainingBatch batch;
  auto add = [&](const std::vector<int32_t>& tokens, size_t prompt, size_t trained) {
    batch.sequences.push_back(
        {batch.rows(), static_cast<int64_t>(tokens.size()), batch.rows(), tokens[0] != 20 ? 1.0 : 0.0});
    for (size_t i = 0; i < tokens.size(); ++i) {
      batch.tokens.push_back(tokens[i]);
      batch.targets.push_back(i + 1 >= prompt && i + 1 < prompt + trained ? tokens[i + 1] : -1);
    }
  };
  add({10, 11, 12, 13}, 2, 2);
  add({20, 21, 22, 23, 24}, 3, 2);
  add({30, 31, 32}, 1, 1);  // 32 is not trained
  const TrainingBatch other = mismatched_answers(batch);
  EXPECT_EQ(other.tokens, (std::vector<int32_t>{10, 11, 31, 32, 20, 21, 22, 12, 13, 30, 23, 24}));
  EXPECT_EQ(other.targets, (std::vector<int32_t>{-1, 31, -1, -1, -1, -1, 12, 13, -1, 23, 24, -1}));
  ASSERT_EQ(other.sequences.size(), 3U);
  EXPECT_EQ(other.sequences[1].first_row, 4);
  EXPECT_EQ(other.sequences[1].rows, 5);
  EXPECT_EQ(other.sequences[1].label, 0);

  std::vector<float> policy(12, 0), reference(12, 0);
  policy[1] = 1;
  policy[6] = 3;
  policy[7] = -0.5F;
  reference[9] = 2;
  policy[3] = 100;  // no target there
  EXPECT_NEAR(reference_point(other, policy, reference), (1 + 2.5 - 2) / 3.0, 1e-7);
  EXPECT_EQ(reference_point(other, reference, policy), 0);  // not below 0
  batch.sequences.resize(1);
  EXPECT_TRUE(mismatched_answers(batch).sequences.empty());
  EXPECT_EQ(reference_point({}, {}, {}), 0);
}

TEST(Loss, RewardIsLogTwoForEqualScores) {
  const TrainingBatch batch = pairs();
  std::vector<float> derivatives(4);
  const std::vector<float> scores{1, 1, 3, 2};
  const LossSums sums = reward_loss(batch, scores, 2, derivatives);
  EXPECT_NEAR(sums.loss, 0.5 * std::log(2.0) + 0.5 * std::log1p(std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(derivatives[0], -0.25, 1e-7);
  EXPECT_NEAR(derivatives[3], 0.5 / (1 + std::exp(1.0)), 1e-7);
  EXPECT_NEAR(metric_values(sums.metrics)[0].second, 0.5, 1e-12);  // rewards/accuracies
}

}  // namespace
}  // namespace r1
