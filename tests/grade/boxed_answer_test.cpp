#include "grade/boxed_answer.h"

#include <gtest/gtest.h>

namespace r1::grade {
namespace {

TEST(BoxedAnswer, IsFoundAndCompared) {
  EXPECT_EQ(boxed_answer("The answer is \\boxed{14}."), "14");
  EXPECT_EQ(boxed_answer("\\boxed{1} \\boxed{ \\frac{1}{2} }"), "\\frac{1}{2}");
  EXPECT_EQ(boxed_answer("\\boxed{14"), std::nullopt);
  EXPECT_EQ(boxed_answer("14"), std::nullopt);
  EXPECT_TRUE(same_answer("1.50", "1.5"));
  EXPECT_TRUE(same_answer("-18", "-18.0"));
  EXPECT_FALSE(same_answer("15", "1.5"));
  EXPECT_FALSE(same_answer("1+1", "2"));
  EXPECT_FALSE(same_answer("45-3", "42"));  // once taken for a number
  EXPECT_FALSE(same_answer("a", "b"));
}

}  // namespace
}  // namespace r1::grade
