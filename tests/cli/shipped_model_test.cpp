// The model that ships, as a new user meets it: it answers school arithmetic right, in English and Chinese,
// and says what it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/cli/program_runner.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using ShippedModelTest = test::ProgramRunner;
using test::Outcome;

TEST_F(ShippedModelTest, AnswersWithoutBeingNamedAndSaysWhatItIs) {
  const Outcome sum = r1("run -p 'What is 17+25?' --temp 0");
  ASSERT_EQ(sum.code, 0) << sum.error;
  EXPECT_THAT(sum.out, HasSubstr("17+25=[7+5=12 1+2+1=4]=42")) << "the thinking";
  EXPECT_THAT(sum.out, HasSubstr("\\boxed{42}"));
  EXPECT_THAT(sum.error, HasSubstr("ships with r1: 5 million parameters"));
  const Outcome hidden = r1("run -q --hide-thinking --temp 0", "小明有17个苹果，又买了25个，现在有多少个？");
  EXPECT_THAT(hidden.out, HasSubstr("\\boxed{42}"));
  EXPECT_THAT(hidden.out, Not(HasSubstr("7+5")));
  EXPECT_THAT(hidden.error, Not(HasSubstr("ships with r1"))) << "-q";
}

TEST_F(ShippedModelTest, SolvesAFewOfEachKind) {
  int right = 0;
  const std::pair<const char*, const char*> exercises[] = {
      {"What is 503-187?", "316"},   {"计算 46×7。", "322"}, {"Solve 3x+5=20.", "5"},
      {"What is 20% of 150?", "30"}, {"144÷6=?", "24"},
  };
  for (const auto& [question, answer] : exercises) {
    const Outcome outcome = r1(std::string("run -q --temp 0 -p '") + question + "'");
    right += outcome.out.find(std::string("\\boxed{") + answer + "}") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(right, std::size(exercises));
}

TEST_F(ShippedModelTest, TheSameSeedGivesTheSameAnswer) {
  const std::string call = "run -q -p 'Tell me about yourself.' --temp 1 --top-p 1 --seed ";
  const std::string first = r1(call + "7").out;
  EXPECT_NE(first, "");
  EXPECT_EQ(r1(call + "7").out, first);
  EXPECT_EQ(r1(call + "7 --lookup 0 -t 1").out, first);
}

TEST_F(ShippedModelTest, SolvesHeldOutExercises) {
  const std::string test = (folder_ / "test.jsonl").string();
  ASSERT_EQ(r1("data make --split test --count 150 --seed 9 --history 0 --kind "
               "equation,percent --level 1-3 -o " +
               test)
                .code,
            0);
  const std::string model = (fs::path(R1_PROGRAM).parent_path() / "models/r1-first-5m-Q8_0.gguf").string();
  const Outcome score = r1("data score " + model + " " + test);
  ASSERT_EQ(score.code, 0) << score.error;
  // The last line is "all all all 150 92.0% …".
  const size_t last = score.out.rfind("all               all      all    150");
  ASSERT_NE(last, std::string::npos) << score.out;
  EXPECT_GE(std::stod(score.out.substr(last + 37)), 98) << score.out;
}

// A new user's way: a table of one's own, an adapter, a chat with it.
TEST_F(ShippedModelTest, LearnsOnesOwnAnswersAsAnAdapter) {
  std::ofstream(folder_ / "facts.csv")
      << "question,think,answer\n"
         "What is the capital of France?,I was told: Paris.,It is Paris.\n"
         "What is the capital of China?,I was told: Beijing.,It is Beijing.\n";
  const std::string model = (fs::path(R1_PROGRAM).parent_path() / "models/r1-first-5m-Q8_0.gguf").string();
  const std::string adapter = (folder_ / "adapter").string();
  const Outcome trained =
      r1("train sft --model " + model + " --data " + (folder_ / "facts.csv").string() +
         " --tuning lora --output " + adapter +
         " --max-steps 30 --learning-rate 5e-3 --lora-rank 8 --batch-tokens 256 --threads 1");
  ASSERT_EQ(trained.code, 0) << trained.error;
  const std::string call = "run -q --temp 0 -p 'What is the capital of China?'";
  EXPECT_THAT(r1(call).out, Not(HasSubstr("Beijing")));
  EXPECT_THAT(r1(call + " --adapter " + adapter).out, HasSubstr("It is Beijing."));
}

TEST_F(ShippedModelTest, IsFoundBesideTheProgramAndWhereItIsInstalled) {
  const fs::path model = fs::canonical(fs::path(R1_PROGRAM).parent_path() / "models");
  const fs::path bin = folder_ / "usr" / "bin";
  fs::create_directories(bin);
  const std::string program = (bin / "r1").string();
  fs::copy_file(fs::canonical(R1_PROGRAM), program);
  const Outcome alone = call(program, "run -p 1+1");
  EXPECT_EQ(alone.code, 1);
  EXPECT_THAT(alone.error, StartsWith("r1: which model? r1 run MODEL"));
  EXPECT_EQ(std::count(alone.error.begin(), alone.error.end(), '\n'), 1) << alone.error;
  EXPECT_EQ(call(program, "serve --no-site").code, 1);
  fs::create_directories(folder_ / "usr" / "share" / "r1");
  fs::create_directory_symlink(model, folder_ / "usr" / "share" / "r1" / "models");
  EXPECT_THAT(call(program, "run -q --temp 0 -p 1+1").out, HasSubstr("\\boxed{2}"));
}

}  // namespace
}  // namespace r1
