#include "eval/bradley_terry.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace r1::eval {
namespace {

TEST(BradleyTerry, TwoPlayersHaveTheOddsOfTheirWins) {
  const std::vector<Battle> battles = {{0, 1, 1}, {0, 1, 0}, {1, 0, 1}, {1, 0, 1}, {0, 1, 0.5}, {1, 0, 0.5}};
  // Player 1: 3 wins and 2 draws of 6.
  EXPECT_NEAR(bradley_terry(battles, 2)[1], std::log(4.0 / 2.0), 1e-10);
}

TEST(BradleyTerry, WeightsAreRepetitions) {
  const std::vector<Battle> weighted = {{1, 0, 1, 3}, {1, 0, 0, 1}};
  EXPECT_NEAR(bradley_terry(weighted, 2)[1], std::log(3.0), 1e-10);
}

TEST(BradleyTerry, ExpectedScoresAreTheObservedOnes) {
  // At the greatest likelihood each player's expected score is its real one: the equations that define it.
  const std::vector<Battle> battles = {{0, 1, 1},   {0, 1, 0}, {0, 1, 0}, {1, 2, 1}, {1, 2, 0}, {2, 3, 1},
                                       {2, 3, 0.5}, {3, 0, 1}, {0, 3, 1}, {0, 2, 1}, {2, 0, 1}};
  const std::vector<double> strengths = bradley_terry(battles, 4);
  EXPECT_EQ(strengths[0], 0);
  std::vector<double> surplus(4, 0.0);
  for (const Battle& battle : battles) {
    const double chance = 1 / (1 + std::exp(strengths[battle.second] - strengths[battle.first]));
    surplus[battle.first] += battle.score - chance;
    surplus[battle.second] -= battle.score - chance;
  }
  for (const double value : surplus) EXPECT_NEAR(value, 0, 1e-9);
}

TEST(BradleyTerry, WhoWinsEverythingIsAtTheLimitAndWhoNeverPlayedAtZero) {
  const std::vector<Battle> battles = {{1, 0, 1}, {1, 0, 1}, {2, 0, 0}};
  const std::vector<double> strengths = bradley_terry(battles, 4);
  EXPECT_GT(strengths[1], 15);
  EXPECT_LT(strengths[2], -15);
  EXPECT_EQ(strengths[3], 0);
  EXPECT_THROW(bradley_terry(battles, 2), Error);
}

TEST(ArenaHardScore, StrongVerdictsCountThreeTimes) {
  // Weights for the model: 3 + 1 + 0.5 of 3 + 1 + 1 + 3 + 1 = 9.
  const std::vector<ArenaGame> games = {
      {0, 1, true}, {0, 1, false}, {1, 0.5, false}, {1, 0, true}, {2, 0, false}};
  const Estimate estimate = arena_hard_score(games);
  EXPECT_NEAR(estimate.value, 4.5 / 9, 1e-9);
  EXPECT_LE(estimate.low, estimate.value);
  EXPECT_GE(estimate.high, estimate.value);
}

TEST(ArenaHardScore, TheIntervalIsAboutThatOfAProportionOfQuestions) {
  std::vector<ArenaGame> games;
  for (size_t question = 0; question < 400; ++question)
    for (int game = 0; game < 2; ++game) games.push_back({question, question % 4 == 0 ? 0.0 : 1.0, false});
  const Estimate estimate = arena_hard_score(games, 1, 1000);
  EXPECT_NEAR(estimate.value, 0.75, 1e-9);
  const double half = 1.96 * std::sqrt(0.75 * 0.25 / 400);  // 400 clusters, not 800 games
  EXPECT_NEAR(estimate.low, 0.75 - half, 0.008);
  EXPECT_NEAR(estimate.high, 0.75 + half, 0.008);
  EXPECT_EQ(arena_hard_score(games, 1).low, arena_hard_score(games, 1).low);
}

TEST(ArenaHardScore, NoGamesHaveNoBounds) {
  EXPECT_EQ(arena_hard_score({}).low, 0);
  EXPECT_EQ(arena_hard_score({}).high, 1);
}

}  // namespace
}  // namespace r1::eval
