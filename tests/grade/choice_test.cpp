#include "grade/choice.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace r1::grade {
namespace {

TEST(Choice, IsFoundInTheFormsThatModelsWrite) {
  const std::vector<std::pair<std::string, char>> outputs = {
      {"Answer: B", 'B'},
      {"We think.\nAnswer: $C$", 'C'},
      {"**Answer:** D", 'D'},
      {"**Answer: (A)**", 'A'},
      {"Answer: \\boxed{B}", 'B'},
      {"answer: b", 'B'},
      {"Answer: A\nNo, wait.\nAnswer: C", 'C'},
      {"The answer is (B).", 'B'},
      {"the correct answer is D because", 'D'},
      {"The final answer is $\\boxed{\\text{C}}$.", 'C'},
      {"答案：B", 'B'},
      {"所以答案是C。", 'C'},
      {"故选：D", 'D'},
      {"\\boxed{A}", 'A'},
      {"Long thoughts.\n(B) because of it", 'B'},
      {"These are the options for our answer: A, B, C, and D. So it is option D.\n#### D ", 'D'},
      {"#### A better way\nAnswer: C", 'C'},
      {"B", 'B'},
      {"b.", 'B'},
      {"C. The third", 'C'},
      {"I would say it has to be D", 'D'},
      {"<think>Answer: A</think>Answer: B", 'B'},
      {"A is wrong, B is wrong, so C remains.", 'C'},
  };
  for (const auto& [output, letter] : outputs) EXPECT_EQ(chosen_letter(output), letter) << output;
}

TEST(Choice, NothingIsGuessed) {
  for (const std::string output : {"", "I do not know.", "The answer is a number.", "Answer: 42",
                                   "<think>Answer: A", "A dog barks", "It's E", "USA", "vitamin B12"}) {
    EXPECT_EQ(chosen_letter(output), std::nullopt) << output;
  }
}

TEST(Choice, TheRangeOfLettersCounts) {
  EXPECT_EQ(chosen_letter("Answer: J", 'J'), 'J');
  EXPECT_EQ(chosen_letter("Answer: J"), std::nullopt);
  EXPECT_EQ(chosen_letter("答案：是 A", 'B'), 'A');
}

TEST(Choice, LongOutputsEnd) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "answer is ((((";
  EXPECT_EQ(chosen_letter(text), std::nullopt);
}

TEST(Choice, PublishedExtractionOfSimpleEvals) {
  EXPECT_EQ(simple_evals_letter("So.\n\n**Answer: B**"), 'B');
  EXPECT_EQ(simple_evals_letter("Answer: $\\boxed{\\text{C}}$"), 'C');
  EXPECT_EQ(simple_evals_letter("Answer: A\nAnswer: D"), 'A');  // the first
  EXPECT_EQ(simple_evals_letter("答案：D"), 'D');
  EXPECT_EQ(simple_evals_letter("Answer: E", 'D'), std::nullopt);
  EXPECT_EQ(simple_evals_letter("The answer is B"), std::nullopt);
}

TEST(Choice, PublishedExtractionOfMmluPro) {
  EXPECT_EQ(mmlu_pro_letter("the answer is (C). No, the answer is (D)."), 'C');
  EXPECT_EQ(mmlu_pro_letter("Answer: A, answer: B\nAnswer: C"), 'B');
  EXPECT_EQ(mmlu_pro_letter("the answer is **(G)**"), 'G');  // the last lone letter
  EXPECT_EQ(mmlu_pro_letter("no letter here"), std::nullopt);
}

TEST(Choice, SeveralLetters) {
  EXPECT_EQ(chosen_letters("\\boxed{B, C}"), "BC");
  EXPECT_EQ(chosen_letters("\\boxed{\\text{ACD}}"), "ACD");
  EXPECT_EQ(chosen_letters("故选：B、D。"), "BD");
  EXPECT_EQ(chosen_letters("答案：C"), "C");
}

}  // namespace
}  // namespace r1::grade
