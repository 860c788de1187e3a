#include "eval/score_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace r1::eval {
namespace {

using ::testing::HasSubstr;

TEST(ScoreTable, IntervalsAreWilsons) {
  // 8 of 10: 0.490 to 0.943 (Agresti and Coull 1998, with z = 1.96).
  const auto [low, high] = wilson_interval(8, 10);
  EXPECT_NEAR(low, 0.4902, 5e-4);
  EXPECT_NEAR(high, 0.9433, 5e-4);
  EXPECT_EQ(wilson_interval(0, 20).first, 0);
  EXPECT_NEAR(wilson_interval(0, 20).second, 0.1611, 5e-4);
  EXPECT_EQ(wilson_interval(20, 20).second, 1);
}

TEST(ScoreTable, TheTableHasKindsLevelsAndLanguages) {
  const std::vector<grade::ScoredAnswer> answers = {
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
}  // namespace r1::eval
