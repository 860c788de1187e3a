#include "grade/drop_f1.h"

#include <gtest/gtest.h>

namespace r1::grade {
namespace {

double f1(const std::string& reference, const std::string& answer) {
  return score_drop({{reference}}, {answer}).f1;
}

// Worked by hand from the definition.
TEST(DropF1, OneSpan) {
  EXPECT_DOUBLE_EQ(f1("the Denver Broncos", "Broncos"), 0.6667);  // precision 1, recall 1/2
  EXPECT_DOUBLE_EQ(f1("Broncos", "The Denver Broncos"), 0.6667);
  EXPECT_DOUBLE_EQ(f1("Tom Brady", "Peyton Manning"), 0);
  EXPECT_DOUBLE_EQ(f1("John F. Kennedy", "john f kennedy"), 1);
  EXPECT_DOUBLE_EQ(f1("well-known", "well known"), 1);
  EXPECT_DOUBLE_EQ(f1("a b c", "b c d"), 0.8);  // "a" is an article: {b, c} against {b, c, d}
}

TEST(DropF1, NumbersMustAgree) {
  EXPECT_DOUBLE_EQ(f1("3", "3.0"), 1);
  EXPECT_DOUBLE_EQ(f1("1,000", "1000"), 1);
  EXPECT_DOUBLE_EQ(f1("10 yards", "12 yards"), 0);  // words alone do not count
  EXPECT_DOUBLE_EQ(f1("10 yards", "10"), 0.6667);
  EXPECT_DOUBLE_EQ(f1("-5", "5"), 1);      // the published script parts tokens at every hyphen
  EXPECT_DOUBLE_EQ(f1("5.5", "5.5%"), 0);  // … and takes the point out of what is no number as it stands
  EXPECT_DOUBLE_EQ(f1("5.5%", "5.5%"), 1);
  EXPECT_DOUBLE_EQ(f1("inf", "Infinity"), 1);  // both are Python's float
}

TEST(DropF1, SeveralSpansAreMatchedBest) {
  EXPECT_DOUBLE_EQ(score_drop({{"red", "blue"}}, {"blue", "red"}).f1, 1);
  EXPECT_DOUBLE_EQ(score_drop({{"red", "blue"}}, {"blue", "red"}).exact_match, 1);
  EXPECT_DOUBLE_EQ(score_drop({{"red", "blue"}}, {"red"}).f1, 0.5);
  EXPECT_DOUBLE_EQ(score_drop({{"red"}}, {"red", "blue", "green"}).f1, 0.3333);
  // Taking the first fit would give 0.67 + 0 for these: "red car" with "red", and nothing for "red bus".
  EXPECT_DOUBLE_EQ(score_drop({{"red car", "red"}}, {"red", "red car"}).f1, 1);
}

TEST(DropF1, TheBestReferenceCounts) {
  const DropScore score =
      score_drop({{"Pakistanis and Filipinos"}, {"Pakistani and Filipino"}}, {"pakistani and filipino."});
  EXPECT_DOUBLE_EQ(score.f1, 1);
  EXPECT_DOUBLE_EQ(score.exact_match, 1);
}

TEST(DropF1, AnswersAreFound) {
  EXPECT_EQ(drop_answer("thoughts\nAnswer: **42 yards**\nbye"), "42 yards");
  EXPECT_EQ(drop_answer("answer : 42\nAnswer: 43"), "42");  // the first, as published
  EXPECT_EQ(drop_answer("first\n\nlast line\n"), "first\n\nlast line");
  EXPECT_EQ(drop_answer("<think>Answer: 1</think>\nAnswer: 2"), "2");
  EXPECT_EQ(drop_answer("<think>Answer: 1"), "");
}

}  // namespace
}  // namespace r1::grade
