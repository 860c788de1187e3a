#include "eval/length_controlled.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace r1::eval {
namespace {

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

/// Preferences that follow the model exactly; lengths with a mean of `longer` and a deviation of about 500.
std::vector<LengthComparison> judged(double theta, double phi, double psi, double longer) {
  std::vector<LengthComparison> comparisons;
  double squares = 0;
  for (uint64_t i = 0; i < 300; ++i) {
    const double length = longer + 1732 * (random_uniform(1, i) - 0.5),
                 difficulty = 2 * random_uniform(2, i) - 1;
    comparisons.push_back({0, length, difficulty});
    squares += (length - longer) * (length - longer);
  }
  const double deviation = std::sqrt(squares / 299);
  for (LengthComparison& pair : comparisons)
    pair.preference =
        logistic(theta + phi * std::tanh(pair.length_difference / deviation) + psi * pair.difficulty);
  return comparisons;
}

double mean_preference(const std::vector<LengthComparison>& comparisons) {
  double sum = 0;
  for (const LengthComparison& pair : comparisons) sum += pair.preference;
  return sum / static_cast<double>(comparisons.size());
}

TEST(LengthControlledWinRate, TakesTheLengthOut) {
  // The judge likes length (phi), the model's answers are longer: the raw rate flatters it.
  const std::vector<LengthComparison> comparisons = judged(0.2, -1.5, 0.5, -400);
  double equal_length = 0;
  for (const LengthComparison& pair : comparisons)
    equal_length += logistic(0.2 + 0.5 * pair.difficulty) / 300;
  EXPECT_GT(mean_preference(comparisons), equal_length + 0.1);
  EXPECT_NEAR(length_controlled_win_rate(comparisons, {}, 0, 0).value, equal_length, 0.02);
}

TEST(LengthControlledWinRate, WithoutDifferencesItIsTheShrunkShare) {
  // One weight remains. Where the L1 objective is least, n·C·(p − share) + 1 = 0, for a C of the published grid.
  std::vector<LengthComparison> comparisons(100, LengthComparison{1, 0, 0});
  for (size_t i = 0; i < 100; i += 3) comparisons[i].preference = 0;
  const double share = 0.66, rate = length_controlled_win_rate(comparisons, {}).value;
  double nearest = 1;
  for (int i = 0; i < 10; ++i)
    nearest = std::min(nearest, std::abs(rate - (share - 1 / (100 * std::pow(10, -4 + 8.0 * i / 9)))));
  EXPECT_LT(nearest, 1e-7);
  EXPECT_NEAR(rate, share, 0.03);
}

TEST(LengthControlledWinRate, ChangingSidesGivesTheRest) {
  std::vector<LengthComparison> comparisons = judged(0.6, -1, 0.4, -200);
  const double rate = length_controlled_win_rate(comparisons, {}, 0, 0).value;
  for (LengthComparison& pair : comparisons)
    pair = {1 - pair.preference, -pair.length_difference, pair.difficulty};
  EXPECT_NEAR(length_controlled_win_rate(comparisons, {}, 0, 0).value, 1 - rate, 1e-6);
}

TEST(LengthControlledWinRate, GamedBaselinesSayHowMuchLengthCounts) {
  // All of the model's answers have the same difference in length: only the gamed baselines tell length from quality.
  std::vector<LengthComparison> model(200, LengthComparison{0.8, -1, 0.1});
  for (size_t i = 0; i < 200; i += 2) model[i].difficulty = -0.1;
  std::vector<LengthComparison> gamed;
  for (uint64_t i = 0; i < 4000; ++i) {
    const double length = 4 * random_uniform(3, i) - 2;
    gamed.push_back({logistic(-1.8 * std::tanh(length)), length, 0});
  }
  const double alone = length_controlled_win_rate(model, {}, 0, 0).value;
  EXPECT_LT(length_controlled_win_rate(model, gamed, 0, 0).value, alone - 0.05);
}

TEST(LengthControlledWinRate, TheIntervalHoldsTheRateAndIsReproducible) {
  const std::vector<LengthComparison> comparisons = judged(0.2, -1, 0.5, 0);
  const Estimate first = length_controlled_win_rate(comparisons, {}, 3, 20),
                 second = length_controlled_win_rate(comparisons, {}, 3, 20);
  EXPECT_LE(first.low, first.value);
  EXPECT_GE(first.high, first.value);
  EXPECT_LT(first.high - first.low, 0.2);
  EXPECT_EQ(first.low, second.low);
  EXPECT_EQ(length_controlled_win_rate({}, {}).high, 1);
}

}  // namespace
}  // namespace r1::eval
