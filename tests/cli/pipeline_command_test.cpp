// r1 pipeline as people call it: stages of a second.
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
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kRecipe = R"(
title = "A tiny run"
[evaluation]
data = "@held-out"
samples = 2
max_tokens = 40
limit = 4

[[stage]]
name = "questions"
kind = "data"
count = 200
kinds = ["addition"]
levels = ["1"]
history = 0.0

[[stage]]
name = "held-out"
kind = "data"
split = "test"
count = 8
kinds = ["addition"]
levels = ["1"]
history = 0.0

[[stage]]
name = "tokenizer"
kind = "tokenizer"
files = ["@questions"]
vocabulary_size = 320

[[stage]]
name = "base"
kind = "sft"
data = ["@questions"]
tokenizer = "@tokenizer"
layers = 1
hidden = 32
heads = 2
key_value_heads = 1
intermediate = 32
batch_tokens = 512
sequence_length = 256
max_steps = 200
save_steps = 5
learning_rate = 3e-3
threads = 1

[[stage]]
name = "zero"
kind = "grpo"
model = "@base"
data = ["@questions"]
questions = 4
group = 4
answer_tokens = 32
batch_tokens = 512
sequence_length = 256
learning_rate = 1e-4
max_steps = 30
save_steps = 3
threads = 1
)";

class PipelineCommandTest : public test::ProgramRunner {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  /// The recipe with `old` replaced.
  void write_recipe(const std::string& old = "", const std::string& text = "") const {
    std::string recipe = kRecipe;
    if (!old.empty()) recipe.replace(recipe.find(old), old.size(), text);
    write("run.toml", recipe);
  }
  static std::ptrdiff_t entries(const std::filesystem::path& folder) {
    std::error_code missing;
    const std::filesystem::directory_iterator found(folder, missing);
    return missing ? 0 : std::distance(begin(found), end(found));
  }
  Outcome run(const std::string& output) const { return r1("pipeline run.toml --output " + output); }
  std::string refusal(const std::string& recipe) const {
    write("bad.toml", recipe);
    const Outcome outcome = r1("pipeline bad.toml --output bad");
    EXPECT_EQ(outcome.code, 1) << recipe;
    EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << outcome.error;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "bad"));
    return outcome.error;
  }
};

TEST_F(PipelineCommandTest, StagesThatAreDoneAreSkippedAndThoseWhoseInputsChangedAreRunAgain) {
  write_recipe();
  const Outcome first = run("out");
  ASSERT_EQ(first.code, 0) << first.error << first.out;
  const json report = json::parse(read("out/report.json"));
  ASSERT_EQ(report["stages"].size(), 5U);
  EXPECT_EQ(report["stages"][4]["name"], "zero");
  EXPECT_EQ(report["stages"][4]["answers"], 8);
  EXPECT_TRUE(report["stages"][4]["scores"].contains("cons@2"));
  EXPECT_THAT(read("out/report.md"), HasSubstr("| base | sft | "));
  const std::string page = read("out/report.html");
  EXPECT_THAT(page, HasSubstr("<polyline"));
  EXPECT_THAT(page, HasSubstr("entropy of a token"));

  const Outcome second = run("out");
  EXPECT_EQ(second.code, 0);
  EXPECT_THAT(second.out, HasSubstr("base: done before"));
  EXPECT_THAT(second.out, HasSubstr("zero: done before"));

  write_recipe("max_steps = 30", "max_steps = 31");
  const Outcome third = run("out");
  EXPECT_THAT(third.out, HasSubstr("base: done before"));
  EXPECT_THAT(third.out, HasSubstr("zero (grpo): options or inputs have changed: anew"));

  write_recipe("vocabulary_size = 320", "vocabulary_size = 310");
  const Outcome fourth = run("out");
  EXPECT_THAT(fourth.out, HasSubstr("questions: done before"));
  for (const char* name : {"tokenizer (tokenizer)", "base (sft)", "zero (grpo)"})
    EXPECT_THAT(fourth.out, HasSubstr(std::string(name) + ": options or inputs have changed"));

  write_recipe("samples = 2", "samples = 3");
  write(
      "run.toml",
      read("run.toml").replace(read("run.toml").find("vocabulary_size = 320"), 21, "vocabulary_size = 310"));
  const Outcome fifth = run("out");
  EXPECT_THAT(fifth.out, HasSubstr("zero: evaluation"));
  EXPECT_THAT(fifth.out, Not(HasSubstr("zero (grpo)")));
}

TEST_F(PipelineCommandTest, AKilledRunContinuesToTheSameBytes) {
  write_recipe();
  ASSERT_EQ(run("whole").code, 0);
  for (const char* file : {"killed/base/model/checkpoints", "killed/zero/model/checkpoints"}) {
    BackgroundProgram program(folder_, {"pipeline", "run.toml", "--output", "killed"});
    for (int i = 0; i < 10000 && entries(folder_ / file) < 2; ++i)  // the first one is whole
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    program.stop(SIGKILL);
    ASSERT_FALSE(std::filesystem::exists((folder_ / file).parent_path() / "model.safetensors")) << file;
  }
  const Outcome outcome = run("killed");
  ASSERT_EQ(outcome.code, 0) << outcome.error << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("base: done before"));
  EXPECT_THAT(outcome.out, HasSubstr("zero (grpo): continues"));
  EXPECT_THAT(outcome.out, HasSubstr("resumed at step"));
  for (const char* file : {"base/model/model.safetensors", "zero/model/model.safetensors"})
    EXPECT_EQ(read(std::string("killed/") + file), read(std::string("whole/") + file)) << file;
}

TEST_F(PipelineCommandTest, WhatIsWrongWithARecipeIsNamedByLineBeforeAnythingRuns) {
  const std::string data = "[[stage]]\nname = \"d\"\nkind = \"data\"\n";
  EXPECT_THAT(refusal("[[stage]]\nname = \"a\"\nkind = \"sfft\"\n"),
              HasSubstr("bad.toml:3: kind: expected one of data, "));
  EXPECT_THAT(refusal(data + "counts = 3\n"), HasSubstr("bad.toml:4: unknown option 'counts'"));
  EXPECT_THAT(refusal(data + "count = \"3\"\n"),
              HasSubstr("bad.toml:4: count: expected a whole number, found '3'"));
  EXPECT_THAT(refusal(data + "out = \"x\"\n"), HasSubstr("bad.toml:4: out: set by the pipeline"));
  EXPECT_THAT(refusal(data + data), HasSubstr("bad.toml:5: the stage 'd': given twice"));
  EXPECT_THAT(refusal("[[stage]]\nkind = \"data\"\n"),
              HasSubstr("bad.toml:1: expected a stage with name and kind"));
  EXPECT_THAT(refusal("[[stage]]\nname = \"../x\"\nkind = \"data\"\n"),
              HasSubstr("bad.toml:2: name: expected letters"));
  EXPECT_THAT(refusal(data + "[[stage]]\nname = \"s\"\nkind = \"sft\"\ntokenizer = \"t\"\ndata = [\"@c\"]\n"),
              HasSubstr("bad.toml:8: data: expected '@' and an earlier stage (d), found '@c'"));
  EXPECT_THAT(
      refusal(data +
              "[[stage]]\nname = \"s\"\nkind = \"grpo\"\nmodel = \"@d\"\nrewards = [\"model:@c=0.2\"]\n"),
      HasSubstr("bad.toml:8: rewards: expected '@' and an earlier stage (d), found 'model:@c=0.2'"));
  EXPECT_THAT(refusal("[[stage]]\nname = \"s\"\nkind = \"sft\"\ntokenizer = \"t\"\nbeta = 0.2\n"),
              HasSubstr("bad.toml:1: stage 's': beta: goes with train dpo, kto"));
  EXPECT_THAT(refusal("outputs = \"x\"\n" + data), HasSubstr("bad.toml:1: expected output, title, "));
  EXPECT_THAT(refusal("output = \"x\"\n"), HasSubstr("bad.toml: expected stages"));
}

TEST_F(PipelineCommandTest, TheRecipesAreReadAndPlanned) {
  for (const char* name : {"reason-small", "grpo-gsm8k", "r1-full"}) {
    const std::string recipe = std::string(R1_TEST_FIXTURES) + "/../../recipes/" + name + "/recipe.toml";
    const Outcome outcome = r1("pipeline --plan --output out " + recipe);
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    EXPECT_THAT(outcome.out, HasSubstr("time that is left: about "));
    if (name == std::string("reason-small")) {
      EXPECT_THAT(outcome.out, ContainsRegex("r1-zero +grpo +to do +[0-9.]+ MiB"));
      EXPECT_THAT(outcome.out, Not(HasSubstr("not known: ")));
    }
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  }
}

TEST_F(PipelineCommandTest, AStageThatFailsIsNamedWithWhatItsCommandSaid) {
  write("run.toml",
        "[[stage]]\nname = \"s\"\nkind = \"sft\"\ntokenizer = \"nowhere\"\ndata = [\"none.jsonl\"]\n");
  const Outcome outcome = run("out");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.error,
              HasSubstr("run.toml:1: stage 's': r1 train sft ended with 1: r1: nowhere/tokenizer.json"));
}

}  // namespace
}  // namespace r1
