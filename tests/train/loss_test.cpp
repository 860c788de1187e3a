// Losses against their closed forms, and their derivatives against central differences in double.
#include "train/loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace r1 {
namespace {

TrainingBatch pairs() {
  TrainingBatch batch;
  for (int i = 0; i < 4; ++i) {
    const int64_t rows = 5 + i;
    batch.sequences.push_back({batch.rows(), rows, i / 2, i % 2 == 1, i % 2 == 0});
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

class LossTest : public testing::TestWithParam<TrainingStage> {};

TEST_P(LossTest, DerivativesAgreeWithDifferences) {
  const TrainingBatch batch = pairs();
  const std::vector<float> policy = log_probs(batch, 1), reference = log_probs(batch, 2);
  const LossOptions options{0.7, 0.9, 1.3, 0.6};
  const int64_t units = loss_units(GetParam(), batch);
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
  const LossSums sums = token_loss(TrainingStage::dpo, {}, batch, policy, policy, 2);
  EXPECT_NEAR(sums.loss, std::log(2.0), 1e-12);
  EXPECT_EQ(sums.metrics.at("rewards/margins"), 0);
  EXPECT_EQ(sums.metrics.at("rewards/accuracies"), 0);
}

TEST(Loss, KtoPushesDesirableUpAndOthersDown) {
  const TrainingBatch batch = pairs();
  const std::vector<float> policy = log_probs(batch, 1);
  const LossSums sums = token_loss(TrainingStage::kto, {}, batch, policy, policy, 4);
  EXPECT_NEAR(sums.loss, 0.5, 1e-12);  // σ(0)
  for (const PackedSequence& sequence : batch.sequences) {
    // w · (1 - σ(±β x)): derivative ∓β/4 at x = 0, over 4 sequences
    EXPECT_NEAR(sums.coefficients[sequence.first_row + 3], (sequence.desirable ? -1 : 1) * 0.1 / 4 / 4, 1e-9);
  }
}

TEST(Loss, RewardIsLogTwoForEqualScores) {
  const TrainingBatch batch = pairs();
  std::vector<float> derivatives(4);
  const std::vector<float> scores{1, 1, 3, 2};
  const LossSums sums = reward_loss(batch, scores, 2, derivatives);
  EXPECT_NEAR(sums.loss, 0.5 * std::log(2.0) + 0.5 * std::log1p(std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(derivatives[0], -0.25, 1e-7);
  EXPECT_NEAR(derivatives[3], 0.5 / (1 + std::exp(1.0)), 1e-7);
  EXPECT_NEAR(sums.metrics.at("rewards/accuracies"), 0.5, 1e-12);
}

}  // namespace
}  // namespace r1
