#include "eval/elo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"

namespace r1::eval {
namespace {

TEST(EloRating, AnEvenShareIsTheDifficulty) {
  const std::vector<RatedProblem> problems = {{1500, 0.5}};
  EXPECT_NEAR(elo_rating(problems).value, 1500, 1e-6);
}

TEST(EloRating, OddsOfTenAreFourHundredPoints) {
  const std::vector<RatedProblem> problems(11, RatedProblem{1200, 10.0 / 11});
  EXPECT_NEAR(elo_rating(problems).value, 1600, 1e-6);
  // Half of a symmetric contest.
  const std::vector<RatedProblem> ladder = {{800, 1}, {1200, 1}, {1600, 0}, {2000, 0}};
  EXPECT_NEAR(elo_rating(ladder).value, 1400, 1e-6);
}

TEST(EloRating, TheIntervalIsWhereTheLikelihoodFallsByHalfOfChiSquare) {
  // n tries at one difficulty: the interval of a proportion by the likelihood ratio. For 5 of 10 it
  // ends where 4·p·(1 − p) = e^(−3.8415/10).
  std::vector<RatedProblem> problems(10, RatedProblem{1000, 1});
  for (size_t i = 0; i < 5; ++i) problems[i].solved = 0;
  const Rating rating = elo_rating(problems);
  const auto share = [](double points) { return 1 / (1 + std::pow(10, (1000 - points) / 400)); };
  const double half = std::sqrt(1 - std::exp(-0.38414588)) / 2;
  EXPECT_NEAR(share(rating.low), 0.5 - half, 1e-7);
  EXPECT_NEAR(share(rating.high), 0.5 + half, 1e-7);
}

TEST(EloRating, AllOrNoneBoundOneSideOnly) {
  const std::vector<RatedProblem> all = {{1000, 1}, {1000, 1}}, none = {{1000, 0}, {1000, 0}};
  EXPECT_EQ(elo_rating(all).value, std::numeric_limits<double>::infinity());
  EXPECT_EQ(elo_rating(all).high, std::numeric_limits<double>::infinity());
  // 2·log p = −1.9207: p = 0.3828, odds 0.6201.
  EXPECT_NEAR(elo_rating(all).low, 1000 + 400 * std::log10(0.6201), 0.1);
  EXPECT_EQ(elo_rating(none).value, -std::numeric_limits<double>::infinity());
  EXPECT_NEAR(elo_rating(none).high, 1000 - 400 * std::log10(0.6201), 0.1);
}

TEST(EloRating, WhatIsNoContestIsRefused) {
  EXPECT_THROW(elo_rating({}), Error);
  EXPECT_THROW(elo_rating(std::vector<RatedProblem>{{1000, 1.5}}), Error);
  EXPECT_THROW(elo_rating(std::vector<RatedProblem>{{std::nan(""), 1}}), Error);
}

}  // namespace
}  // namespace r1::eval
