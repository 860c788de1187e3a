// r1 eval as people call it, with the model that ships.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "tests/cli/background_program.h"
#include "tests/cli/program_runner.h"

namespace r1 {
namespace {

using nlohmann::json;
using test::BackgroundProgram;
using test::Outcome;
using ::testing::HasSubstr;

class EvalCommandTest : public test::ProgramRunner {
 protected:
  void SetUp() override {
    std::string lines;
    for (int i = 0; i < 8; ++i) {
      lines += json{{"id", fmt::format("sum-{}", i)},
                    {"question", fmt::format("What is {}+{}?", 347 + 13 * i, 285 + 7 * i)},
                    {"answer", std::to_string(347 + 285 + 20 * i)}}
                   .dump() +
               "\n";
    }
    std::ofstream(folder_ / "sums.jsonl") << lines;
  }
  /// r1 eval of the file, without -k and --limit.
  Outcome eval(const std::string& options) const {
    return r1("eval math --data sums.jsonl --max-tokens 200 -t 2 " + options);
  }
  /// What answers.jsonl says, by question and sample, without times and keys.
  std::map<std::pair<std::string, int64_t>, json> answers(const std::string& folder) const {
    std::map<std::pair<std::string, int64_t>, json> found;
    std::istringstream in(read(folder + "/answers.jsonl"));
    for (std::string text; std::getline(in, text);) {
      json line = json::parse(text);
      line.erase("seconds");
      line.erase("key");
      const std::pair id(line["item"].get<std::string>(), line["sample"].get<int64_t>());
      EXPECT_TRUE(found.emplace(id, line).second) << text;
    }
    return found;
  }
};

TEST_F(EvalCommandTest, AnswersAreKeptAndAskedOnce) {
  const Outcome outcome = eval("-k 2 --limit 3 --out run");
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_THAT(outcome.out, HasSubstr("pass@1"));
  const auto first = answers("run");
  ASSERT_EQ(first.size(), 6U);
  EXPECT_THAT(first.at({"sum-0", 0})["answer"].get<std::string>(), HasSubstr("boxed{632}"));
  EXPECT_GT(first.at({"sum-0", 0})["reasoning_tokens"], 0);
  const json run = json::parse(read("run/run.json"));
  EXPECT_EQ(run["model"], "r1-first-5m-Q8_0");
  EXPECT_EQ(run["weights_sha256"], "f8d69891f7ae46b8e5367c06c1b8004d47e8843ce6d6d8b173a298bc469d7196");
  EXPECT_EQ(run["temperature"], 0.6);

  const std::string log = read("run/answers.jsonl");
  EXPECT_EQ(eval("-k 2 --limit 3 --out run").code, 0);
  EXPECT_EQ(read("run/answers.jsonl"), log);
  EXPECT_EQ(eval("-k 3 --limit 4 --out run").code, 0);
  EXPECT_EQ(answers("run").size(), 12U);
  const Outcome refused = eval("-k 2 --limit 3 --out run --temp 0.7");
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.error, HasSubstr("temperature: 0.6 and 0.7"));
}

TEST_F(EvalCommandTest, AnAnswerHasAllItsTokensWhateverTheLengthOfItsQuestion) {
  ASSERT_EQ(r1("eval math --data sums.jsonl --limit 2 -k 1 --max-tokens 12 --out short").code, 0);
  for (const auto& [id, answer] : answers("short")) EXPECT_EQ(answer["tokens"], 12) << id.first;
}

TEST_F(EvalCommandTest, AKilledRunContinuesToTheSameAnswers) {
  ASSERT_EQ(eval("-k 6 --out whole").code, 0);
  {
    BackgroundProgram program(folder_, {"eval", "math", "--data", "sums.jsonl", "--max-tokens", "200", "-t",
                                        "2", "-k", "6", "--batch", "2", "--out", "killed"});
    for (int i = 0; i < 2000 && read("killed/answers.jsonl").empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    program.stop(SIGKILL);
  }
  const auto left = answers("killed").size();
  EXPECT_GT(left, 0U);
  EXPECT_LT(left, 48U);
  const Outcome outcome = eval("-k 6 --out killed");
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_THAT(outcome.error, HasSubstr("continuing"));
  EXPECT_EQ(answers("killed"), answers("whole"));
}

TEST_F(EvalCommandTest, CtrlCSaysHowToGoOn) {
  BackgroundProgram program(folder_, {"eval", "math", "--data", "sums.jsonl", "--max-tokens", "200", "-t",
                                      "1", "-k", "20", "--batch", "2", "--out", "run"});
  for (int i = 0; i < 2000 && read("run/answers.jsonl").empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  program.stop(SIGINT);
  EXPECT_THAT(read("background error"), HasSubstr("the same command continues"));
}

TEST_F(EvalCommandTest, ShardsTogetherAreTheRun) {
  ASSERT_EQ(eval("-k 2 --out whole").code, 0);
  auto expected = answers("whole");
  for (const char* shard : {"1", "2", "3"}) {
    ASSERT_EQ(eval(fmt::format("-k 2 --shard {}/3 --out part{}", shard, shard)).code, 0);
    for (const auto& [id, answer] : answers(fmt::format("part{}", shard))) {
      EXPECT_EQ(answer, expected[id]) << id.first;
      expected.erase(id);
    }
  }
  EXPECT_TRUE(expected.empty());
  EXPECT_THAT(eval("--shard 4/3").error, HasSubstr("--shard: expected I/N"));
}

TEST_F(EvalCommandTest, AnEndpointGivesTheAnswersOfTheEngineHere) {
  ASSERT_EQ(eval("-k 3 --seed 5 --out here").code, 0);
  const BackgroundProgram server(folder_, {"serve", "--port", "0", "--no-site", "-t", "2"});
  const std::string line = server.first_line();
  ASSERT_THAT(line, HasSubstr("http://"));
  const std::string address = line.substr(line.find("http://"));
  const Outcome outcome = eval("-k 3 --seed 5 --endpoint " + address + " " + address + " --out there");
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(answers("there"), answers("here"));
  EXPECT_EQ(json::parse(read("there/run.json"))["model"], "r1-first-5m-Q8_0");
}

TEST_F(EvalCommandTest, WrongUsageIsSaidInOneLine) {
  const auto error = [&](const std::string& arguments) {
    const Outcome outcome = r1(arguments);
    EXPECT_NE(outcome.code, 0) << arguments;
    EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << outcome.error;
    return outcome.error;
  };
  EXPECT_THAT(error("eval"), HasSubstr("which task?"));
  EXPECT_THAT(error("eval mathh --data sums.jsonl"), HasSubstr("math"));
  EXPECT_THAT(error("eval math"), HasSubstr("--data"));
  EXPECT_THAT(error("eval gsm8k"), HasSubstr("r1 eval fetch gsm8k"));
  EXPECT_THAT(error("eval math --data sums.jsonl --model m.gguf --endpoint http://127.0.0.1:1"),
              HasSubstr("found both"));
  EXPECT_THAT(error("eval math --data sums.jsonl --endpoint 127.0.0.1:1"), HasSubstr("expected http://"));
  EXPECT_THAT(error("eval math --data sums.jsonl --endpoint http://127.0.0.1:1"),
              HasSubstr("http://127.0.0.1:1/v1/models"));
  EXPECT_THAT(r1("eval math --data sums.jsonl --ctx-size 1000000").error, HasSubstr("--ctx-size"));
}

}  // namespace
}  // namespace r1
