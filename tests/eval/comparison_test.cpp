#include "eval/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/eval/made_run.h"

namespace r1::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Benchmark& aime() {
  static const Benchmark kBenchmark = made_benchmark();
  return kBenchmark;
}

TEST(Comparison, SaysWhatChangedQuestionByQuestion) {
  const Evaluation first = evaluate(made_run({"2", "2", "+", "+", "3"}, 1), aime());
  const Evaluation second = evaluate(made_run({"+", "+", "4", "+", "3"}, 1), aime());
  const Comparison comparison = compare(first, second);
  EXPECT_NEAR(comparison.paired.difference.value, 0.2, 1e-12);
  EXPECT_EQ(comparison.paired.p_value, 1);  // two up, one down: every assignment is as extreme
  ASSERT_EQ(comparison.better.size(), 2U);
  EXPECT_EQ(comparison.better[0].item->id, "q0");
  ASSERT_EQ(comparison.worse.size(), 1U);
  EXPECT_EQ(comparison.worse[0].extracted_after, "4");
  EXPECT_EQ(comparison.equal, 2);
  EXPECT_THAT(comparison.differences, IsEmpty());
  const std::string text = comparison_markdown(comparison);
  EXPECT_THAT(text, HasSubstr("Second minus first: +20.0 points (95% interval "));
  EXPECT_THAT(text, HasSubstr("| q2 | What is question 2? | right → wrong | 1 → 4 |"));
  EXPECT_EQ(comparison_json(comparison)["better"][1]["id"], "q1");
}

TEST(Comparison, QuestionsArePairedByIdAndTheOthersCounted) {
  auto run = made_run({"+", "2", "+"}, 1);
  run.items.erase(run.items.begin());
  run.samples.erase(run.samples.begin());
  run.verdicts.erase(run.verdicts.begin());
  const Evaluation first = evaluate(made_run({"2", "2", ""}, 1), aime()), second = evaluate(run, aime());
  const Comparison comparison = compare(first, second);
  EXPECT_EQ(comparison.paired.questions, 1);
  EXPECT_EQ(comparison.only_first, 1);
  EXPECT_EQ(comparison.only_second, 1);
}

TEST(Comparison, SettingsThatDifferAreNamed) {
  auto run = made_run({"+2"}, 2);
  run.description.temperature = 0;
  run.description.further_sampling["top_k"] = 20;
  const Evaluation first = evaluate(made_run({"+"}, 1), aime()), second = evaluate(run, aime());
  EXPECT_THAT(
      compare(first, second).differences,
      ElementsAre("samples a question (k): 1 and 2", "temperature: 0.6 and 0", "top_k: not set and 20"));
}

TEST(Comparison, WhatCannotBeComparedIsRefused) {
  const Benchmark other = made_benchmark("math-500");
  const Evaluation first = evaluate(made_run({"+"}, 1), aime()), second = evaluate(made_run({"+"}, 1), other),
                   empty = evaluate(made_run({""}, 1), aime());
  EXPECT_THROW(compare(first, second), Error);
  EXPECT_THROW(compare(first, empty), Error);
}

TEST(Comparison, TextsOfModelsStayText) {
  auto run = made_run({"2"}, 1);
  run.verdicts[0].extracted = "<script>alert(1)</script>";
  run.description.model = "<b>";
  const Evaluation first = evaluate(run, aime()), second = evaluate(made_run({"+"}, 1), aime());
  const std::string page = comparison_page(compare(first, second));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace r1::eval
