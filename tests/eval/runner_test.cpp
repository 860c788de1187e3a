#include "eval/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "tests/eval/fake_responder.h"
#include "tests/temporary_folder.h"

namespace r1::eval {
namespace {

using ::testing::HasSubstr;

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<Item> make_items(int64_t count) {
  std::vector<Item> items;
  for (int64_t i = 0; i < count; ++i) {
    Item item;
    item.id = fmt::format("q{}", i);
    item.line = i;
    item.messages = {{"user", fmt::format("question {}", i)}};
    item.fields = nlohmann::json{{"question", "q"}, {"references", {"4"}}};
    items.push_back(std::move(item));
  }
  return items;
}

RunDescription describe(int64_t samples) {
  RunDescription run;
  run.benchmark = "math";
  run.model = "tiny";
  run.weights_sha256 = "abc";
  run.data_file = "data.jsonl";
  run.data_sha256 = "def";
  run.samples = samples;
  run.seed = 7;
  run.version = "test";
  return run;
}

Benchmark make_benchmark() {
  Benchmark benchmark;
  benchmark.name = "math";
  benchmark.grade = [](const Item&, const Sample& sample, const GradingContext&) {
    Verdict verdict;
    verdict.correct = sample.answer == "\\boxed{4}";
    verdict.score = verdict.correct ? 1 : 0;
    verdict.answer_class = verdict.correct ? AnswerClass::right : AnswerClass::wrong;
    return verdict;
  };
  return benchmark;
}

RunnerOptions make_options(int64_t samples) {
  RunnerOptions options;
  options.samples = samples;
  options.generation.sampling.seed = 7;
  options.in_flight = 6;
  return options;
}

/// All that a report sees, without the times.
std::string contents(const std::vector<std::filesystem::path>& folders) {
  const Run run = read_runs(folders, {});
  std::string text =
      fmt::format("{} {} {}\n", run.description.samples, run.description.limit, run.description.questions);
  for (size_t i = 0; i < run.samples.size(); ++i) {
    const Sample& sample = run.samples[i];
    text += fmt::format("{} {} {} {} {} {} {}\n", sample.item, sample.index, sample.reasoning, sample.answer,
                        sample.tokens, run.verdicts[i].score, class_name(run.verdicts[i].answer_class));
  }
  return text;
}

class RunnerTest : public ::testing::Test {
 protected:
  RunProgress run(const std::string& name, Responder& responder, int64_t samples, int64_t questions,
                  std::optional<int64_t> stop_after = {}) {
    RunFolder folder(temporary_ / name, describe(samples), make_items(questions),
                     [this](const std::string& text) { remarks_ += text + "\n"; });
    RunnerOptions options = make_options(samples);
    if (stop_after) {
      options.cancelled = [&responder, stop_after] {
        return dynamic_cast<test::FakeResponder&>(responder).answered() >= *stop_after;
      };
    }
    return run_benchmark(benchmark_, folder, responder, nullptr, options);
  }

  test::TemporaryFolder temporary_;
  Benchmark benchmark_ = make_benchmark();
  std::string remarks_;
};

TEST_F(RunnerTest, EachSampleIsAskedOnceWithItsOwnSeed) {
  test::FakeResponder responder(test::plain_answer);
  const RunProgress progress = run("run", responder, 4, 5);
  EXPECT_EQ(responder.asked(), 20);
  EXPECT_EQ(progress.done, 20);
  EXPECT_EQ(progress.total, 20);
  EXPECT_EQ(progress.errors, 0);
  EXPECT_EQ(progress.graded, 20);
  EXPECT_DOUBLE_EQ(progress.score.value, 0.5);  // seeds 7 to 10
  const std::string text = contents({temporary_ / "run"});
  EXPECT_THAT(text, HasSubstr("q3 2 about question 3 with 9 \\boxed{5} 19 0 wrong\n"));
  EXPECT_THAT(text, HasSubstr("q3 3 about question 3 with 10 \\boxed{4} 20 1 right\n"));
}

TEST_F(RunnerTest, TheOrderOfAnswersInterruptionsAndShardsLeaveNoTrace) {
  test::FakeResponder straight(test::plain_answer, 1);
  run("whole", straight, 4, 9);
  const std::string expected = contents({temporary_ / "whole"});

  for (const int64_t stop : {1, 5, 17}) {
    const std::string name = fmt::format("stopped at {}", stop);
    test::FakeResponder first(test::plain_answer, 2), second(test::plain_answer, 3);
    EXPECT_EQ(run(name, first, 4, 9, stop).done, stop);
    EXPECT_EQ(run(name, second, 4, 9).done, 36);
    EXPECT_EQ(second.asked(), 36 - stop);
    EXPECT_EQ(contents({temporary_ / name}), expected);
  }

  std::vector<std::filesystem::path> shards;
  for (const int64_t shard : {2, 0, 1}) {
    RunDescription description = describe(4);
    description.shard = shard;
    description.shards = 3;
    std::vector<Item> items;
    for (Item& item : make_items(9)) {
      if (item.line % 3 == shard) items.push_back(std::move(item));
    }
    shards.push_back(temporary_ / fmt::format("shard {}", shard));
    RunFolder folder(shards.back(), description, std::move(items), {});
    test::FakeResponder responder(test::plain_answer, 9);
    run_benchmark(benchmark_, folder, responder, nullptr, make_options(4));
  }
  EXPECT_EQ(contents(shards), expected);
}

TEST_F(RunnerTest, AKilledRunGoesOnWhereverItsFileEnds) {
  test::FakeResponder straight(test::plain_answer, 1);
  run("whole", straight, 2, 3);
  const std::string expected = contents({temporary_ / "whole"});
  const std::string log = read(temporary_ / "whole/answers.jsonl");
  std::filesystem::copy(temporary_ / "whole", temporary_ / "cut");
  for (size_t size = 0; size < log.size(); size += 37) {
    std::ofstream(temporary_ / "cut/answers.jsonl", std::ios::binary) << log.substr(0, size);
    const int64_t whole_lines = std::count(log.begin(), log.begin() + static_cast<int64_t>(size), '\n');
    test::FakeResponder responder(test::plain_answer, 4);
    run("cut", responder, 2, 3);
    ASSERT_EQ(responder.asked(), 6 - whole_lines) << size;
    ASSERT_EQ(contents({temporary_ / "cut"}), expected) << size;
  }
}

TEST_F(RunnerTest, MoreSamplesAndMoreQuestionsContinueARun) {
  test::FakeResponder first(test::plain_answer), second(test::plain_answer), straight(test::plain_answer);
  run("run", first, 2, 3);
  run("run", second, 4, 5);
  EXPECT_EQ(second.asked(), 20 - 6);
  run("whole", straight, 4, 5);
  EXPECT_EQ(contents({temporary_ / "run"}), contents({temporary_ / "whole"}));
}

TEST_F(RunnerTest, SamplesOfTwoQuestionsDrawWithDifferentNumbers) {
  Item one, other;
  one.id = "q0";
  other.id = "q1";
  EXPECT_NE(sample_seed(7, one, 0), sample_seed(7, other, 0));
  EXPECT_EQ(sample_seed(7, one, 3), sample_seed(7, one, 0) + 3);
  EXPECT_EQ(sample_seed(8, one, 0), sample_seed(7, one, 1));
  for (int64_t index = 0; index < 1000; ++index) EXPECT_LT(sample_seed(7, other, index), uint64_t{1} << 31U);
}

TEST_F(RunnerTest, ErrorsAreAskedAgainAndNothingElse) {
  test::FakeResponder failing([](const std::vector<ChatMessage>& messages, uint64_t seed) {
    Generation generation = test::plain_answer(messages, seed);
    if (seed == 8) {
      generation = {};
      generation.end = AnswerEnd::error;
      generation.summary.error = "out of luck";
    }
    return generation;
  });
  EXPECT_EQ(run("run", failing, 2, 3).errors, 3);
  EXPECT_THAT(remarks_, HasSubstr(""));
  EXPECT_THAT(contents({temporary_ / "run"}), HasSubstr("q0 1   0 0 error\n"));
  test::FakeResponder working(test::plain_answer), straight(test::plain_answer);
  run("run", working, 2, 3);
  EXPECT_EQ(working.asked(), 3);
  run("whole", straight, 2, 3);
  EXPECT_EQ(contents({temporary_ / "run"}), contents({temporary_ / "whole"}));
}

TEST_F(RunnerTest, AnotherRunInTheSameFolderIsRefusedByName) {
  test::FakeResponder responder(test::plain_answer);
  run("run", responder, 2, 3);
  const auto refusal = [&](const RunDescription& description, std::vector<Item> items) {
    try {
      RunFolder(temporary_ / "run", description, std::move(items), {});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  RunDescription other = describe(2);
  EXPECT_EQ(refusal(other, make_items(3)), "accepted");
  other.temperature = 0.7;
  EXPECT_THAT(refusal(other, make_items(3)), HasSubstr("temperature: 0.6 and 0.7"));
  other = describe(2);
  other.weights_sha256 = "other";
  EXPECT_THAT(refusal(other, make_items(3)), HasSubstr("weights"));
  other = describe(2);
  other.seed = 8;
  EXPECT_THAT(refusal(other, make_items(3)), HasSubstr("seed: 7 and 8"));
  other = describe(2);
  other.shards = 2;
  EXPECT_THAT(refusal(other, make_items(3)), HasSubstr("shard: 1/1 and 1/2"));
  std::vector<Item> items = make_items(3);
  items[1].messages[0].content = "another prompt";
  EXPECT_THAT(refusal(describe(2), items), HasSubstr("question 'q1' reads otherwise"));
}

TEST_F(RunnerTest, AFolderHasOneWriter) {
  const RunFolder first(temporary_ / "run", describe(1), make_items(1), {});
  EXPECT_THROW(RunFolder(temporary_ / "run", describe(1), make_items(1), {}), Error);
}

TEST_F(RunnerTest, FoldersOfDifferentRunsAreNotJoined) {
  test::FakeResponder responder(test::plain_answer);
  run("run", responder, 1, 2);
  RunDescription other = describe(1);
  other.top_p = 1;
  { const RunFolder folder(temporary_ / "other", other, make_items(2), {}); }
  const std::vector<std::filesystem::path> folders{temporary_ / "run", temporary_ / "other"};
  try {
    read_runs(folders, {});
    FAIL() << "joined";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("top_p: 0.95 and 1.0"));
  }
}

TEST_F(RunnerTest, ADamagedLineIsNamed) {
  test::FakeResponder responder(test::plain_answer);
  run("run", responder, 1, 2);
  const std::string log = read(temporary_ / "run/answers.jsonl");
  std::ofstream(temporary_ / "run/answers.jsonl", std::ios::binary) << "{\"item\": \n" << log;
  try {
    contents({temporary_ / "run"});
    FAIL() << "read";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("answers.jsonl:1"));
  }
}

TEST_F(RunnerTest, AJudgeIsAskedOnceAboutEachAnswer) {
  benchmark_.judging = Judging::judge;
  benchmark_.judge_questions = [](const Item& item, const Sample& sample) {
    return std::vector<std::vector<ChatMessage>>{{{"user", "first? " + item.id + sample.answer}},
                                                 {{"user", "second? " + item.id + sample.answer}}};
  };
  benchmark_.grade = [](const Item&, const Sample& sample, const GradingContext&) {
    Verdict verdict;
    verdict.correct = sample.judge_replies.size() == 2 && sample.judge_replies[0].starts_with("A first?") &&
                      sample.judge_replies[1].starts_with("A second?");
    verdict.score = verdict.correct ? 1 : 0;
    return verdict;
  };
  int64_t calls = 0;
  bool working = false;
  const auto reply = [&](const std::vector<ChatMessage>& messages, uint64_t) {
    Generation generation;
    const std::string question = messages.back().content.value_or("");
    ++calls;
    if (!working && question.starts_with("second? q1")) {
      generation.end = AnswerEnd::error;
      generation.summary.error = "the judge is out";
    }
    generation.answer = "A " + question;
    return generation;
  };
  RunDescription description = describe(2);
  description.judge = "http://judge/v1#referee";
  const auto run_judged = [&] {
    RunFolder folder(temporary_ / "run", description, make_items(2), {});
    test::FakeResponder responder(test::plain_answer), judge(reply, 5);
    return run_benchmark(benchmark_, folder, responder, &judge, make_options(2));
  };
  RunProgress progress = run_judged();
  EXPECT_EQ(calls, 8);
  EXPECT_EQ(progress.judged, 2);
  EXPECT_EQ(progress.judge_errors, 2);
  working = true;
  progress = run_judged();
  EXPECT_EQ(calls, 8 + 4) << "only failures are asked again";
  EXPECT_EQ(progress.judged, 4);
  EXPECT_DOUBLE_EQ(progress.score.value, 1);
  EXPECT_EQ(run_judged().judged, 4);
  EXPECT_EQ(calls, 12);
  description.judge = "http://judge/v1#another";
  run_judged();
  EXPECT_EQ(calls, 20) << "another judge is asked itself";
}

TEST_F(RunnerTest, SeveralTriesAreOneSample) {
  benchmark_.judging = Judging::code;
  benchmark_.next_turn = [](const Item&, std::span<const Sample> tries,
                            const GradingContext&) -> std::optional<ChatMessage> {
    if (tries.size() == 2 || tries.back().answer == "\\boxed{4}") return std::nullopt;
    return ChatMessage{"user", "that failed"};
  };
  test::FakeResponder responder([](const std::vector<ChatMessage>& messages, uint64_t seed) {
    Generation generation = test::plain_answer({messages.front()}, seed);
    if (messages.size() == 3 && messages[1].role == "assistant" && messages[1].content == "\\boxed{5}" &&
        messages[2].content == "that failed")
      generation.answer = "\\boxed{4}";
    return generation;
  });
  const RunProgress progress = run("run", responder, 2, 3);
  EXPECT_EQ(progress.done, 6);
  EXPECT_EQ(responder.asked(), 6 + 3);
  EXPECT_DOUBLE_EQ(progress.score.value, 1);
  const eval::Run finished = read_run(temporary_ / "run", {});
  ASSERT_EQ(finished.samples.size(), 6U);
  EXPECT_EQ(finished.samples[0].earlier_tries.size(), 1U);  // seed 7
  EXPECT_EQ(finished.samples[0].earlier_tries[0].answer, "\\boxed{5}");
  EXPECT_TRUE(finished.samples[1].earlier_tries.empty());
}

TEST_F(RunnerTest, TextCutOffWithoutMarkersIsThinkingWhereOtherAnswersThink) {
  const auto answer = [](bool others_think) {
    return [others_think](const std::vector<ChatMessage>&, uint64_t seed) {
      Generation generation;
      generation.answer = "\\boxed{4}";
      if (others_think) generation.reasoning = "hm";
      if (seed == 9) {
        generation.reasoning.clear();
        generation.answer = "so \\boxed{4}, but";
        generation.end = AnswerEnd::length;
        generation.unmarked = true;
      }
      return generation;
    };
  };
  test::FakeResponder thinks(answer(true)), plain(answer(false));
  run("thinks", thinks, 3, 1);
  run("plain", plain, 3, 1);
  EXPECT_THAT(contents({temporary_ / "thinks"}), HasSubstr("truncated in thinking"));
  EXPECT_THAT(contents({temporary_ / "plain"}), ::testing::Not(HasSubstr("truncated in thinking")));
}

}  // namespace
}  // namespace r1::eval
