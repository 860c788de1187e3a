#include "grade/judge.h"

#include <gtest/gtest.h>

namespace r1::grade {
namespace {

bool is_right(const std::string& expected, const std::string& reasoning, const std::string& answer) {
  return judge({"addition", 1, "en", expected, reasoning, answer, true, 10}).right == 1;
}

TEST(Judge, JudgesHandMadeAnswers) {
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

TEST(Judge, CountsEquationsOfTheReasoning) {
  const ScoreTally tally = judge({"addition", 1, "en", "42", "17+25=[7+5=12 1+2+1=3]=42", "", false, 7});
  EXPECT_EQ(tally.equations_right, 2);
  EXPECT_EQ(tally.equations_wrong, 1);
  EXPECT_EQ(tally.finished, 0);
}

}  // namespace
}  // namespace r1::grade
