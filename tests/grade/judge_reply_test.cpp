#include "grade/judge_reply.h"

#include <gtest/gtest.h>

namespace r1::grade {
namespace {

TEST(JudgeReply, FactGrades) {
  EXPECT_EQ(read_fact_grade("A"), FactGrade::correct);
  EXPECT_EQ(read_fact_grade(" B\n"), FactGrade::incorrect);
  EXPECT_EQ(read_fact_grade("**C**"), FactGrade::not_attempted);
  EXPECT_EQ(read_fact_grade("A: CORRECT"), FactGrade::correct);
  EXPECT_EQ(read_fact_grade("<think>A or B?</think>B"), FactGrade::incorrect);
  EXPECT_EQ(read_fact_grade("The grade is INCORRECT."), FactGrade::incorrect);
  EXPECT_EQ(read_fact_grade("NOT_ATTEMPTED"), FactGrade::not_attempted);
  EXPECT_EQ(read_fact_grade("不正确"), FactGrade::incorrect);
  EXPECT_EQ(read_fact_grade("My grade: A"), FactGrade::correct);
  EXPECT_FALSE(read_fact_grade("").has_value());
  EXPECT_FALSE(read_fact_grade("perhaps").has_value());
  EXPECT_EQ(read_fact_grade("***"), std::nullopt);
}

TEST(JudgeReply, Decisions) {
  EXPECT_EQ(read_true_or_false("Explanation: not false.\nDecision: TRUE"), true);
  EXPECT_EQ(read_true_or_false("FALSE"), false);
  EXPECT_EQ(read_true_or_false("yes"), true);
  EXPECT_FALSE(read_true_or_false("maybe").has_value());
}

TEST(JudgeReply, Games) {
  EXPECT_EQ(read_game("My final verdict is tie: [[A=B]]")->share, 0.5);
  EXPECT_EQ(read_game("[[A>B]]")->share, 1);
  EXPECT_TRUE(read_game("[[B>>A]]")->strong);
  EXPECT_EQ(read_game("[[B>>A]]")->share, 0);
  EXPECT_EQ(read_game("first [[A>B]], then [[B>A]]")->share, 0);
  EXPECT_EQ(read_game("[a<b]")->share, 0);
  EXPECT_FALSE(read_game("[[C]]").has_value());
  EXPECT_FALSE(read_game("").has_value());
}

TEST(JudgeReply, Preferences) {
  EXPECT_EQ(read_preference("M"), 2);
  EXPECT_EQ(read_preference("m"), 1);
  EXPECT_EQ(read_preference("1.25"), 1.25);
  EXPECT_FALSE(read_preference("3").has_value());
  EXPECT_FALSE(read_preference("x").has_value());
}

}  // namespace
}  // namespace r1::grade
