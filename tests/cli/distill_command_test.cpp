// r1 distill as people call it, with the model that ships as teacher.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cli/background_program.h"
#include "tests/cli/program_runner.h"

namespace r1 {
namespace {

using nlohmann::json;
using test::BackgroundProgram;
using test::Outcome;
using ::testing::HasSubstr;

class DistillCommandTest : public test::ProgramRunner {
 protected:
  void SetUp() override {
    ASSERT_EQ(r1("data make --count 12 --seed 3 --history 0 --kinds addition,subtraction --level 1 -o "
                 "questions.jsonl")
                  .code,
              0);
  }
  Outcome distill(const std::string& options) const {
    return r1("distill --data questions.jsonl --max-tokens 200 -t 2 " + options);
  }
  std::vector<json> lines(const std::string& name) const {
    std::vector<json> found;
    std::istringstream in(read(name));
    for (std::string line; std::getline(in, line);) found.push_back(json::parse(line));
    return found;
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
};

TEST_F(DistillCommandTest, GoodAnswersBecomeTrainingDataAndTheTableSaysWhatHappenedToTheOthers) {
  const Outcome outcome = distill("--samples-only -k 3 --per-question 1 -o run");
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const std::vector<json> kept = lines("run/kept.jsonl");
  ASSERT_FALSE(kept.empty());
  for (const json& line : kept) {
    EXPECT_FALSE(line["question"].get<std::string>().empty());
    EXPECT_FALSE(line["think"].get<std::string>().empty());
    EXPECT_THAT(line["answer"].get<std::string>(), HasSubstr("\\boxed{"));
  }
  const json filters = json::parse(read("run/filters.json"));
  EXPECT_EQ(filters["answers"], 36);
  EXPECT_EQ(filters["fates"]["kept"], kept.size());
  int64_t sum = 0;
  for (const auto& [name, count] : filters["fates"].items()) sum += count.get<int64_t>();
  EXPECT_EQ(sum, 36);
  EXPECT_EQ(r1("data check run/kept.jsonl").code, 0);
}

TEST_F(DistillCommandTest, AKilledRunContinuesToTheSameAnswersAndTheSameStudent) {
  ASSERT_EQ(r1("train tokenizer questions.jsonl --vocab-size 320 -o tokenizer").code, 0);
  write("distill.toml", R"(
data = ["questions.jsonl"]
max_tokens = 200
samples = 12
threads = 2
distinct = false
[student]
tokenizer = "tokenizer"
layers = 1
hidden = 32
heads = 2
key_value_heads = 1
intermediate = 32
batch_tokens = 512
sequence_length = 256
save_steps = 5
max_steps = 300
threads = 1
)");
  const Outcome whole = r1("distill distill.toml --output whole");
  ASSERT_EQ(whole.code, 0) << whole.error;
  const auto kill_when = [&](const std::string& file) {
    BackgroundProgram program(folder_, {"distill", "distill.toml", "--output", "killed", "--batch", "2"});
    for (int i = 0; i < 4000 && !std::filesystem::exists(folder_ / file); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
    program.stop(SIGKILL);
  };
  kill_when("killed/answers/answers.jsonl");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "killed/kept.jsonl"));
  kill_when("killed/student/checkpoints");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "killed/student/model.safetensors"));
  const Outcome outcome = r1("distill distill.toml --output killed");
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(read("killed/kept.jsonl"), read("whole/kept.jsonl"));
  EXPECT_EQ(read("killed/student/model.safetensors"), read("whole/student/model.safetensors"));
}

TEST_F(DistillCommandTest, OtherKeptAnswersBeginAnotherStudent) {
  ASSERT_EQ(r1("train tokenizer questions.jsonl --vocab-size 320 -o tokenizer").code, 0);
  const std::string options =
      " -o run --student-tokenizer tokenizer --student-layers 1 --student-hidden 32 --student-heads 2 "
      "--student-key-value-heads 1 --student-intermediate 32 --student-max-steps 2 --student-threads 1";
  ASSERT_EQ(distill("-k 1" + options).code, 0);
  const Outcome more = distill("-k 3" + options);
  EXPECT_EQ(more.code, 0) << more.error;
  EXPECT_THAT(more.out, HasSubstr("done after 2 of 2 steps"));
}

TEST_F(DistillCommandTest, WhatCannotBeIsSaidInOneLine) {
  const auto error = [&](const std::string& options) {
    const Outcome outcome = distill("-o run " + options);
    EXPECT_NE(outcome.code, 0) << options;
    return outcome.error;
  };
  EXPECT_THAT(error(""), HasSubstr("expected a student (--student-model"));
  EXPECT_THAT(error("--student-model m --student-data d.jsonl"), HasSubstr("--student-data: set by distill"));
  EXPECT_THAT(error("--samples-only --teacher m --endpoint http://127.0.0.1:1"), HasSubstr("found both"));
  EXPECT_THAT(error("--samples-only --limit 2 -k 1 --shortest 5000"),
              HasSubstr("found none of 2: 2 too short or too long"));
  write("bad.toml", "samples = 2\n[student]\nepochss = 1\n");
  EXPECT_THAT(error("bad.toml"), HasSubstr("bad.toml:3: unknown option 'student_epochss'"));
}

}  // namespace
}  // namespace r1
