#include "train/corpus/score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace r1::corpus {
namespace {

using ::testing::HasSubstr;

bool is_right(const std::string& expected, const std::string& reasoning, const std::string& answer) {
  return judge({"addition", 1, "en", expected, reasoning, answer, true, 10}).right == 1;
}

TEST(Score, JudgesHandMadeAnswers) {
  EXPECT_TRUE(is_right("42", "17+25=42", "The answer is \\boxed{42}."));
  EXPECT_TRUE(is_right("42", "", "\\boxed{41}, no: \\boxed{42}"));  // the last one counts
  EXPECT_TRUE(is_right("42", "17+25=43", "\\boxed{ 42.0 }"));       // wrong working, right answer
  EXPECT_TRUE(is_right("<", "", "\\boxed{<}"));

  EXPECT_FALSE(is_right("42", "17+25=42", "The answer is \\boxed{43}."));
  EXPECT_FALSE(is_right("42", "17+25=42", "The answer is 42."));          // not boxed
  EXPECT_FALSE(is_right("42", "17+25=42 so \\boxed{42}", ""));            // only inside the thinking
  EXPECT_FALSE(is_right("42", "", "\\boxed{42} or rather \\boxed{24}"));  // changed its mind
  EXPECT_FALSE(is_right("42", "", "\\boxed{42"));                         // cut off
  EXPECT_FALSE(is_right("42", "", "\\boxed{}"));
  EXPECT_FALSE(is_right("42", "", "\\boxed{45-3}"));  // a calculation left to the reader
  EXPECT_FALSE(is_right("42", "", "\\boxed{-42}"));
  EXPECT_FALSE(is_right("42", "", "\\boxed{420}"));
  EXPECT_FALSE(is_right("42", "", "\\boxed{x=42}"));
  EXPECT_FALSE(is_right("4.2", "", "\\boxed{42}"));
}

TEST(Score, CountsEquationsOfTheReasoning) {
  const ScoreTally tally = judge({"addition", 1, "en", "42", "17+25=[7+5=12 1+2+1=3]=42", "", false, 7});
  EXPECT_EQ(tally.equations_right, 2);
  EXPECT_EQ(tally.equations_wrong, 1);
  EXPECT_EQ(tally.finished, 0);
}

TEST(Score, IntervalsAreWilsons) {
  // 8 of 10: 0.490 to 0.943 (Agresti and Coull 1998, with z = 1.96).
  const auto [low, high] = wilson_interval(8, 10);
  EXPECT_NEAR(low, 0.4902, 5e-4);
  EXPECT_NEAR(high, 0.9433, 5e-4);
  EXPECT_EQ(wilson_interval(0, 20).first, 0);
  EXPECT_NEAR(wilson_interval(0, 20).second, 0.1611, 5e-4);
  EXPECT_EQ(wilson_interval(20, 20).second, 1);
}

TEST(Score, TheTableHasKindsLevelsAndLanguages) {
  const std::vector<ScoredAnswer> answers = {
      {"addition", 1, "en", "5", "2+3=5", "\\boxed{5}", true, 10},
      {"addition", 2, "zh", "50", "20+30=60", "\\boxed{60}", true, 20},
      {"equation", 1, "zh", "1", "", "\\boxed{1}", false, 30},
  };
  const std::string table = score_table(answers);
  for (const char* row :
       {"addition            1      all      1   100.0%  [ 20.7, 100.0]    100.0%    100.0%    10.0",
        "addition            2      all      1     0.0%  [  0.0,  79.3]    100.0%      0.0%    20.0",
        "addition          all      all      2    50.0%", "all                 1      all      2   100.0%",
        "all               all       en      1   100.0%", "all               all       zh      2    50.0%",
        "all               all      all      3    66.7%"})
    EXPECT_THAT(table, HasSubstr(row));
}

}  // namespace
}  // namespace r1::corpus
