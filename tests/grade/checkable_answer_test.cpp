#include "grade/checkable_answer.h"

#include <gtest/gtest.h>

namespace r1::grade {
namespace {

TEST(CheckableAnswerTest, TakesTheBoxThenTheMarkThenAShortLine) {
  EXPECT_EQ(checkable_answer("It is \\boxed{7}. #### 8"), "7");
  EXPECT_EQ(checkable_answer("7 and 8 make\n#### 15 \n"), "15");
  EXPECT_EQ(checkable_answer("  Tuesday\n"), "Tuesday");
}

TEST(CheckableAnswerTest, ALongTextOrNoneCannotBeCompared) {
  EXPECT_EQ(checkable_answer("One line.\nAnother."), std::nullopt);
  EXPECT_EQ(checkable_answer(" \n"), std::nullopt);
  EXPECT_EQ(checkable_answer(std::string(201, 'x')), std::nullopt);
}

}  // namespace
}  // namespace r1::grade
