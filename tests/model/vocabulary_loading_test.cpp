// The text side of hub directories and of GGUF files.
#include "model/vocabulary_loading.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/convert.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A byte-level tokenizer of the letters a to z, one merge and three special tokens.
json small_tokenizer() {
  json vocabulary = json::object();
  for (char letter = 'a'; letter <= 'z'; ++letter) vocabulary[std::string(1, letter)] = letter - 'a';
  vocabulary["ab"] = 26;
  auto added = [](int id, const char* content) {
    return json{{"id", id},        {"content", content}, {"special", true},    {"single_word", false},
                {"lstrip", false}, {"rstrip", false},    {"normalized", false}};
  };
  return {{"version", "1.0"},
          {"added_tokens", {added(27, "<s>"), added(28, "<|im_end|>"), added(29, "<stop>")}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"a b"}}}}};
}

class VocabularyLoadingTest : public testing::Test {
 protected:
  void SetUp() override {
    SafetensorsWriter writer(folder_ / "model.safetensors");
    writer.finish();
    write("config.json", {{"model_type", "qwen2"}, {"eos_token_id", json::array({28, 29})}});
  }

  void write(const char* name, const json& value) { std::ofstream(folder_ / name) << value.dump(); }
  Vocabulary load() const { return load_vocabulary(*ModelFile::open(folder_)); }
  std::string failure() const {
    try {
      load();
    } catch (const Error& error) {
      return error.what();
    }
    return "loaded";
  }

  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path;
};

TEST_F(VocabularyLoadingTest, ReadsAHubDirectory) {
  write("tokenizer.json", small_tokenizer());
  write("tokenizer_config.json",
        {{"bos_token", "<s>"}, {"eos_token", "<stop>"}, {"chat_template", "{{ messages[0].content }}"}});
  write("generation_config.json", {{"eos_token_id", 27}});
  const Vocabulary vocabulary = load();
  EXPECT_EQ(vocabulary.tokenizer.encode("abc<stop>", true), (std::vector<int32_t>{26, 2, 29}));
  EXPECT_EQ(vocabulary.chat_template, "{{ messages[0].content }}");
  EXPECT_EQ(vocabulary.bos, 27);
  EXPECT_EQ(vocabulary.eos, 29);
  // eos_token, both configurations' lists, and a name known for it.
  EXPECT_EQ(vocabulary.end_of_generation, (std::vector<int32_t>{27, 28, 29}));
}

TEST_F(VocabularyLoadingTest, WhatIsMissingOrWrongIsNamed) {
  EXPECT_EQ(failure(), folder_.string() + ": tokenizer.json is missing");
  write("tokenizer.json", small_tokenizer());
  write("config.json", {{"model_type", "qwen2"}, {"eos_token_id", 30}});
  EXPECT_EQ(failure(),
            (folder_ / "config.json").string() + ": eos_token_id: expected an id below 30, found 30");
  write("config.json", {{"model_type", "qwen2"}, {"eos_token_id", "end"}});
  EXPECT_EQ(failure(), (folder_ / "config.json").string() +
                           ": eos_token_id: expected an id or a list of ids, found \"end\"");
}

TEST_F(VocabularyLoadingTest, AGgufFileWithoutATokenizerSaysSo) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  const fs::path path = folder_ / "model.gguf";
  convert_hub_to_gguf(shared_path("fixtures/qwen2-tiny"), path, {});
  try {
    load_vocabulary(*ModelFile::open(path));
    FAIL() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), path.string() + ": the file has no tokenizer (no_vocab)");
  }
}

}  // namespace
}  // namespace r1
