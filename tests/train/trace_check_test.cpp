#include "train/corpus/trace_check.h"

#include <gtest/gtest.h>

#include "train/corpus/corpus.h"

namespace r1::corpus {
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

TEST(TraceCheck, FindsNothingWrongInTheCorpus) {
  CorpusOptions options;
  options.count = 5000;
  int right = 0;
  make_corpus(options, [&](const Problem& problem) {
    const TraceCheck check = check_trace(problem.think);
    EXPECT_EQ(check.wrong, 0) << problem.think;
    right += check.right;
    EXPECT_EQ(boxed_answer(problem.answer).has_value(), problem.kind != "chat");
  });
  EXPECT_GT(right, 20000);
}

TEST(TraceCheck, BoxedAnswers) {
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
}  // namespace r1::corpus
