// A new model small enough for tests of reinforcement learning.
#pragma once

#include "tests/train/data_files.h"
#include "train/options.h"

namespace r1::rl {

/// Writes the tokenizer into its folder; options_ are those of a new model.
class TinyPolicy : public DataFiles {
 protected:
  TinyPolicy() {
    const TrainedTokenizer trained = trained_tokenizer();
    write("tokenizer.json", trained.tokenizer_json());
    write("tokenizer_config.json", trained.tokenizer_config_json(64));
    options_.tokenizer = folder_.string();
    options_.layers = 2;
    options_.hidden = 32;
    options_.heads = 2;
    options_.key_value_heads = 1;
    options_.intermediate = 48;
    options_.context_length = 96;
    options_.initial_deviation = 0.3;  // distributions that are not flat
  }

  TrainingOptions options_;
};

}  // namespace r1::rl
