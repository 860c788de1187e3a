#include "eval/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "eval/score_table.h"

namespace r1::eval {
namespace {

using ::testing::ElementsAre;

Scores scores(int64_t right, int64_t samples) {
  Scores result(static_cast<size_t>(samples), 0.0);
  std::fill(result.begin(), result.begin() + right, 1.0);
  return result;
}

using Ballots = std::vector<std::vector<Vote>>;  // one a question

std::vector<Vote> votes(std::string_view letters, char right) {
  std::vector<Vote> result;
  for (const char letter : letters) result.push_back({letter == '-' ? -1 : letter - 'a', letter == right});
  return result;
}

TEST(MeanScore, OneSampleOfZeroOrOneHasWilsonsInterval) {
  std::vector<Scores> questions(10, Scores{1});
  questions[0] = questions[1] = {0};
  const Estimate estimate = mean_score(questions);
  EXPECT_DOUBLE_EQ(estimate.value, 0.8);
  EXPECT_EQ(estimate.low, wilson_interval(8, 10).first);
  EXPECT_EQ(estimate.high, wilson_interval(8, 10).second);
}

TEST(MeanScore, TheIntervalIsClusteredByQuestion) {
  // Means 0, 0.5, 1: standard deviation 0.5, error 0.5/√3, t(2) = 4.302653 — and samples within a question add nothing to it.
  for (const int64_t samples : {2, 20}) {
    const std::vector<Scores> questions = {scores(0, samples), scores(samples / 2, samples),
                                           scores(samples, samples)};
    const Estimate estimate = mean_score(questions);
    EXPECT_DOUBLE_EQ(estimate.value, 0.5);
    EXPECT_EQ(estimate.low, 0);  // 0.5 − 1.24 is no score
    EXPECT_EQ(estimate.high, 1);
  }
  // Means 0.25 and 0.75, five of each: deviation √(10·0.0625/9), t(9) = 2.262157.
  std::vector<Scores> questions;
  for (int i = 0; i < 5; ++i) {
    questions.push_back(scores(1, 4));
    questions.push_back(scores(3, 4));
  }
  const double half = 2.262157 * std::sqrt(10 * 0.0625 / 9 / 10);
  EXPECT_NEAR(mean_score(questions).low, 0.5 - half, 1e-6);
  EXPECT_NEAR(mean_score(questions).high, 0.5 + half, 1e-6);
}

TEST(MeanScore, EachQuestionWeighsTheSameAndMissingSamplesDoNotCount) {
  const std::vector<Scores> questions = {scores(1, 1), scores(0, 9), {}};
  EXPECT_DOUBLE_EQ(mean_score(questions).value, 0.5);
}

TEST(MeanScore, WhatDoesNotVaryStillHasAnInterval) {
  const std::vector<Scores> all_right(30, scores(4, 4));
  EXPECT_EQ(mean_score(all_right).value, 1);
  EXPECT_NEAR(mean_score(all_right).low, 0.8865, 1e-4);  // Wilson's for 30 of 30: 30/(30 + 1.96²)
  const std::vector<Scores> one = {scores(1, 2)};
  EXPECT_EQ(mean_score(one).low, 0);
  EXPECT_EQ(mean_score(one).high, 1);
  EXPECT_EQ(mean_score({}).value, 0);
}

TEST(PassAt, IsTheShareOfSubsetsWithARightAnswer) {
  for (int64_t n = 1; n <= 6; ++n) {
    for (int64_t right = 0; right <= n; ++right) {
      for (int64_t k = 1; k <= n; ++k) {
        int64_t hits = 0, subsets = 0;
        for (uint32_t subset = 0; subset < 1U << n; ++subset) {
          if (std::popcount(subset) != k) continue;
          ++subsets;
          if ((subset & ((1U << right) - 1)) != 0) ++hits;
        }
        const std::vector<Scores> questions = {scores(right, n)};
        EXPECT_NEAR(pass_at(questions, k).value, static_cast<double>(hits) / static_cast<double>(subsets),
                    1e-14)
            << n << " " << right << " " << k;
      }
    }
  }
}

TEST(PassAt, ManySamplesKeepTheirDigits) {
  const std::vector<Scores> questions = {scores(1, 10'000)};
  EXPECT_NEAR(pass_at(questions, 100).value, 0.01, 1e-15);
}

TEST(PassAt, MoreThanWasGeneratedIsRefused) {
  const std::vector<Scores> questions = {scores(1, 4), scores(1, 3)};
  EXPECT_NO_THROW(pass_at(questions, 3));
  try {
    pass_at(questions, 4);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
    EXPECT_STREQ(error.what(), "pass@4: question 1 has 3 samples, expected 4 or more");
  }
  EXPECT_THROW(pass_at(questions, 0), Error);
  EXPECT_THROW(pass_at(std::vector<Scores>{{0.5}}, 1), Error);
}

TEST(ConsensusAt, TheMostFrequentAnswerDecides) {
  EXPECT_EQ(consensus_at(Ballots{votes("aab", 'a')}, 3).value, 1);
  EXPECT_EQ(consensus_at(Ballots{votes("aab", 'b')}, 3).value, 0);
  EXPECT_EQ(consensus_at(Ballots{votes("ab", 'b')}, 2).value, 0.5);  // a tie is shared
  EXPECT_DOUBLE_EQ(consensus_at(Ballots{votes("abcdd--e", 'a'), votes("abc", 'a')}, 3).value,
                   (consensus_at(Ballots{votes("abcdd--e", 'a')}, 3).value + 1.0 / 3) / 2);
  EXPECT_EQ(consensus_at(Ballots{votes("---a", 'a')}, 4).value,
            1);  // answers that were not extracted do not vote
  EXPECT_EQ(consensus_at(Ballots{votes("----", 'a')}, 4).value, 0);
}

TEST(ConsensusAt, FewerThanGeneratedIsTheMeanOverSubsets) {
  // Of a, a, b: {a,a} is right, {a,b} twice a tie.
  EXPECT_DOUBLE_EQ(consensus_at(Ballots{votes("aab", 'a')}, 2).value, (1 + 0.5 + 0.5) / 3);
  // One vote: the share of right answers.
  EXPECT_DOUBLE_EQ(consensus_at(Ballots{votes("aabc-", 'a')}, 1).value, 2.0 / 5);
}

TEST(ConsensusAt, ResamplingConvergesToTheSubsets) {
  const Ballots questions = {votes("aaabbccd-e", 'a')};
  const double exact = consensus_at(questions, 5, 0, 252).value;  // C(10, 5) subsets
  EXPECT_NEAR(consensus_at(questions, 5, 7, 251).value, exact, 0.08);
  EXPECT_EQ(consensus_at(questions, 5, 7, 50).value, consensus_at(questions, 5, 7, 50).value);
  EXPECT_NE(consensus_at(questions, 5, 7, 50).value, consensus_at(questions, 5, 8, 50).value);
}

TEST(ConsensusAt, MoreThanWasGeneratedIsRefused) {
  EXPECT_THROW(consensus_at(Ballots{votes("aab", 'a')}, 4), Error);
}

TEST(VoteClasses, NumberEqualAnswersInOrder) {
  const std::vector<std::string> answers = {"7", "", "3", "7.0", "3"};
  EXPECT_THAT(vote_classes(answers, [](const std::string& a, const std::string& b) { return a[0] == b[0]; }),
              ElementsAre(0, -1, 1, 0, 1));
  EXPECT_THAT(vote_classes(answers, {}), ElementsAre(0, -1, 1, 2, 1));
}

TEST(PairedDifference, IsBMinusAWithAnExactTest) {
  // Differences +1, +1, +1, 0: all three signs of the changed ones must agree: 2 of 8 assignments.
  const std::vector<Scores> a = {{0}, {0}, {0}, {1}}, b = {{1}, {1}, {1}, {1}};
  const PairedDifference paired = paired_difference(a, b);
  EXPECT_DOUBLE_EQ(paired.difference.value, 0.75);
  EXPECT_DOUBLE_EQ(paired.p_value, 0.25);
  EXPECT_EQ(paired.questions, 4);
  // Deviation 0.5, error 0.25, t(3) = 3.182446.
  EXPECT_NEAR(paired.difference.low, 0.75 - 3.182446 * 0.25, 1e-6);
  EXPECT_EQ(paired.difference.high, 1);
}

TEST(PairedDifference, EqualRunsDoNotDiffer) {
  const std::vector<Scores> a(20, scores(1, 3));
  EXPECT_EQ(paired_difference(a, a).p_value, 1);
  EXPECT_EQ(paired_difference(a, a).difference.value, 0);
}

TEST(PairedDifference, PairsHaveATighterIntervalThanTheirRuns) {
  std::vector<Scores> a, b;
  for (int64_t i = 0; i < 40; ++i) {
    a.push_back(scores(i % 11, 20));
    b.push_back(scores(i % 11 + 2, 20));
  }
  const PairedDifference paired = paired_difference(a, b);
  EXPECT_NEAR(paired.difference.low, 0.1, 1e-12);
  EXPECT_NEAR(paired.difference.high, 0.1, 1e-12);
  EXPECT_LT(paired.p_value, 1e-4);
  EXPECT_EQ(paired.p_value, paired_difference(a, b).p_value);
}

TEST(PairedDifference, RandomAssignmentsAgreeWithTheBinomial) {
  // 20 changes of equal size, 15 up and 5 down: the sign test's two-sided p is 0.0414.
  std::vector<Scores> a(20, Scores{0}), b(20, Scores{1});
  for (size_t i = 0; i < 5; ++i) std::swap(a[i], b[i]);
  EXPECT_NEAR(paired_difference(a, b).p_value, 0.0414, 0.006);
}

TEST(PairedDifference, QuestionsOfOneRunOnlyAreLeftOut) {
  const std::vector<Scores> a = {{0}, {}, {1}}, b = {{1}, {1}, {}};
  EXPECT_EQ(paired_difference(a, b).questions, 1);
  EXPECT_THROW(paired_difference(a, std::vector<Scores>{{1}}), Error);
}

}  // namespace
}  // namespace r1::eval
