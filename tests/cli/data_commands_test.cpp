// r1 data and r1 train tokenizer as people call them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/program_runner.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using DataCommandsTest = test::ProgramRunner;

TEST_F(DataCommandsTest, MakesATokenizerAndScoresAModelFromNothingButItself) {
  ASSERT_EQ(r1("data make --count 3000 --seed 5 -o train.jsonl").code, 0);
  ASSERT_EQ(r1("data make --count 3000 --seed 5 -o again.jsonl").code, 0);
  EXPECT_EQ(read("train.jsonl"), read("again.jsonl"));
  ASSERT_EQ(r1("data make --split test --kind addition,equation:2 --level 1-2 --language en --count 40 -o "
               "test.jsonl")
                .code,
            0);
  const test::Outcome tokenizer = r1("train tokenizer train.jsonl --vocab-size 512 -o tokenizer");
  ASSERT_EQ(tokenizer.code, 0) << tokenizer.error;
  EXPECT_THAT(tokenizer.out, HasSubstr("512 tokens"));
  ASSERT_EQ(r1("train tokenizer again.jsonl --vocab-size 512 -o tokenizer2").code, 0);
  EXPECT_EQ(read("tokenizer/tokenizer.json"), read("tokenizer2/tokenizer.json"));
  const test::Outcome check = r1("data check train.jsonl -m tokenizer --show 1");
  EXPECT_EQ(check.code, 0) << check.error;
  EXPECT_THAT(check.out, HasSubstr("3000 samples (3000 triple)"));
  EXPECT_THAT(check.out, HasSubstr("<think>\n⟦"));
  const test::Outcome shipped = r1("data check train.jsonl --show 0");
  EXPECT_EQ(shipped.code, 0) << shipped.error;
  EXPECT_THAT(shipped.error, HasSubstr("the model that ships with r1; -m names"));
  ASSERT_EQ(r1("debug synth tiny-qwen2 model.gguf --tokenizer tokenizer --type F32").code, 0);
  const test::Outcome score = r1("data score model.gguf test.jsonl -n 20 -o scored.jsonl");
  EXPECT_EQ(score.code, 0) << score.error;
  EXPECT_THAT(score.out, HasSubstr("all               all       en     40"));
  std::istringstream scored(read("scored.jsonl"));
  int count = 0;
  for (std::string line; std::getline(scored, line); ++count) {
    EXPECT_TRUE(nlohmann::json::parse(line).contains("model_answer"));
  }
  EXPECT_EQ(count, 40);
}

TEST_F(DataCommandsTest, CheckListsEveryBadLineAndLeavesWithOne) {
  ASSERT_EQ(r1("data make --count 300 -o train.jsonl").code, 0);
  ASSERT_EQ(r1("train tokenizer train.jsonl --vocab-size 400 -o tokenizer").code, 0);
  std::ofstream(folder_ / "bad.jsonl")
      << "{\"question\": \"a\", \"answer\": 5}\n{\"question\": \"a\", \"answer\": \"b\"}\n{\n";
  const test::Outcome check = r1("data check bad.jsonl -m tokenizer");
  EXPECT_EQ(check.code, 1);
  EXPECT_THAT(check.out, HasSubstr("bad.jsonl:1: field 'answer': expected a text, found number 5"));
  EXPECT_THAT(check.out, HasSubstr("bad.jsonl:3: expected one JSON object a line"));
  EXPECT_EQ(std::count(check.error.begin(), check.error.end(), '\n'), 1) << check.error;
}

TEST_F(DataCommandsTest, CheckRefusesEmptyFilesAndPairsThatSayNothing) {
  ASSERT_EQ(r1("data make --count 300 -o train.jsonl").code, 0);
  ASSERT_EQ(r1("train tokenizer train.jsonl --vocab-size 400 -o tokenizer").code, 0);
  std::ofstream(folder_ / "empty.jsonl") << "";
  const test::Outcome empty = r1("data check empty.jsonl -m tokenizer");
  EXPECT_EQ(empty.code, 1);
  EXPECT_THAT(empty.out, HasSubstr("empty.jsonl:1: expected at least one record, found none"));
  std::ofstream(folder_ / "pairs.jsonl") << R"({"prompt": "p", "chosen": "c", "rejected": "c"})";
  const test::Outcome pairs = r1("data check pairs.jsonl -m tokenizer");
  EXPECT_EQ(pairs.code, 1);
  EXPECT_THAT(pairs.out, HasSubstr("both answers of the pair are the same: 1\n  pairs.jsonl:1"));
}

TEST_F(DataCommandsTest, RecipesHaveOnlyKeysThatTheirCommandKnows) {
  int recipes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(R1_TEST_FIXTURES) / "../../recipes")) {
    if (entry.path().extension() != ".toml" || entry.path().filename() == "recipe.toml") continue;
    const std::string folder = entry.path().parent_path().filename();
    const std::string stage = folder == "continued-pretraining" ? "pretrain"
                              : folder == "dpo"                 ? "dpo"
                                                                : "sft";
    const test::Outcome help = r1("train " + stage + " --help");
    ASSERT_EQ(help.code, 0) << help.error;
    if (folder == "dpo" || folder == "qwen2.5-3b-lora") EXPECT_THAT(help.out, HasSubstr("--lora-rank"));
    ++recipes;
    const test::Outcome outcome = r1("train " + stage + " " + entry.path().string());
    EXPECT_EQ(outcome.code, 1);  // its files are not here
    EXPECT_EQ(outcome.error.find("unknown option"), std::string::npos) << outcome.error;
    EXPECT_EQ(outcome.error.find(".toml"), std::string::npos) << outcome.error;
    EXPECT_EQ(outcome.error.find("goes with"), std::string::npos) << outcome.error;
    EXPECT_EQ(outcome.error.find("expected one of"), std::string::npos) << outcome.error;
  }
  EXPECT_GE(recipes, 10);
}

TEST_F(DataCommandsTest, RefusesWithOneLine) {
  for (const auto& [arguments, word] :
       {std::pair<const char*, const char*>{"data make --kind poetry -o x", "addition"},
        {"data make --level 7 -o x", "1 to 4"},
        {"data make --kind word:many -o x", "NAME:SHARE"},
        {"train tokenizer empty.txt -o x", "found none"},
        {"train tokenizer text.txt --vocab-size 100 -o x", "at least 272"}}) {
    std::ofstream(folder_ / "empty.txt") << "";
    std::ofstream(folder_ / "text.txt") << "some text";
    const test::Outcome outcome = r1(arguments);
    EXPECT_EQ(outcome.code, 1) << arguments;
    EXPECT_THAT(outcome.error, HasSubstr(word));
    EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << outcome.error;
    EXPECT_FALSE(fs::exists(folder_ / "x"));
  }
}

}  // namespace
}  // namespace r1
