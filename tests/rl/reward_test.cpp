#include "rl/reward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "rl/text_measures.h"

namespace r1::rl {
namespace {

Answer answer_of(const Question& question, std::string reasoning, std::string answer, bool finished = true) {
  Answer made;
  made.question = &question;
  made.reasoning = std::move(reasoning);
  made.answer = std::move(answer);
  made.output = made.reasoning + "</think>" + made.answer;
  made.finished = finished;
  made.tokens = 10;
  return made;
}

std::vector<WeightedReward> make(const TrainingOptions& options,
                                 const std::function<void(const std::string&)>& remark = {}) {
  ThreadPool pool(1);
  Context context(pool, kernels::select_kernels(), Arithmetic::mixed);
  return make_rewards(context, options, remark);
}

std::vector<double> score(const std::string& reward, const std::vector<Answer>& answers,
                          std::vector<std::string>* remarks = nullptr, double seconds = 20) {
  TrainingOptions options;
  options.rewards = {reward};
  options.answer_tokens = 100;
  options.overlong_buffer = 40;
  options.reward_seconds = seconds;
  return make(options,
              [=](const std::string& text) {
                if (remarks != nullptr) remarks->push_back(text);
              })[0]
      .reward->score(answers);
}

TEST(RewardTest, AccuracyOfGeneratedExercisesGoesByTheCheckOfTheirKind) {
  Question question;
  question.expected = "3×5+7";
  question.fields = nlohmann::ordered_json{{"kind", "countdown"}, {"canonical", "countdown(3,5,7;22)"}};
  EXPECT_EQ(score("accuracy",
                  {answer_of(question, "x", "\\boxed{7+5\\times 3}"), answer_of(question, "x", "\\boxed{22}"),
                   answer_of(question, "x", "\\boxed{7+7+5+3}")}),
            (std::vector<double>{1, 0, 0}));
}

TEST(RewardTest, AccuracyCountsTheCommittedAnswerBehindTheThinkingAlone) {
  Question question;
  question.expected = "1/2";
  Answer unclosed = answer_of(question, "\\boxed{0.5}", "");
  unclosed.in_reasoning = true;
  const std::vector<double> found = score(
      "accuracy", {answer_of(question, "x", "It is \\boxed{0.5}."),
                   answer_of(question, "x", "It is \\boxed{\\frac{2}{4}}."),
                   answer_of(question, "x", "<answer> 1/2 </answer>"), answer_of(question, "x", "It is 1/2"),
                   answer_of(question, "\\boxed{1/2}", "It is \\boxed{3}."), unclosed});
  EXPECT_EQ(found, (std::vector<double>{1, 1, 1, 0, 0, 0}));
}

TEST(RewardTest, FormatWantsClosedThinkingAndOneBox) {
  const Question question;
  Answer unclosed = answer_of(question, "a \\boxed{1}", "");
  unclosed.in_reasoning = true;
  const std::vector<double> found =
      score("format", {answer_of(question, "a", "so \\boxed{1}"), answer_of(question, " \n", "so \\boxed{1}"),
                       answer_of(question, "a", "so 1"), answer_of(question, "a", "\\boxed{1} or \\boxed{2}"),
                       answer_of(question, "a", "so \\boxed{1}", false), unclosed,
                       answer_of(question, "a", "</think> so \\boxed{1}")});
  EXPECT_EQ(found, (std::vector<double>{1, 0, 0, 0, 0, 0, 0}));
}

TEST(RewardTest, AnswerTagsAreThoseOfTheTemplateForBaseModels) {
  const Question question;
  const std::vector<double> found =
      score("answer-tags",
            {answer_of(question, "a", " <answer>4</answer>\n"), answer_of(question, "a", "<answer></answer>"),
             answer_of(question, "a", "so <answer>4</answer>"), answer_of(question, "a", "4"),
             answer_of(question, "<answer>4</answer>", "<answer>4</answer>")});
  EXPECT_EQ(found, (std::vector<double>{1, 0, 0, 0, 0}));
}

TEST(RewardTest, LanguageIsTheShareOfTheQuestionsLanguage) {
  Question chinese, english;
  chinese.language = "zh", english.language = "en";
  const std::vector<double> found = score(
      "language", {answer_of(chinese, "三加四 is 七", ""), answer_of(english, "three plus four 是 seven", ""),
                   answer_of(chinese, "3+4=7 \\frac{x}{2}", ""), answer_of(english, "先算 add", "")});
  EXPECT_NEAR(found[0], 4.0 / 5, 1e-12);
  EXPECT_NEAR(found[1], 4.0 / 5, 1e-12);
  EXPECT_EQ(found[2], 1) << "formulas are in no language";
  EXPECT_NEAR(found[3], 1.0 / 3, 1e-12);
}

TEST(RewardTest, OverlongFallsOverTheBuffer) {
  const Question question;
  Answer shorter = answer_of(question, "a", "b"), middle = shorter, longest = shorter, cut = shorter;
  shorter.tokens = 60, middle.tokens = 80, longest.tokens = 100, cut.finished = false;
  EXPECT_EQ(score("overlong", {shorter, middle, longest, cut}), (std::vector<double>{0, -0.5, -1, -1}));
}

TEST(RewardTest, LengthPrefersShortRightAnswersOfAGroup) {
  Question question;
  question.expected = "3";
  Answer quick = answer_of(question, "a", "\\boxed{3}"), slow = quick,
         wrong = answer_of(question, "a", "\\boxed{4}");
  Answer alone = quick;
  quick.tokens = 10, slow.tokens = 30, wrong.tokens = 10, alone.group = 1;
  EXPECT_EQ(score("length", {quick, slow, wrong, alone}), (std::vector<double>{0.5, -0.5, 0, 0}));
}

TEST(RewardTest, RepetitionIsTheShareOfTriplesSeenBefore) {
  EXPECT_EQ(repeated_share("a b c d e"), 0);
  EXPECT_EQ(repeated_share("a b"), 0);
  EXPECT_NEAR(repeated_share("a b c a b c a b c"), 1 - 3.0 / 7, 1e-12);
}

TEST(RewardTest, NamesAndWeightsAreChecked) {
  TrainingOptions options;
  options.rewards = {"accuracy", "format=-0.5"};
  const std::vector<WeightedReward> made = make(options);
  EXPECT_EQ(made[0].weight, 1);
  EXPECT_EQ(made[1].weight, -0.5);
  for (const char* bad : {"accuracie=1", "format=", "format=much", "format=inf",
                          "command:", "model:", "model:/no/such/folder"}) {
    options.rewards = {bad};
    EXPECT_THROW(make(options), Error) << bad;
  }
  options.rewards = {"format", "format=2"};
  EXPECT_THROW(make(options), Error);
  options.rewards = {};
  EXPECT_THROW(make(options), Error);
}

class CommandRewardTest : public testing::Test {
 protected:
  CommandRewardTest() {
    question_.text = "1+1?";
    question_.expected = "2";
    question_.fields = nlohmann::ordered_json::object();
    answers_ = {answer_of(question_, "a", "2"), answer_of(question_, "a", "3"),
                answer_of(question_, "a", "4")};
  }

  Question question_;
  std::vector<Answer> answers_;
  std::vector<std::string> remarks_;
};

TEST_F(CommandRewardTest, ReadsALineForEachAnswerInAnyOrder) {
  const std::vector<double> found = score(R"(command:sort -r | python3 -c 'import sys,json
for l in sys.stdin:
    a=json.loads(l); print(json.dumps({"id":a["id"],"reward":1.5 if a["answer"]==a["expected"] else -1}))')",
                                          answers_, &remarks_);
  EXPECT_EQ(found, (std::vector<double>{1.5, -1, -1}));
  EXPECT_TRUE(remarks_.empty());
}

TEST_F(CommandRewardTest, WhatGoesWrongIsNamedAndNeverBecomesAReward) {
  const struct {
    const char *command, *reason;
    int missing;
  } kCases[] = {
      {"command:exit 3", "exited with 3", 3},
      {"command:kill -9 $$", "signal 9", 3},
      {"command:cat >/dev/null; echo rubbish", "found 'rubbish'", 3},
      {R"(command:cat >/dev/null; echo '{"id":0,"reward":1}'; echo '{"id":1,"reward":1e999}')", "", 2},
      {R"(command:cat >/dev/null; echo '{"id":7,"reward":1}')", "expected 0 to 2, found 7", 3},
      {R"(command:echo '{"id":2,"reward":0.25}'; exec sleep 100)", "reward_seconds", 2},
      {"command:sleep 100 & yes", "", 3},
      {"command:/no/such/program", "exited with 127", 3},
  };
  for (const auto& one : kCases) {
    SCOPED_TRACE(one.command);
    remarks_.clear();
    const std::vector<double> found = score(one.command, answers_, &remarks_, 0.5);
    EXPECT_EQ(std::ranges::count_if(found, [](double reward) { return std::isnan(reward); }), one.missing);
    ASSERT_EQ(remarks_.size(), 1U);
    EXPECT_NE(remarks_[0].find(one.reason), std::string::npos) << remarks_[0];
  }
}

}  // namespace
}  // namespace r1::rl
