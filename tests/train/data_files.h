// Data files and a small vocabulary of R1's kind for the tests of src/train/data.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/temporary_folder.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "train/data/render.h"
#include "train/data/tokenizer_trainer.h"
#include "train/options.h"

namespace r1 {

class DataFiles : public ::testing::Test {
 protected:
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
  /// Writes the vocabulary's files into the folder; options of a new model of `layers` layers over it.
  TrainingOptions new_model_options(int64_t layers) const {
    const TrainedTokenizer trained = trained_tokenizer();
    write("tokenizer.json", trained.tokenizer_json());
    write("tokenizer_config.json", trained.tokenizer_config_json(64));
    TrainingOptions options;
    options.tokenizer = folder_.string();
    options.layers = layers;
    options.hidden = 32;
    options.heads = 2;
    options.key_value_heads = 1;
    options.intermediate = 64;
    options.context_length = 64;
    return options;
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

  const test::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path;
};

}  // namespace r1
