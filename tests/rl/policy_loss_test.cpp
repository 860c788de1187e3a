// Objectives against closed forms worked by hand and central differences, at ratios away from 1 on both sides of the clip.
#include "rl/policy_loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace r1::rl {
namespace {

constexpr PolicyVariant kVariants[] = {PolicyVariant::grpo,
                                       PolicyVariant::dapo,
                                       PolicyVariant::dr_grpo,
                                       PolicyVariant::gspo,
                                       PolicyVariant::cispo,
                                       PolicyVariant::rloo,
                                       PolicyVariant::reinforce_plus_plus};

/// Two answers of three and two tokens behind prompts of one row each.
struct Example {
  TrainingBatch batch;
  std::vector<float> log_probs, reference;
  PolicyUnits units{2, 5};
};

Example example(double first_advantage, double second_advantage) {
  Example made;
  made.batch.tokens.assign(7, 1);
  made.batch.targets = {-1, 5, 6, 7, -1, 8, 9};
  made.batch.sequences.resize(2);
  made.batch.sequences[0].rows = 4;
  made.batch.sequences[0].label = first_advantage;
  made.batch.sequences[1].first_row = 4;
  made.batch.sequences[1].rows = 3;
  made.batch.sequences[1].label = second_advantage;
  made.batch.sampled_log_probs = {0, -1.0F, -2.0F, -0.5F, 0, -1.5F, -0.7F};
  made.log_probs = {0, -1.5F, -1.5F, -0.45F, 0, -1.0F, -1.1F};  // ratios 0.61, 1.65, 1.05; 1.65, 0.67
  made.reference = {0, -1.2F, -1.9F, -0.6F, 0, -1.4F, -0.9F};
  return made;
}

double loss_of(const PolicyLoss& loss, const Example& at) {
  return policy_gradient_loss(loss, at.batch, at.log_probs, at.reference, at.units).loss;
}

/// Central differences of the loss by each log-probability. `detached`: the ratio is held, as the surrogate says.
void expect_gradient(const PolicyLoss& loss, const Example& at) {
  const LossSums sums = policy_gradient_loss(loss, at.batch, at.log_probs, at.reference, at.units);
  for (size_t row = 0; row < at.log_probs.size(); ++row) {
    if (at.batch.targets[row] < 0) {
      EXPECT_EQ(sums.coefficients[row], 0);
      continue;
    }
    constexpr float kStep = 1.0F / 1024;
    Example above = at, below = at;
    above.log_probs[row] += kStep;
    below.log_probs[row] -= kStep;
    const double width = static_cast<double>(above.log_probs[row]) - below.log_probs[row];
    EXPECT_NEAR(sums.coefficients[row], (loss_of(loss, above) - loss_of(loss, below)) / width, 2e-5)
        << "row " << row;
  }
}

TEST(PolicyLossTest, DerivativesAreTheCentralDifferencesOnBothSidesOfTheClip) {
  for (const PolicyVariant variant : kVariants) {
    if (variant == PolicyVariant::cispo) continue;  // its ratio has no gradient: below
    for (const double kl : {0.0, 0.3}) {
      for (const double sign : {1.0, -1.0}) {
        SCOPED_TRACE(testing::Message() << text_of(variant) << " kl " << kl << " sign " << sign);
        PolicyLoss loss = policy_loss_preset(variant);
        loss.kl = kl;
        loss.constant_length = 6;
        expect_gradient(loss, example(sign * 0.8, -sign * 1.3));
        loss.dual_clip = 1.2;
        expect_gradient(loss, example(sign * 0.8, -sign * 1.3));
      }
    }
  }
}

TEST(PolicyLossTest, CispoWeighsLogProbabilitiesByTheClippedRatioAndDropsNoToken) {
  PolicyLoss loss = policy_loss_preset(PolicyVariant::cispo);
  loss.clip_low = 0.3, loss.clip_high = 0.4;
  const Example at = example(2, -1);
  const LossSums sums = policy_gradient_loss(loss, at.batch, at.log_probs, {}, at.units);
  const double weight = 1.0 / 5;
  EXPECT_NEAR(sums.coefficients[1], -weight * 0.7 * 2, 1e-6);             // 0.61 becomes 0.7
  EXPECT_NEAR(sums.coefficients[2], -weight * 1.4 * 2, 1e-6);             // 1.65 becomes 1.4
  EXPECT_NEAR(sums.coefficients[3], -weight * std::exp(0.05) * 2, 1e-6);  // inside
  EXPECT_NEAR(sums.coefficients[5], weight * 1.4, 1e-6);
}

TEST(PolicyLossTest, GrpoIsTheMeanOverAnswersOfTheMeanOverTokens) {
  PolicyLoss loss;  // clip 0.2
  const Example at = example(1, -1);
  // min(r A, clip(r) A): 0.6065, 1.2, 1.0513 of A = 1; of A = -1: min(-1.6487, -1.2) and min(-0.6703, -0.8).
  const double first = (std::exp(-0.5) + 1.2 + std::exp(0.05)) / 3;
  const double second = (-std::exp(0.5) - 0.8) / 2;
  EXPECT_NEAR(loss_of(loss, at), -(first + second) / 2, 1e-6);
  const LossSums sums = policy_gradient_loss(loss, at.batch, at.log_probs, {}, at.units);
  EXPECT_EQ(sums.coefficients[2], 0) << "above the clip, and good: far enough";
  EXPECT_EQ(sums.coefficients[6], 0) << "below the clip, and bad";
  EXPECT_NEAR(sums.coefficients[1], -std::exp(-0.5) / 6, 1e-6);
  EXPECT_NEAR(sums.metrics.at("clipped_high").sum, 1, 0);
  EXPECT_NEAR(sums.metrics.at("clipped_low").sum, 1, 0);
}

TEST(PolicyLossTest, TokensAreAveragedAsTheVariantSays) {
  PolicyLoss loss;
  const Example at = example(1, -1);
  const double first = std::exp(-0.5) + 1.2 + std::exp(0.05), second = -std::exp(0.5) - 0.8;
  loss.averaging = Averaging::token;
  EXPECT_NEAR(loss_of(loss, at), -(first + second) / 5, 1e-6);
  loss.averaging = Averaging::constant;
  loss.constant_length = 10;
  EXPECT_NEAR(loss_of(loss, at), -(first + second) / (2 * 10), 1e-6);
}

TEST(PolicyLossTest, AMicroBatchIsItsShareOfTheStep) {
  for (const PolicyVariant variant : kVariants) {
    PolicyLoss loss = policy_loss_preset(variant);
    loss.kl = 0.1;
    const Example both = example(0.8, -1.3);
    Example one = both, other = both;  // the same rows, the other answer's without targets
    std::fill_n(one.batch.targets.begin() + 4, 3, -1);
    std::fill_n(other.batch.targets.begin(), 4, -1);
    EXPECT_NEAR(loss_of(loss, both), loss_of(loss, one) + loss_of(loss, other), 1e-9) << text_of(variant);
  }
}

TEST(PolicyLossTest, GspoTakesTheGeometricMeanOfAnAnswersRatios) {
  PolicyLoss loss = policy_loss_preset(PolicyVariant::gspo);
  loss.clip_low = loss.clip_high = 0.5;
  const Example at = example(1, -1);
  const double first = std::exp((-0.5 + 0.5 + 0.05) / 3), second = -std::exp((0.5 - 0.4) / 2);
  EXPECT_NEAR(loss_of(loss, at), -(first + second) / 2, 1e-6);
  loss.ratio = RatioKind::sequence;
  EXPECT_NEAR(loss_of(loss, at), -(std::exp(0.05) - std::exp(0.1)) / 2, 1e-6);
}

TEST(PolicyLossTest, DualClipBoundsWhatABadAnswerCosts) {
  PolicyLoss loss;
  loss.dual_clip = 1.3;
  const Example at = example(0, -1);
  const LossSums sums = policy_gradient_loss(loss, at.batch, at.log_probs, {}, at.units);
  EXPECT_NEAR(sums.loss, (1.3 + 0.8) / 4, 1e-6);  // 1.65 is bounded by 1.3
  EXPECT_EQ(sums.coefficients[5], 0);
}

TEST(AdvantagesTest, AreTheHandWorkedOnes) {
  const std::vector<double> rewards{1, 0, 0, 1, 2, 2, 5, 5};
  const std::vector<int64_t> groups{0, 0, 0, 0, 1, 1, 1, 1};
  const double deviation = std::sqrt(1.0 / 3);  // of 1, 0, 0, 1
  std::vector<double> found = advantages_of(AdvantageKind::group_deviation, rewards, groups);
  EXPECT_NEAR(found[0], 0.5 / deviation, 1e-12);
  EXPECT_NEAR(found[1], -0.5 / deviation, 1e-12);
  EXPECT_NEAR(found[4], -1.5 / std::sqrt(3.0), 1e-12);
  found = advantages_of(AdvantageKind::group_mean, rewards, groups);
  EXPECT_EQ(found, (std::vector<double>{0.5, -0.5, -0.5, 0.5, -1.5, -1.5, 1.5, 1.5}));
  found = advantages_of(AdvantageKind::leave_one_out, rewards, groups);
  EXPECT_NEAR(found[0], 1 - 1.0 / 3, 1e-12);
  EXPECT_NEAR(found[6], 5 - 3, 1e-12);
  found = advantages_of(AdvantageKind::batch_deviation, rewards, groups);
  const double batch = std::sqrt((4 * 0.25 + 4 * 2.25) / 7);
  EXPECT_NEAR(found[0], 0.5 / batch, 1e-12);
  EXPECT_NEAR(found[6], 1.5 / batch, 1e-12);
}

TEST(AdvantagesTest, EqualRewardsTeachNothingAndTheNumbersOfGroupsDoNotMatter) {
  constexpr AdvantageKind kKinds[] = {AdvantageKind::group_deviation, AdvantageKind::group_mean,
                                      AdvantageKind::leave_one_out, AdvantageKind::batch_deviation};
  for (const AdvantageKind kind : kKinds) {
    for (const double value :
         advantages_of(kind, std::vector<double>{0.3, 0.3, 0.3, 7}, std::vector<int64_t>{4, 4, 4, 9})) {
      EXPECT_EQ(value, 0);
    }
    std::mt19937_64 random(3);
    std::vector<double> rewards(24);
    std::vector<int64_t> groups(24);
    for (size_t i = 0; i < rewards.size(); ++i) {
      rewards[i] = static_cast<double>(random() % 4);
      groups[i] = static_cast<int64_t>(i / 6);
    }
    const std::vector<double> expected = advantages_of(kind, rewards, groups);
    std::vector<size_t> order(24);
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::shuffle(order, random);
    const std::vector<int64_t> names{900, -3, 17, 2};
    std::vector<double> mixed;
    std::vector<int64_t> mixed_groups;
    for (const size_t i : order) mixed.push_back(rewards[i]), mixed_groups.push_back(names[groups[i]]);
    const std::vector<double> found = advantages_of(kind, mixed, mixed_groups);
    for (size_t i = 0; i < order.size(); ++i) EXPECT_NEAR(found[i], expected[order[i]], 1e-12);
  }
}

TEST(AdvantagesTest, ARewardThatIsNoNumberIsABug) {
  EXPECT_THROW(advantages_of(AdvantageKind::group_mean,
                             std::vector<double>{1, std::numeric_limits<double>::quiet_NaN()},
                             std::vector<int64_t>{0, 0}),
               std::logic_error);
}

}  // namespace
}  // namespace r1::rl
