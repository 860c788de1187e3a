// The text side of hub directories and of GGUF files.
#include "formats/vocabulary.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors.h"
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

class VocabularyTest : public testing::Test {
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

TEST_F(VocabularyTest, ReadsAHubDirectory) {
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

TEST_F(VocabularyTest, WhatIsMissingOrWrongIsNamed) {
  EXPECT_EQ(failure(), folder_.string() + ": tokenizer.json is missing");
  write("tokenizer.json", small_tokenizer());
  write("config.json", {{"model_type", "qwen2"}, {"eos_token_id", {30, nullptr, -1, 29}}});
  const Vocabulary vocabulary = load();
  EXPECT_EQ(vocabulary.end_of_generation, (std::vector<int32_t>{28, 29}));
  EXPECT_EQ(vocabulary.remarks,
            std::vector<std::string>{(folder_ / "config.json").string() +
                                     ": eos_token_id: expected an id below 30, found 30: not used"});
  write("config.json", {{"model_type", "qwen2"}, {"eos_token_id", "end"}});
  EXPECT_EQ(failure(), (folder_ / "config.json").string() +
                           ": eos_token_id: expected an id or a list of ids, found \"end\"");
}

/// A GGUF file with a byte-level vocabulary of a to z and a few control tokens; `change` sets more keys.
class GgufVocabularyTest : public testing::Test {
 protected:
  std::shared_ptr<const ModelFile> write(const std::vector<std::string>& more,
                                         const std::function<void(GgufWriter&)>& change, int32_t type = 3) {
    GgufWriter writer(path_);
    std::vector<std::string> tokens;
    for (char letter = 'a'; letter <= 'z'; ++letter) tokens.emplace_back(1, letter);
    std::vector<int32_t> types(tokens.size(), 1);
    for (const std::string& token : more) {
      tokens.push_back(token);
      types.push_back(type);
    }
    writer.set_string("tokenizer.ggml.model", "gpt2");
    writer.set_strings("tokenizer.ggml.tokens", tokens);
    writer.set_i32s("tokenizer.ggml.token_type", types);
    writer.set_strings("tokenizer.ggml.merges", std::vector<std::string>{});
    change(writer);
    writer.finish();
    return ModelFile::open(path_);
  }
  static void set_pre(GgufWriter& writer) { writer.set_string("tokenizer.ggml.pre", "gpt-2"); }
  std::string failure(const std::shared_ptr<const ModelFile>& file) const {
    try {
      load_vocabulary(*file);
    } catch (const Error& error) {
      return error.what();
    }
    return "loaded";
  }

  const test::TemporaryFolder temporary_;
  const fs::path path_ = temporary_.path / "model.gguf";
};

TEST_F(GgufVocabularyTest, EveryEndIsKnown) {
  const auto file = write({"<x>", "<y>", "<z>", "<|im_end|>"}, [](GgufWriter& writer) {
    set_pre(writer);
    writer.set_u32("tokenizer.ggml.eos_token_id", 26);
    writer.set_u32("tokenizer.ggml.eot_token_id", UINT32_MAX);  // none
    writer.set_i32s("tokenizer.ggml.eos_token_ids", std::vector<int32_t>{26, 28, 99});
  });
  const Vocabulary vocabulary = load_vocabulary(*file);
  EXPECT_EQ(vocabulary.end_of_generation, (std::vector<int32_t>{26, 28, 29}));
  EXPECT_EQ(
      vocabulary.remarks,
      std::vector<std::string>{
          path_.string() + ": tokenizer.ggml.eos_token_ids: expected an id below 30, found 99: not used"});
}

TEST_F(GgufVocabularyTest, AnEndIsKnownByItsNameWhateverItsType) {
  for (const int32_t type : {1, 3, 4}) {
    for (const char* name : {"<|im_end|>", "<|end|>", "<end_of_turn>", "<|eot_id|>"}) {
      const Vocabulary vocabulary = load_vocabulary(*write({name}, set_pre, type));
      EXPECT_EQ(vocabulary.end_of_generation, std::vector<int32_t>{26}) << name << " of type " << type;
      EXPECT_EQ(vocabulary.tokenizer.encode(std::string("a") + name, true), (std::vector<int32_t>{0, 26}));
    }
  }
}

TEST_F(GgufVocabularyTest, AMissingPreTokenizerIsRecognisedOrNamed) {
  const auto nothing = [](GgufWriter&) {};
  EXPECT_EQ(
      failure(write({}, nothing)).substr(0, path_.string().size() + 80),
      path_.string() + ": tokenizer.ggml.pre is missing: say which with --override-kv tokenizer.ggml.pre");
  const Vocabulary llama = load_vocabulary(*write({"<|begin_of_text|>", "<|eot_id|>"}, nothing));
  ASSERT_EQ(llama.remarks.size(), 1U);
  EXPECT_EQ(llama.remarks[0], path_.string() +
                                  ": tokenizer.ggml.pre is missing: by its tokens the vocabulary is "
                                  "one of 'llama-bpe', which is assumed");
  const auto set_default = [](GgufWriter& writer) { writer.set_string("tokenizer.ggml.pre", "default"); };
  EXPECT_NE(failure(write({}, set_default)).find("'default' names none"), std::string::npos);
  const auto set_odd = [](GgufWriter& writer) { writer.set_string("tokenizer.ggml.pre", "odd"); };
  EXPECT_EQ(failure(write({}, set_odd)).substr(0, path_.string().size() + 35),
            path_.string() + ": tokenizer: pre-tokeniser \"odd\" is");
}

TEST_F(GgufVocabularyTest, AFileWithoutATokenizerSaysSo) {
  GgufWriter writer(path_);
  writer.set_string("tokenizer.ggml.model", "no_vocab");
  writer.finish();
  EXPECT_EQ(failure(ModelFile::open(path_)), path_.string() + ": the file has no tokenizer (no_vocab)");
}

}  // namespace
}  // namespace r1
