#include "eval/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/protocol.h"
#include "tests/eval/made_run.h"

namespace r1::eval {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

int64_t count(const Summary& summary, AnswerClass answer_class) {
  return summary.classes[static_cast<size_t>(answer_class)].count;
}

TEST(Summary, ScoresOfAWholeRun) {
  const Summary summary = summarise(made_run({"++++", "+22-", "3333"}, 4), made_benchmark());
  EXPECT_FALSE(summary.partial);
  EXPECT_EQ(summary.metric, "pass@1");
  EXPECT_DOUBLE_EQ(summary.score.value, (1 + 0.25 + 0) / 3);
  EXPECT_TRUE(summary.interval);
  ASSERT_EQ(summary.pass_at.size(), 3U);  // 1, 2, 4
  EXPECT_DOUBLE_EQ(summary.pass_at[0].estimate.value, summary.score.value);
  EXPECT_DOUBLE_EQ(summary.pass_at[1].estimate.value, (1 + 0.5 + 0) / 3);
  EXPECT_DOUBLE_EQ(summary.pass_at[2].estimate.value, 2.0 / 3);
  ASSERT_EQ(summary.consensus_at.size(), 3U);
  EXPECT_DOUBLE_EQ(summary.consensus_at[2].estimate.value, 1.0 / 3);  // "2" has the majority in the second
  EXPECT_EQ(count(summary, AnswerClass::right), 5);
  EXPECT_EQ(count(summary, AnswerClass::wrong), 6);
  EXPECT_EQ(count(summary, AnswerClass::not_extracted), 1);
}

TEST(Summary, APartialRunDividesByWhatIsThere) {
  auto run = made_run({"++", "+", "2e", ""}, 4);
  run.description.questions = 5;  // a shard is missing
  const Summary summary = summarise(run, made_benchmark());
  EXPECT_TRUE(summary.partial);
  EXPECT_DOUBLE_EQ(summary.score.value, 2.0 / 3);
  EXPECT_EQ(summary.questions, 5);
  EXPECT_EQ(summary.questions_seen, 3);
  EXPECT_EQ(summary.samples, 20);
  EXPECT_EQ(summary.generated, 4);
  EXPECT_EQ(summary.failed, 1);
  EXPECT_EQ(summary.fewest, 1);
  EXPECT_EQ(summary.pass_at.size(), 1U);  // no k that a question lacks
  EXPECT_THAT(summary.notes, Contains(HasSubstr("3 of 5 questions have answers, 4 of 20 samples")));
  EXPECT_THAT(summary.notes, Contains(HasSubstr("1 samples failed")));
}

TEST(Summary, TruncationAndLengthsStandBesideTheScore) {
  const Summary summary = summarise(made_run({"++tt"}, 4), made_benchmark());
  EXPECT_EQ(summary.truncated, 0.5);
  EXPECT_EQ(summary.right.mean, 150);
  EXPECT_EQ(summary.right.quantile(0.5), 100);
  EXPECT_EQ(summary.wrong.quantile(1), 1400);
  EXPECT_THAT(summary.notes, Contains(HasSubstr("50.0% of the answers were cut off")));
}

TEST(Summary, UndecidedAnswersAreNoScore) {
  EXPECT_FALSE(summarise(made_run({"??"}, 2), made_benchmark()).graded);
  const Summary some = summarise(made_run({"+?"}, 2), made_benchmark());
  EXPECT_TRUE(some.graded);
  EXPECT_EQ(some.score.value, 0.5);
  EXPECT_THAT(some.notes, Contains(HasSubstr("1 answers could not be decided")));
}

TEST(Summary, NothingIsThere) {
  const Summary summary = summarise(made_run({"", ""}, 4), made_benchmark());
  EXPECT_TRUE(summary.partial);
  EXPECT_FALSE(summary.graded);
  EXPECT_FALSE(summary.interval);
  EXPECT_THAT(summary.pass_at, IsEmpty());
}

TEST(Summary, GroupsKeepTheirOrder) {
  auto run = made_run({"+", "2", "+"}, 1);
  run.items[0].group = run.items[2].group = "zoology";
  run.items[1].group = "algebra";
  const Summary summary = summarise(run, made_benchmark());
  ASSERT_EQ(summary.groups.size(), 2U);
  EXPECT_EQ(summary.groups[0].name, "zoology");
  EXPECT_EQ(summary.groups[0].questions, 2);
  EXPECT_EQ(summary.groups[0].score.value, 1);
}

TEST(Summary, IntervalsOfABenchmarksOwnMetric) {
  Benchmark benchmark = made_benchmark();
  benchmark.metrics = [](std::span<const GradedSample>) {
    return std::vector<std::pair<std::string, double>>{{"win rate", 0.7}, {"length", 300}};
  };
  const auto run = made_run({"+2"}, 2);
  EXPECT_FALSE(summarise(run, benchmark).interval);
  benchmark.metrics = [](std::span<const GradedSample>) {
    return std::vector<std::pair<std::string, double>>{
        {"win rate", 0.7}, {"win rate low", 0.6}, {"win rate high", 0.8}};
  };
  const Summary summary = summarise(run, benchmark);
  EXPECT_TRUE(summary.interval);
  EXPECT_EQ(summary.score.high, 0.8);
  EXPECT_EQ(summary.metrics.size(), 1U);
}

TEST(Protocol, DifferencesAreNamed) {
  auto run = made_run({"+"}, 1);
  run.description.temperature = 0;
  run.description.system_prompt = "Be brief.";
  run.description.limit = 1;
  std::vector<std::string> differing;
  for (const ProtocolSetting& setting : protocol_settings(run.description, made_benchmark()))
    if (setting.differs) differing.push_back(setting.name + ": " + setting.here);
  EXPECT_THAT(differing, ::testing::ElementsAre("samples a question (k): 1", "temperature: 0",
                                                "system prompt: \"Be brief.\"", "questions: 1 (limit 1)"));
}

TEST(Protocol, ThePublishedProtocolDiffersInNothing) {
  RunDescription description;
  description.samples = 64;
  description.questions = 30;
  for (const ProtocolSetting& setting : protocol_settings(description, made_benchmark()))
    EXPECT_FALSE(setting.differs) << setting.name;
}

}  // namespace
}  // namespace r1::eval
