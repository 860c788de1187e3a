#include "grade/trace_check.h"

#include <gtest/gtest.h>

namespace r1::grade {
namespace {

TEST(TraceCheck, CountsRightAndWrongStatements) {
  const TraceCheck right =
      check_trace("347+285=[7+5=12 4+8+1=13 3+2+1=6]=632\n9.9=9.90 digits 4>3 12-30=-18");
  EXPECT_EQ(right.right, 7);
  EXPECT_EQ(right.wrong, 0);
  const TraceCheck wrong = check_trace("347+285=[7+5=13 4+8+1=13 3+2+1=6]=631\n3<2 1=2=2 4+=4");
  EXPECT_EQ(wrong.right, 3);
  EXPECT_EQ(wrong.wrong, 5);
}

TEST(TraceCheck, PassesOverUnknownsWordsAndBrokenBrackets) {
  const TraceCheck check = check_trace("3x+5=20\nx=5 the=word 答案=3 ][ [[ ]] [1+1=2\n2+2=4");
  EXPECT_EQ(check.wrong, 0);
  EXPECT_EQ(check.right, 2);
  EXPECT_EQ(check_trace(std::string(100000, '(') + "=1").wrong, 1);
}

}  // namespace
}  // namespace r1::grade
