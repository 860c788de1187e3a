#include "grade/math_answer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "grade/math/equivalence.h"

namespace r1::grade {
namespace {

using math::compare_answers;
using math::Equivalence;

struct Pair {
  std::string kind, reference, answer;
  bool same;
};

std::vector<Pair> read_pairs() {
  std::ifstream file(R1_TEST_FIXTURES "/grade/math_pairs.tsv");
  std::vector<Pair> pairs;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::vector<std::string> fields;
    for (size_t at = 0; at <= line.size();) {
      const size_t end = std::min(line.find('\t', at), line.size());
      fields.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    if (fields.size() != 4) throw std::runtime_error("math_pairs.tsv: four fields expected: " + line);
    pairs.push_back({fields[0], fields[1], fields[2], fields[3] == "1"});
  }
  return pairs;
}

TEST(MathAnswer, ACommandThatWasEscapedTwiceIsTheCommand) {
  EXPECT_EQ(compare_answers("4\\sqrt{2}", "4 \\\\sqrt{2}"), Equivalence::equal);
  EXPECT_EQ(compare_answers("\\frac{1}{2}", "\\\\frac{1}{3}"), Equivalence::different);
  EXPECT_EQ(
      compare_answers("\\begin{pmatrix} 1 \\\\ x \\end{pmatrix}", "\\begin{pmatrix}1\\\\x\\end{pmatrix}"),
      Equivalence::equal);
}

TEST(MathAnswer, PairsAreJudgedAsAPersonWould) {
  const std::vector<Pair> pairs = read_pairs();
  ASSERT_GE(pairs.size(), 900U);
  int same = 0;
  for (const Pair& pair : pairs) {
    same += pair.same ? 1 : 0;
    EXPECT_EQ(grade_math(pair.reference, pair.answer).correct, pair.same)
        << pair.kind << ": " << pair.reference << " and " << pair.answer;
    if (pair.kind == "output") continue;  // a whole output already
    EXPECT_EQ(grade_math(pair.reference, "So it is $\\boxed{" + pair.answer + "}$.").correct, pair.same)
        << pair.kind << ", boxed: " << pair.reference << " and " << pair.answer;
  }
  EXPECT_GE(same, 450);
  EXPECT_GE(std::ssize(pairs) - same, 450);
}

TEST(MathAnswer, IsFoundInWhatAModelWrites) {
  const auto extracted = [](std::string_view output) { return grade_math("42", output).extracted; };
  EXPECT_EQ(extracted("\\boxed{41}, no: \\boxed{42}"), "42");
  EXPECT_EQ(extracted("$\\boxed{\\frac{1}{2}}$"), "\\frac{1}{2}");
  EXPECT_EQ(extracted("\\boxed{\\{1,2\\}}"), "\\{1,2\\}");
  EXPECT_EQ(extracted("The answer is $\\boxed{42"), "42");
  EXPECT_EQ(extracted("\\boxed 42 is it"), "42");
  EXPECT_EQ(extracted("We add. The answer is 42. Done."), "42");
  EXPECT_EQ(extracted("**Answer:** $42$"), "42");
  EXPECT_EQ(extracted("所以答案是：42。"), "42");
  EXPECT_EQ(extracted("48+24 = 72\n#### 72"), "72");
  EXPECT_EQ(
      extracted("First we take two numbers and add them, which then gives us $x = 42$ apples in the basket."),
      "x = 42");
  EXPECT_EQ(extracted("First we take two numbers and add them, which then gives us 42 apples in the basket."),
            "42");
  EXPECT_EQ(extracted(""), "");
  // Solutions of GSM8K: prices are no formulas.
  EXPECT_EQ(extracted("She earns 9 * 2 = $<<9*2=18>>18 and pays $4 for food.\nA: 14"), "14");
  EXPECT_EQ(extracted("She earns $18 a day and pays $4 for 7 lunches"), "7");
  EXPECT_EQ(extracted("答案是 $5$;$10$"), "$5$;$10$");
  EXPECT_EQ(extracted("So she has **5** apples left."), "5");
  EXPECT_EQ(extracted("**Final Answer**: 17"), "17");
}

TEST(MathAnswer, AChainOfEqualNumbersIsTheirValue) {
  EXPECT_TRUE(grade_math("42", "\\boxed{6 \\cdot 7 = 42}").correct);
  EXPECT_TRUE(grade_math("\\frac{243}{625}", "\\boxed{\\frac{243}{625} = 0.3888}").correct);
  EXPECT_TRUE(grade_math("17", "\\boxed{\\color{red}{17}}").correct);
  EXPECT_TRUE(grade_math("211", "\\boxed{\\textbf{(211) }}").correct);
  EXPECT_FALSE(grade_math("42", "\\boxed{6 \\cdot 8 = 42}").correct);  // it contradicts itself
}

TEST(MathAnswer, ThinkingIsNoAnswer) {
  EXPECT_TRUE(grade_math("42", "<think>perhaps \\boxed{41}</think>\\boxed{42}").correct);
  EXPECT_TRUE(grade_math("42", "perhaps \\boxed{41}</think>\n42").correct);
  const MathVerdict truncated = grade_math("42", "<think>it is \\boxed{42}");
  EXPECT_FALSE(truncated.correct);
  EXPECT_EQ(truncated.reason, "truncated in thinking");
}

TEST(MathAnswer, SeveralBoxesAreOneAnswer) {
  EXPECT_TRUE(grade_math("3, 5", "\\boxed{3} and \\boxed{5}").correct);
  EXPECT_FALSE(grade_math("3, 5", "\\boxed{3} and \\boxed{6}").correct);
}

TEST(MathAnswer, WhatCannotBeReadIsUnknownAndWrong) {
  EXPECT_EQ(compare_answers("42", "\\frac{1}{"), Equivalence::unknown);
  EXPECT_EQ(compare_answers("2003^{2002^{2001}}", "2003^{2002^{2001}}+1"), Equivalence::unknown);
  EXPECT_EQ(grade_math("42", "\\boxed{\\foo{1}}").reason, "unknown");
}

TEST(MathAnswer, NearIntegersAreToldApart) {
  // Ramanujan's constant is 7.5e-13 below this number.
  EXPECT_EQ(compare_answers("262537412640768744", "e^{\\pi\\sqrt{163}}"), Equivalence::different);
  EXPECT_EQ(compare_answers("2^{2000}", "2^{2000}+1"), Equivalence::different);
}

/// Each of these once took seconds, much memory or the whole stack, or could.
TEST(MathAnswer, HostileAnswersEnd) {
  const auto repeat = [](const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  const std::vector<std::string> answers = {
      repeat("{", 1'000'000),
      repeat("(", 10'000) + "1" + repeat(")", 10'000),
      repeat("9", 1'000'000),
      repeat("9", 19'000),
      repeat("\\frac{1}{", 2'000) + "2" + repeat("}", 2'000),
      repeat("2^", 60) + "2",
      "9^{9^{9^{9}}}",
      "9999!^{9999!}",
      repeat("5999!", 30),
      "99999999!",
      "x^{99999}+y^{99999}",
      "(x+1)^{131071}",
      repeat("\\binom{20000}{10000}", 20),
      repeat("\\pm1", 30),
      "\\sin(10^{1000000})",
      "e^{e^{e^{e^{e}}}}",
      "1/0",
      "0^{-1}",
      repeat("\\boxed{", 50'000),
      repeat("answer is ", 100'000),
      "\\begin{pmatrix}" + repeat("1&2\\\\", 2'000) + "\\end{pmatrix}",
      repeat("|", 3'000),
      "1e2000*1e2000",
      "\\sqrt[64]{2^{100000}}",
      "i^{i^{i^{i}}}",
      repeat("\\sin ", 60) + "x",
      std::string("\0\xFF\xC3", 3),
      repeat("f(", 50) + "1" + repeat(")", 50),
      "\\gcd(2^{60000},3^{40000})",
      repeat("\\", 100'001),
  };
  for (const std::string& reference :
       {std::string("42"), std::string("x^2"), std::string("(1,2)"), std::string("x>2")}) {
    for (const std::string& answer : answers) {
      EXPECT_FALSE(grade_math(reference, "\\boxed{" + answer + "}").correct) << answer.substr(0, 40);
    }
  }
}

}  // namespace
}  // namespace r1::grade
