// r1 train as people call it: flags and TOML files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/cli/program_runner.h"

namespace r1 {
namespace {

using ::testing::HasSubstr;

class TrainCommandTest : public test::ProgramRunner {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  /// The one line of an error, of a TOML file with `text`.
  std::string refusal(const std::string& text, const std::string& flags = "") const {
    write("run.toml", text);
    const test::Outcome outcome = r1("train sft " + flags + " run.toml");
    EXPECT_EQ(outcome.code, 1) << text;
    EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << outcome.error;
    return outcome.error;
  }
};

TEST_F(TrainCommandTest, TomlValuesOfAWrongTypeAreNamedWithTheirLine) {
  for (const auto& [text, expected] :
       {std::pair<const char*, const char*>{"max_steps = 1.5",
                                            "max_steps: expected a whole number, found 1.5"},
        {"max_steps = true", "max_steps: expected a whole number, found true"},
        {"learning_rate = \"1e-3\"", "learning_rate: expected a number, found '1e-3'"},
        {"rslora = 5", "rslora: expected true or false, found 5"},
        {"rslora = \"yes\"", "rslora: expected true or false, found 'yes'"},
        {"name = 3", "name: expected a text, found 3"},
        {"data = [1]", "data: expected a text or a list of texts, found 1"},
        {"layers = [1, 2]", "layers: expected a whole number, found [ 1, 2 ]"},
        {"seed = -1",
         "seed: expected a whole number, 0 or more, of at most 18446744073709551615, found '-1'"},
        {"nope = 1", "unknown option 'nope'"},
        {"help = true", "unknown option 'help'"}}) {
    EXPECT_EQ(refusal(std::string("\n") + text).find(std::string("r1: run.toml:2: ") + expected), 0U)
        << refusal(std::string("\n") + text);
  }
  EXPECT_THAT(refusal("epochs = 1\n[b]\nepochs = 2"),
              HasSubstr("run.toml:3: epochs: given already in line 1"));
  EXPECT_THAT(refusal("learning_rate = nan"),
              HasSubstr("learning_rate: expected above 0 and at most 10, found nan"));
  EXPECT_THAT(refusal("beta = 0.2"), HasSubstr("beta: goes with train dpo, kto, found train sft"));
  EXPECT_THAT(refusal("lora_rank = 8"), HasSubstr("lora_rank: goes with tuning = lora, found tuning = full"));
  EXPECT_THAT(refusal("save_type = \"f8\""), HasSubstr("save_type: expected one of auto, f32, bf16, f16"));
}

TEST_F(TrainCommandTest, NumbersOnTheCommandLineAreReadAsTheyStand) {
  for (const char* flags :
       {"--seed -1", "--accumulation 1.5", "--accumulation 99999999999999999999", "--learning-rate 1e-3x"}) {
    const test::Outcome outcome = r1("train sft " + std::string(flags));
    EXPECT_EQ(outcome.code, 2) << flags;
    EXPECT_THAT(outcome.error, HasSubstr(": expected a ")) << flags;
  }
}

TEST_F(TrainCommandTest, AListOfFilesDoesNotTakeTheTomlFileBehindIt) {
  EXPECT_THAT(refusal("nope = 1", "--output out --data a.jsonl"),
              HasSubstr("run.toml:1: unknown option 'nope'"));
}

TEST_F(TrainCommandTest, AModelThatIsThereIsNotWrittenOverUnasked) {
  std::filesystem::create_directory(folder_ / "out");
  write("out/model.safetensors", "precious");
  const std::string flags = "train sft --tokenizer tok --data a.jsonl --output ";
  EXPECT_THAT(r1(flags + "out").error,
              HasSubstr("out: has a model.safetensors, and no checkpoints: --overwrite"));
  EXPECT_THAT(r1(flags + "out --resume").error, HasSubstr("out: has a model.safetensors"));
  EXPECT_THAT(r1(flags + "out --overwrite").error, HasSubstr("tok/tokenizer.json: cannot open"));
  write("file", "precious");
  EXPECT_THAT(r1(flags + "file").error, HasSubstr("output: expected a directory, found the file 'file'"));
  EXPECT_EQ(read("out/model.safetensors"), "precious");
}

// From data to a reward model, whose evaluation says how many pairs it orders right; the run refuses to go on
// with another option.
TEST_F(TrainCommandTest, TrainsARewardModelAndGoesOnWithTheSameOptionsOnly) {
  ASSERT_EQ(r1("data make --count 60 --form pairs -o pairs.jsonl").code, 0);
  ASSERT_EQ(r1("data make --count 300 -o train.jsonl").code, 0);
  ASSERT_EQ(r1("train tokenizer train.jsonl --vocab-size 400 -o tok").code, 0);
  const std::string flags =
      "train reward --tokenizer tok --layers 1 --hidden 32 --heads 2 --key-value-heads 1 --intermediate 32 "
      "--data pairs.jsonl --eval-share 0.2 --eval-steps 2 --sequence-length 512 --batch-tokens 1024 "
      "--threads 1 "
      "--log-steps 1 --output out";
  const test::Outcome trained = r1(flags + " --max-steps 2");
  ASSERT_EQ(trained.code, 0) << trained.error;
  EXPECT_THAT(read("out/trainer_log.jsonl"), HasSubstr("\"eval_rewards/accuracies\":"));
  EXPECT_THAT(trained.out, HasSubstr("rewards/accuracies "));
  const test::Outcome other = r1(flags + " --max-steps 3 --resume --weight-decay 0.2");
  EXPECT_EQ(other.code, 1);
  EXPECT_THAT(other.error, HasSubstr("weight_decay: expected 0.1 as the run began, found 0.2"));
  const test::Outcome more = r1(flags + " --max-steps 3 --resume");
  EXPECT_EQ(more.code, 0) << more.error;
  EXPECT_THAT(more.out, HasSubstr("done after 3 of 3 steps"));
}

TEST_F(TrainCommandTest, HelpShowsWhatHasMeaningInTheStage) {
  EXPECT_EQ(r1("train sft --help").out.find("--beta "), std::string::npos);
  EXPECT_THAT(r1("train dpo --help").out, HasSubstr("--beta "));
}

}  // namespace
}  // namespace r1
