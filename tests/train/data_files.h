// Data files and a small vocabulary of R1's kind for the tests of src/train/data.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "train/data/render.h"
#include "train/data/tokenizer_trainer.h"

namespace r1 {

class DataFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/r1-data-XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }

  static TrainedTokenizer trained_tokenizer() {
    TokenizerTrainer trainer;
    trainer.add("the question and the answer, the cat and the dog; what is the answer to that question?");
    TokenizerTrainerOptions options;
    options.vocabulary_size = 300;
    return trainer.train(options);
  }
  static Tokenizer tokenizer() {
    const TrainedTokenizer trained = trained_tokenizer();
    return Tokenizer::from_hub(trained.tokenizer_json(), trained.tokenizer_config_json(512));
  }
  static SampleRenderer renderer() { return {tokenizer(), std::string(kR1ToolTemplate), {1}}; }

  /// The text of a sequence with its trained parts in [[ ]].
  static std::string marked(const TokenSequence& sequence, const Tokenizer& tokenizer) {
    std::string text;
    bool inside = false;
    for (size_t i = 0; i <= sequence.tokens.size(); ++i) {
      const bool trained = i < sequence.tokens.size() && sequence.trained[i] != 0;
      if (trained != inside) text += trained ? "[[" : "]]";
      inside = trained;
      if (i < sequence.tokens.size()) text += tokenizer.token_bytes(sequence.tokens[i]);
    }
    return text;
  }

  std::filesystem::path folder_;
};

}  // namespace r1
